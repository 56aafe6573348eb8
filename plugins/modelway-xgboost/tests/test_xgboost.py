"""The trainer: what it learns, what it refuses, and that it says so."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelway_xgboost import XGBoost
from modelway_xgboost.model import XGBoostModel
from sklearn import datasets

from modelway import Category, ConfigError, DataError, Directory, Run, Split, build
from modelway.testing import make_run, make_table

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Step:
    """A step of a split, as a preparer or a fitted feature is one."""

    change: Any
    name: str = "step"

    def params(self) -> dict[str, Any]:
        return {}

    def __call__(self, columns: Any) -> Any:
        return self.change(columns)


def bytes_of(model: XGBoostModel) -> bytes:
    return bytes(model.booster.save_raw("ubj"))


def make(
    folder: Path, columns: dict[str, Any], *, task: str = "binary", kinds: dict[str, Any] | None = None, parts: int = 1,
    codes: Any = None, **more: Any,
) -> tuple[Split, Run]:  # fmt: skip
    """A split of the columns, whose target is ``y``; every row trains unless ``codes`` says otherwise."""
    target: dict[str, Any] = {"type": "number", "role": "target"}
    if task != "regression":
        target = {
            "type": "integer",
            "role": "target",
            "values": sorted(set(np.asarray(columns["y"]).tolist()) | {0, 1}),
        }
    declared = {name: {"type": "number"} for name in columns if name != "y"} | (kinds or {}) | {"y": target}
    run = make_run(folder, schema={"columns": declared}, task=task, **more)
    table = make_table(run, columns, parts)
    return Split.of(table, {"final": np.ones(table.rows, "i1") if codes is None else codes}, run), run


def two_columns(rows: int = 400) -> dict[str, Any]:
    a, b = RNG.normal(size=(2, rows))
    return {"a": a, "b": b, "y": (a + RNG.normal(size=rows) > 0).astype(int)}


def features(split: Split, phase: str = "train") -> dict[str, Any]:
    batches = [batch.features for batch in split.batches(phase)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


LOADERS = {
    "binary": datasets.load_breast_cancer,
    "multiclass": datasets.load_digits,
    "regression": datasets.load_diabetes,
}


@pytest.mark.parametrize("task", LOADERS)
def test_predictions_equal_those_of_the_scikit_learn_classes(task: str, tmp_path: Path) -> None:
    import xgboost

    x, y = LOADERS[task](return_X_y=True)
    columns = {f"x{i}": x[:, i] for i in range(x.shape[1])} | {"y": y if task == "regression" else y.astype(int)}
    split, run = make(tmp_path, columns, task=task, parts=3, seed=7)
    common = {"max_depth": 4, "learning_rate": 0.2, "subsample": 0.8, "colsample_bytree": 0.7, "reg_lambda": 2.0}
    model = XGBoost(rounds=20, threads=2, **common).fit(split, run)
    kind = xgboost.XGBRegressor if task == "regression" else xgboost.XGBClassifier
    theirs = kind(n_estimators=20, n_jobs=2, random_state=7, tree_method="hist", **common).fit(x, y)
    expected = theirs.predict(x) if task == "regression" else theirs.predict_proba(x)
    found = model.predict(features(split))["score"]
    assert found == pytest.approx(expected[:, 1] if task == "binary" else expected, abs=1e-6)


def test_model_bytes_do_not_hang_on_how_the_rows_are_read(tmp_path: Path) -> None:
    rows = 150_000  # more than XGBoost's sketch holds exactly, so that the order of merging would show
    columns = {f"x{i}": RNG.normal(size=rows) for i in range(3)}
    columns["x1"][::7] = np.nan
    columns["y"] = (columns["x0"] + RNG.normal(size=rows) > 0).astype(int)
    columns["w"] = RNG.exponential(size=rows)
    kinds = {"w": {"type": "number", "role": "weight"}}
    split, run = make(tmp_path, columns, parts=4, kinds=kinds, codes=np.resize([1, 1, 1, 2], rows))
    held, streamed = (
        XGBoost(rounds=5, threads=2, subsample=0.7, early_stopping=3, memory=memory).fit(split, run)
        for memory in (256, 0)
    )
    assert bytes_of(held) == bytes_of(streamed)


PROGRAM = """
import sys, hashlib, numpy as np
from pathlib import Path
from modelway import Split
from modelway.testing import make_run, make_table
from modelway_xgboost import XGBoost
rng = np.random.default_rng(0)
x = rng.normal(size=(5000, 4)).round(1)
schema = {"columns": {**{f"x{i}": {"type": "number"} for i in range(4)}, "y": {"type": "number", "role": "target"}}}
run = make_run(Path(sys.argv[1]), schema=schema, task="regression", seed=3)
table = make_table(run, {**{f"x{i}": x[:, i] for i in range(4)}, "y": x.sum(1) + rng.normal(size=5000)})
split = Split.of(table, {"final": rng.choice([1, 2], size=5000)}, run)
model = XGBoost(rounds=30, subsample=0.6, colsample_bytree=0.5, early_stopping=3).fit(split, run)
print(hashlib.sha256(bytes(model.booster.save_raw("ubj"))).hexdigest())
"""


def test_fresh_processes_give_the_same_bytes(tmp_path: Path) -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / str(i))], capture_output=True, text=True, check=True
        ).stdout
        for i in range(2)
    ]
    assert len(runs[0].strip()) == hashlib.sha256().digest_size * 2
    assert runs[0] == runs[1]


def test_the_seed_changes_what_is_sampled(tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns())
    one, other = (XGBoost(rounds=3, subsample=0.5).fit(split, replace(run, seed=seed)) for seed in (0, 1))
    assert bytes_of(one) != bytes_of(other)


def test_early_stopping_keeps_the_best_round_and_no_more(tmp_path: Path) -> None:
    columns = two_columns(600)
    split, run = make(tmp_path, columns, codes=np.r_[np.full(300, 1), np.full(300, 2)])
    seen: list[dict[str, float]] = []
    run = replace(run, on_report=lambda number, scores: seen.append(dict(scores)))
    model = XGBoost(rounds=200, early_stopping=5).fit(split, run)
    losses = [scores["valid_logloss"] for scores in seen]
    best = int(np.argmin(losses))
    assert model.facts()["rounds"] == best + 1 < len(losses)
    fixed = XGBoost(rounds=best + 1).fit(split, run)
    valid = features(split, "valid")
    assert (model.predict(valid)["score"] == fixed.predict(valid)["score"]).all()


def test_a_run_can_stop_the_training(tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns(), codes=np.tile([1, 2], 200))
    run = replace(run, on_report=lambda number, scores: number < 3)
    assert XGBoost(rounds=50).fit(split, run).facts()["rounds"] == 4
    assert (
        XGBoost(rounds=50, early_stopping=20).fit(split, replace(run, on_report=lambda *_: False)).facts()["rounds"]
        == 1
    )


@pytest.mark.parametrize(
    ("fields", "names"),
    [({}, set()), ({"watch_train": True, "watch_valid": True, "eval_metric": "auc"}, {"train_auc", "valid_auc"})],
)
def test_progress_shows_what_was_asked_for(fields: dict[str, Any], names: set[str], tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns(), codes=np.tile([1, 2], 200))
    seen: list[tuple[int, set[str]]] = []
    XGBoost(rounds=3, **fields).fit(split, replace(run, on_report=lambda n, scores: seen.append((n, set(scores)))))
    assert seen == [(0, names), (1, names), (2, names)]


def test_a_declared_category_is_split_natively_and_scored_by_value(tmp_path: Path) -> None:
    colours = np.tile(["red", "green", "blue", None], 100)
    y = (np.isin(colours, ["red", "blue"])).astype(int)
    kinds = {"c": {"type": "category", "values": ["blue", "green", "red"], "nullable": True}}
    columns = {"c": Category.of(colours.tolist()), "a": RNG.normal(size=400), "y": y}
    split, run = make(tmp_path, columns, kinds=kinds, parts=2)
    model = XGBoost(rounds=20, max_depth=1).fit(split, run)
    rows = {"c": Category.of(["red", "green", "blue", None, "mauve"]), "a": np.zeros(5)}
    red, green, blue, none, unseen = model.predict(rows)["score"]
    assert red > 0.9
    assert blue > 0.9
    assert green < 0.1
    assert none == unseen


def test_whole_numbers_declared_as_categories_score_alike_from_arrays_and_requests(tmp_path: Path) -> None:
    code = np.tile([10, 20, 30], 100)
    kinds = {"c": {"type": "category", "values": [10, 20, 30]}}
    split, run = make(tmp_path, {"c": code, "y": (code == 20).astype(int)}, kinds=kinds)
    model = XGBoost(rounds=5).fit(split, run)
    assert model.layout.types == ["c"]
    asked, trained = ({"c": Category.of([30, 20])}, {"c": np.array([30, 20])})
    assert (model.predict(asked)["score"] == model.predict(trained)["score"]).all()


def test_a_vocabulary_that_a_feature_fixed_is_native_too(tmp_path: Path) -> None:
    split, run = make(tmp_path, {"c": ["u", "v"] * 50, "y": [0, 1] * 50}, kinds={"c": {"type": "category"}}, parts=2)
    split = split.with_steps([Step(lambda columns: {"c": columns["c"].recode(["v", "w", "u"])})])
    model = XGBoost(rounds=2).fit(split, run)
    assert model.layout.categories == {"c": ("v", "w", "u")}


def test_a_category_that_only_validation_rows_have_does_not_stop_the_training(tmp_path: Path) -> None:
    kinds = {"c": {"type": "category", "values": ["u", "v", "w"]}}
    columns = {"c": ["u", "v", "u", "w"] * 50, "y": [0, 1, 0, 1] * 50}
    split, run = make(tmp_path, columns, kinds=kinds, codes=np.resize([1, 1, 2, 2], 200))
    assert XGBoost(rounds=5, early_stopping=2).fit(split, run).facts()["rounds"] >= 1


@pytest.mark.parametrize("kind", ["string", "category"])
def test_text_left_over_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    split, run = make(tmp_path, {"c": ["u", "v"] * 50, "y": [0, 1] * 50}, kinds={"c": {"type": kind}})
    with pytest.raises(DataError, match=r"Column 'c' reaches the model as text.*schema\.columns\.c.*values"):
        XGBoost().fit(split, run)


def test_a_vocabulary_that_changes_between_parts_is_refused(tmp_path: Path) -> None:
    split, run = make(
        tmp_path, {"c": ["u"] * 50 + ["v"] * 50, "y": [0, 1] * 50}, kinds={"c": {"type": "string"}}, parts=2
    )
    split = split.with_steps([Step(lambda columns: {"c": columns["c"][:]})])
    with pytest.raises(DataError, match="Column 'c' reaches the model as text"):
        XGBoost().fit(split, run)


def test_a_column_of_times_is_refused_by_name(tmp_path: Path) -> None:
    days = np.arange(100).astype("M8[D]")
    split, run = make(tmp_path, {"t": days, "y": [0, 1] * 50}, kinds={"t": {"type": "date"}})
    with pytest.raises(DataError, match="Column 't' reaches the model as a time"):
        XGBoost().fit(split, run)


@pytest.mark.parametrize("memory", [256, 0])
@pytest.mark.parametrize("value", [np.inf, -1e300])
def test_an_infinite_value_is_refused_with_column_and_row(value: float, memory: int, tmp_path: Path) -> None:
    columns = two_columns()
    columns["b"][357] = value
    split, run = make(tmp_path, columns, parts=3)
    with pytest.raises(DataError, match=r"Column 'b' is infinite.*row 357"):
        XGBoost(rounds=2, memory=memory).fit(split, run)


@pytest.mark.parametrize("memory", [256, 0])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_target_of_one_class_is_refused(task: str, memory: int, tmp_path: Path) -> None:
    split, run = make(tmp_path, {"a": np.arange(100.0), "y": [1] * 100}, task=task)
    with pytest.raises(DataError, match=r"same class, 1 .*target y"):
        XGBoost(memory=memory).fit(split, run)


def test_no_feature_is_refused(tmp_path: Path) -> None:
    split, run = make(
        tmp_path, {"a": np.arange(9.0), "y": [0, 1, 1] * 3}, kinds={"a": {"type": "number", "role": "ignore"}}
    )
    with pytest.raises(DataError, match="no feature to learn from"):
        XGBoost().fit(split, run)


def test_a_negative_weight_is_refused_without_a_stack_trace(tmp_path: Path) -> None:
    columns = {**two_columns(), "w": np.full(400, -1.0)}
    split, run = make(tmp_path, columns, kinds={"w": {"type": "number", "role": "weight"}})
    with pytest.raises(DataError, match=r"train rows: Weights must be positive values\.$"):
        XGBoost().fit(split, run)


@pytest.mark.parametrize("memory", [256, 0])
def test_a_bad_value_in_a_later_part_keeps_its_own_message(memory: int, tmp_path: Path) -> None:
    columns = {"a": np.arange(90.0), "y": [0, 1] * 44 + [0, 7]}
    target = {"type": "integer", "role": "target", "values": [0, 1]}
    split, run = make(tmp_path, columns, kinds={}, parts=3)
    split = replace(split, schema=type(split.schema).of({"columns": {"a": {"type": "number"}, "y": target}}))
    with pytest.raises(DataError, match="target 'y' holds 7"):
        XGBoost(memory=memory).fit(split, run)


def test_early_stopping_without_validation_rows_is_refused(tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns())
    with pytest.raises(DataError, match="Early stopping needs validation rows"):
        XGBoost(early_stopping=3).fit(split, run)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extra": {"max_cat_to_onehit": 3}}, r"no parameter 'max_cat_to_onehit'.*Did you mean 'max_cat_to_onehot'"),
        ({"extra": {"eta": 0.1}}, r"Set 'learning_rate' instead"),
        ({"extra": {"seed": 1}}, r"'seed' comes from the run's 'seed'"),
        ({"extra": {"grow_policy": "widest"}}, r"refuses a parameter.*widest"),
        ({"objective": "binary:hinge"}, r"does not give the scores of a binary task.*binary:logistic"),
        ({"eval_metric": "aucc"}, r"Unknown metric function aucc"),
        ({"monotone": {"aa": 1}}, r"names column 'aa'.*Did you mean 'a'"),
        ({"monotone": {"a": 2}}, r"is 2, and may be 1 or -1"),
        ({"device": "cuda:0"}, r"device 'cuda:0' is not there"),
    ],
)
def test_a_wrong_parameter_is_refused_before_training(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns())
    with pytest.raises(ConfigError, match=message) as caught:
        XGBoost(**fields).fit(split, run)
    assert "Stack trace" not in str(caught.value)


def test_scale_pos_weight_is_refused_where_no_class_is_positive(tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns(), task="regression")
    with pytest.raises(ConfigError, match="no positive class"):
        XGBoost(scale_pos_weight=2).fit(split, run)


def test_extra_parameters_reach_xgboost(tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns())
    model = XGBoost(rounds=2, extra={"num_parallel_tree": 3}).fit(split, run)
    assert len(model.booster.get_dump()) == 6


def test_a_monotone_constraint_holds(tmp_path: Path) -> None:
    columns = {"b": RNG.normal(size=500), "a": RNG.normal(size=500)}
    columns["y"] = np.sin(3 * columns["a"]) + columns["b"]
    split, run = make(tmp_path, columns, task="regression")
    model = XGBoost(rounds=20, monotone={"a": -1}).fit(split, run)
    score = model.predict({"a": np.linspace(-2, 2, 200), "b": np.zeros(200)})["score"]
    assert (np.diff(score) <= 0).all()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_model_read_back_scores_the_same_and_writes_the_same_bytes(task: str, tmp_path: Path) -> None:
    columns = {"a<1": RNG.normal(size=300), "b[0]": RNG.normal(size=300), "y": np.tile([0, 1, 2], 100)}
    columns["y"] = columns["y"] % 2 if task == "binary" else columns["y"]
    split, run = make(tmp_path, columns, task=task)
    model = XGBoost(rounds=3).fit(split, run)
    model.save(Directory(tmp_path / "one"))
    again = XGBoostModel.load(Directory(tmp_path / "one"))
    again.save(Directory(tmp_path / "two"))
    for name in ("booster.ubj", "layout.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    many, one = features(split), {name: column[:1] for name, column in features(split).items()}
    score = again.predict(many)["score"]
    assert score.shape == ((300, 3) if task == "multiclass" else (300,))
    assert (score == model.predict(many)["score"]).all()
    assert (again.predict(one)["score"] == score[:1]).all()
    assert again.predict({name: column[:0] for name, column in many.items()})["score"].shape == (0, *score.shape[1:])
    assert again.facts() == model.facts()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns())
    folder = Directory(tmp_path / "model")
    XGBoost(rounds=1).fit(split, run).save(folder)
    folder.put("booster.ubj", b"not a booster")
    with pytest.raises(DataError, match="not one that XGBoost wrote"):
        XGBoostModel.load(folder)


def test_columns_may_come_in_any_order_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    split, run = make(tmp_path, two_columns())
    model = XGBoost(rounds=3).fit(split, run)
    a, b = np.array([0.5, -1]), np.array([2.0, np.nan])
    assert (model.predict({"a": a, "b": b})["score"] == model.predict({"more": a, "b": b, "a": a})["score"]).all()
    with pytest.raises(DataError, match=r"reads column 'b', which is not there.*Known here: a, c"):
        model.predict({"a": a, "c": b})
    with pytest.raises(DataError, match="'b' reaches the model as text"):
        model.predict({"a": a, "b": Category.of(["x", "y"])})
    with pytest.raises(DataError, match=r"'b' is infinite.*row 1"):
        model.predict({"a": a, "b": np.array([0, np.inf])})


def test_importance_names_the_users_columns_largest_first(tmp_path: Path) -> None:
    columns = two_columns()
    split, run = make(tmp_path, {"noise": columns["b"], "a<5": columns["a"], "y": (columns["a"] > 0).astype(int)})
    facts = XGBoost(rounds=3, max_depth=2).fit(split, run).facts()
    assert next(iter(facts["importance"])) == "a<5"
    assert list(facts["importance"].values()) == sorted(facts["importance"].values(), reverse=True)


def test_configuration_builds_and_reads_back() -> None:
    component = build(XGBoost, {"max_depth": 3, "monotone": {"a": 1}, "extra": {"max_leaves": 7}, "early_stopping": 5})
    assert build(XGBoost, component.config()) == component
    assert "memory" not in component.params()
    assert "threads" in component.params()


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    program = "import modelway_xgboost, sys; print({'numpy', 'xgboost', 'sklearn', 'pyarrow'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
