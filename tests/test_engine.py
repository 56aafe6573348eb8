"""The engine: a run computes what a plain script would, and the same bytes whatever was cached before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelway import Columns, DataError, Feature, Run, Split, Transform, param
from modelway.engine import Engine, meter
from modelway.engine.flight import dead, holder
from modelway.engine.stages import fit_features, predict
from modelway.errors import GateError, StoreError
from modelway.store import Store
from modelway.testing import make_run, make_table

NAMES = ("a", "b", "c")
SCHEMA: dict[str, Any] = {
    "columns": {
        **{name: {"type": "number"} for name in NAMES},
        "y": {"type": "category", "role": "target", "values": ["n", "p"], "positive": "p"},
    }
}


@dataclass(frozen=True, kw_only=True)
class Centre(Feature, name="centre"):
    """Take the mean off; optionally under another name."""

    columns: tuple[str, ...] = param((), "Columns.")
    to: str = param("", "Suffix of the results.")

    def summarise(self, columns: Columns) -> Any:
        CALLS.append(tuple(columns))
        return {name: [float(np.sum(column)), len(column)] for name, column in columns.items()}

    def merge(self, a: Any, b: Any) -> Any:
        return {name: [a[name][0] + b[name][0], a[name][1] + b[name][1]] for name in a}

    def finish(self, summary: Any) -> Mapping[str, Any]:
        return {name: total / rows for name, (total, rows) in summary.items()}

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        return {f"{name}{self.to}": column - state[name] for name, column in columns.items()}


@dataclass(frozen=True, kw_only=True)
class Keep(Centre, name="keep"):
    """The same, beside its inputs."""

    keeps_inputs = True


@dataclass(frozen=True, kw_only=True)
class Onto(Centre, name="onto"):
    """The same, written over a column that it does not read."""

    keeps_inputs = True

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        return {"c": sum(column - state[name] for name, column in columns.items())}


@dataclass(frozen=True, kw_only=True)
class Twice(Feature, name="twice"):
    """Nothing to fit."""

    columns: tuple[str, ...] = param((), "Columns.")
    fitted = False

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        return {name: column * 2 for name, column in columns.items()}  # type: ignore[operator]


CALLS: list[tuple[str, ...]] = []


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Split, Run]:
    run = make_run(tmp_path_factory.mktemp("run"), schema=SCHEMA)
    draw = np.random.default_rng(0)
    columns: dict[str, Any] = {name: draw.normal(size=60).round(3) for name in NAMES}
    table = make_table(run, {**columns, "y": ["n", "p"] * 30}, parts=3)
    codes = np.resize([1, 1, 3], 60)
    return Split.of(table, {"holdout": codes}, run), run


def one_by_one(features: Mapping[str, Any], split: Split, run: Run) -> tuple[Transform, ...]:
    """Fit each feature on what the ones before it made."""
    done: tuple[Transform, ...] = ()
    for label, feature in features.items():
        seen = split.with_steps(done)
        inputs = feature.inputs(list(next(iter(seen.batches())).features))
        summary = None
        for batch in seen.batches() if feature.fitted else ():
            found = feature.summarise({name: batch.features[name] for name in inputs})
            summary = found if summary is None else feature.merge(summary, found)
        done = (*done, Transform(feature, inputs, feature.finish(summary), label))
    return done


FEATURES = st.lists(
    st.builds(
        lambda kind, columns, to: kind(columns=tuple(columns), **({"to": to} if kind in (Centre, Keep) else {})),
        st.sampled_from([Centre, Keep, Onto, Twice]),
        st.sampled_from([["a"], ["b"], ["a", "b"], ["*"], ["a*"], ["*b"], ["c"]]),
        st.sampled_from(["", "_x", "b"]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FEATURES)
@example([Onto(columns=("a",)), Centre(columns=("c",))])  # a column replaced that the feature did not read
@example([Keep(columns=("a",), to="b"), Centre(columns=("*b",))])  # a pattern that matches more after the first one
@example([Keep(columns=("a",), to="_x"), Centre(columns=("a_x",))])
def test_features_fitted_together_are_those_fitted_one_by_one(split: tuple[Split, Run], features: list[Any]) -> None:
    labelled = {f"f{i}": feature for i, feature in enumerate(features)}
    try:
        expected = one_by_one(labelled, *split)
    except Exception as error:  # a column that an earlier feature took away
        with pytest.raises(type(error)):
            fit_features(labelled, *split)
        return
    found = fit_features(labelled, *split)
    assert [(t.label, t.inputs, t.state) for t in found] == [(t.label, t.inputs, t.state) for t in expected]


class Scans:
    """Counts how often the training rows are read whole: once per look at all pieces."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, whole = 0, Split.pieces

        def pieces(split: Split) -> list[Split]:
            self.count += 1
            return whole(split)

        monkeypatch.setattr(Split, "pieces", pieces)


@pytest.mark.parametrize(
    ("features", "passes"),
    [
        ([Centre(columns=("a",)), Centre(columns=("b",)), Keep(columns=("c",), to="_x")], 1),
        ([Centre(columns=("a",)), Centre(columns=("a",))], 2),
        ([Twice(columns=("a",)), Centre(columns=("a",)), Centre(columns=("b",))], 1),
        ([Centre(columns=("a",)), Twice(columns=("a",)), Centre(columns=("a",))], 2),
        ([Keep(columns=("a",), to="_x"), Centre(columns=("a_x",)), Centre(columns=("b",))], 2),
        ([Twice(columns=("a", "b"))], 0),
    ],
)
def test_features_take_as_few_passes_as_their_order_allows(
    split: tuple[Split, Run], monkeypatch: pytest.MonkeyPatch, features: list[Any], passes: int
) -> None:
    scans = Scans(monkeypatch)
    fit_features({f"f{i}": feature for i, feature in enumerate(features)}, *split)
    assert scans.count == passes


def test_features_see_training_rows_only(split: tuple[Split, Run]) -> None:
    seen, run = split
    (transform,) = fit_features({"f": Centre(columns=("a",))}, seen, run)
    values, codes = seen.table.read(["a"])["a"], seen.codes()
    assert transform.state["a"] == pytest.approx(values[codes == 1].mean())
    assert transform.state["a"] != pytest.approx(values.mean())


def test_only_the_phases_that_are_asked_for_are_scored(split: tuple[Split, Run]) -> None:
    seen, run = split
    scored: list[int] = []

    def score(columns: Columns) -> dict[str, Any]:
        scored.append(len(columns["a"]))
        return {"score": np.full(len(columns["a"]), 0.5)}

    found = predict(seen, score, ["valid", "test"], run)
    assert sum(scored) == found.table.rows == 20
    assert [part.phase for part in found.slices()] == ["test"]
    rows = found.table.read(["row"])["row"]
    assert rows.tolist() == np.flatnonzero(seen.codes() == 3).tolist()
    with pytest.raises(DataError, match="no rows of the phases"):
        predict(seen, score, ["valid"], run)


# Whole runs, of the project ``shop``


def engine(bench: Any, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> Engine:
    monkeypatch.setenv("MODELWAY_WORKSPACE", str(bench.root))
    monkeypatch.setenv("MODELWAY_ACTOR", "tester")
    monkeypatch.delenv("MODELWAY_PLUGINS", raising=False)
    return Engine.open("shop", overrides)


def test_a_model_carries_rows_that_prove_it(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(bench, monkeypatch)
    outcome = made.run(made.plan())
    model = made.load(outcome.steps["scoring"])
    assert len(model.golden["rows"]) == 20
    assert model.self_test() < 1e-12
    assert set(model.golden["rows"][0]) == {"visits", "pages", "minutes", "device"}
    predictions = made.load(outcome.steps["predictions"])
    scored = predictions.table.read(["row", "score"])
    score = dict(zip(scored["row"].tolist(), scored["score"].tolist(), strict=True))
    split = made.load(outcome.steps["split"])
    tested = np.flatnonzero(split.codes() == 3)[:20].tolist()
    expected = [score[row] for row in tested]
    assert expected == pytest.approx(model.golden["scores"], abs=1e-12)
    changed = {**model.golden, "scores": [value + 0.1 for value in model.golden["scores"]]}
    assert replace(model, golden=changed).self_test() == pytest.approx(0.1)


def test_what_comes_out_is_the_same_whether_steps_before_it_were_cached_or_computed(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value at hand and one read back from the store have the same columns in the same order."""
    made = engine(bench, monkeypatch)
    first = made.run(made.plan())
    digests = {name: manifest.digest for name, manifest in first.steps.items()}
    at_hand = list(made.load(first.steps["split"]).schema.columns)
    assert at_hand == ["visits", "pages", "minutes", "device", "bought"]
    for name in ("split", "features", "model", "predictions", "scoring"):
        again = engine(bench, monkeypatch)
        plan = again.plan(force=True)
        only = replace(plan, steps=tuple(
            p if p.step.name == name else found for p, found in zip(plan.steps, again.plan().steps, strict=True)
        ))  # fmt: skip
        second = again.run(only)
        assert {n: m.digest for n, m in second.steps.items()} == digests
        assert set(second.steps) - set(second.cached) == {name}


def test_a_run_is_summed_up_in_the_ledger(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    made = engine(bench, monkeypatch)
    made.listener = told.append
    outcome = made.run(made.plan(), note="why")
    row = made.ledger.run(outcome.run)
    assert (row["status"], row["note"], row["actor"]) == ("done", "why", "tester")
    assert {s["metric"] for s in outcome.summary("metrics")["measured"]} == {"hits", "auc"}
    assert outcome.summary("source")["rows"] == 400
    assert outcome.summary("nothing") == {}
    steps = made.ledger.steps(outcome.run)
    assert [step["name"] for step in steps] == list(outcome.steps)
    assert all(step["status"] == "ran" and step["peak"] > 0 for step in steps)
    kinds = [event.kind for event in told]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert kinds.count("step_finished") == len(outcome.steps)
    assert "promoted" in kinds
    assert outcome.champion
    assert outcome.version is not None


def test_a_refused_model_is_on_record_and_no_version(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(bench, monkeypatch, "gates.good.at_least=1.1")
    with pytest.raises(GateError, match="good: hits is") as caught:
        made.run(made.plan())
    run = made.ledger.runs(limit=1)[0]
    assert run["status"] == "refused"
    assert run["id"] in caught.value.where
    assert made.ledger.versions("shop") == []
    with pytest.raises(GateError):  # cached, it refuses just the same
        made.run(made.plan())


def test_a_first_version_that_another_run_was_faster_with_is_a_version_and_no_error(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELWAY_WORKSPACE", str(bench.root))
    engine = Engine.open("shop")
    point = engine.ledger.point

    def slow(project: str, alias: str, number: int, why: str, expected: Any) -> None:
        engine.ledger.point = point  # type: ignore[method-assign]  # stands in for a race
        point(project, alias, engine.ledger.register(project, "another", "", "r")["number"], "faster", expected)
        point(project, alias, number, why, expected)

    engine.ledger.point = slow  # type: ignore[method-assign, assignment]  # stands in for a race
    outcome = engine.run(engine.plan())
    assert (outcome.status, outcome.champion) == ("done", False)
    assert engine.ledger.aliases("shop") == {"champion": 2}


def test_an_output_that_nobody_made_is_told(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="artifact 0000.* is not in the store"):
        engine(bench, monkeypatch).artifact("0" * 64)


def test_bundles_are_laid_down_whole(bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from modelway.engine import unpack

    made = engine(bench, monkeypatch)
    outcome = made.run(made.plan())
    root = unpack(made.store, outcome.steps["package"], tmp_path / "out" / "bundle")
    assert (root / "title.txt").read_text().startswith("first\n20 golden rows")
    unpack(made.store, outcome.steps["package"], root)
    monkeypatch.setattr(Store, "open", lambda *_: tmp_path / "absent")
    with pytest.raises(StoreError, match="cannot be unpacked"):
        unpack(made.store, outcome.steps["package"], tmp_path / "out" / "other")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bundle"]


def test_a_holder_that_is_gone_is_known_to_be_dead() -> None:
    name = holder()
    assert not dead(name)
    host, pid, _, chance = name.rsplit("|", 3)
    assert dead(f"{host}|{pid}|another birth|{chance}")
    assert not dead(f"elsewhere|{pid}|another birth|{chance}")


def test_a_process_of_another_host_is_not_known_to_be_dead() -> None:
    host, _, *rest = holder().split("|")
    assert dead("|".join([host, "4194305", *rest]))
    assert not dead("|".join([f"{host}x", "4194305", *rest]))


def test_the_peak_of_a_stretch_is_its_own() -> None:
    large = np.ones(16_000_000)
    before = meter.peak()
    del large
    measured = meter.Meter()
    assert measured.read()["peak"] <= before
    assert meter.version_of("No_Such.Distribution") == "absent"
