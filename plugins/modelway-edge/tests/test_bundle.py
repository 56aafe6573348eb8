"""An edge bundle scores as training does, alone and offline, and refuses what it must."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from edge_models import CONFIG, rows, scoring_model
from modelway_edge.packager import Edge
from modelway_edge_runtime import BundleError, NotReadyError, RefusedError, Scorer
from modelway_prepare.derive import Derive

from modelway import Bundle, ConfigError, DataError, Feature, Schema, ScoringModel, plain
from modelway.testing import make_run

STEP = ("spans", Derive(columns={"span": "seen - born", "late": "hour(seen) > 12"}))


def packaged(folder: Path, model: ScoringModel, **config: Any) -> Bundle:
    return Edge(**{"parity_rows": 300, **config}).package(model, make_run(folder, task=model.task))


@pytest.fixture(scope="module")
def model() -> ScoringModel:
    return scoring_model(preparers=[STEP])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, model: ScoringModel) -> Bundle:
    return packaged(tmp_path_factory.mktemp("edge"), model)


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.root, tmp_path / "copy"))


@pytest.mark.parametrize(("task", "more"), [
    ("binary", {}), ("multiclass", {}), ("regression", {}),
    ("regression", {"objective": "count:poisson"}), ("regression", {"objective": "reg:absoluteerror"}),
    ("binary", {"booster": "dart", "rate_drop": 0.3}), ("binary", {"max_cat_to_onehot": 100}),
    ("binary", {"max_cat_threshold": 3, "max_depth": 9}), ("binary", {"num_parallel_tree": 3, "subsample": 0.5}),
])  # fmt: skip
def test_every_task_scores_as_training_does(task: str, more: dict[str, Any], tmp_path: Path) -> None:
    from modelway_edge import compiling, parity

    config = CONFIG | {"other": {"use": "category", "columns": [], "unseen": "other"}} if not more else CONFIG
    made = scoring_model(task, config, rounds=10, **more)
    assert compiling.compiled(made).reasons
    root = _written(tmp_path, made)
    given = [{**row, **({"city": f"new {i}"} if i % 7 == 0 else {})} for i, row in enumerate(rows(1500, seed=5))]
    assert parity.difference(made, root, 0) < 1e-5
    expected, found = made.score_records(given)["score"], Scorer(root).score(given)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def _written(folder: Path, model: ScoringModel) -> Path:
    """Return a bundle that was not measured, which is quicker."""
    import modelway_edge.measuring

    quick = dict.fromkeys(("installed_mb", "row_ms", "cold_start_s", "memory_mb"), 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modelway_edge.measuring, "measured", lambda root: quick)
        return packaged(folder, model).root


def test_equal_models_give_equal_bytes(bundle: Bundle, tmp_path: Path) -> None:
    again = _written(tmp_path, scoring_model(preparers=[STEP]))
    for path in sorted(path for path in bundle.root.rglob("*") if path.is_file()):
        other = again / path.relative_to(bundle.root)
        assert path.read_bytes() == other.read_bytes(), path.name


def test_runs_with_onnxruntime_and_numpy_alone(bundle: Bundle, model: ScoringModel) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(bundle.root)!r}); from modelway_edge_runtime import Scorer\n"
        "import json; s = Scorer(); rows = json.load(open(s.root / 'golden.json'))['rows']\n"
        "loaded = {m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(json.dumps([s.score(rows).tolist(), sorted(loaded)]))"
    )
    done = subprocess.run([sys.executable, "-I", "-B", "-c", code], capture_output=True, text=True, check=True)
    scores, modules = json.loads(done.stdout)
    np.testing.assert_allclose(scores, model.golden["scores"], atol=1e-6)
    assert not {"modelway", "modelway_edge", "xgboost", "pandas", "onnx", "pyarrow"} & set(modules)


@pytest.mark.parametrize(("change", "rule"), [
    ({"age": 200}, "max"), ({"age": 1.5}, "type"), ({"age": None}, "nullable"), ({"income": -1.0}, "min"),
    ({"income": float("nan")}, "type"), ({"income": "1"}, "type"), ({"plan": "gold"}, "values"), ({"plan": 3}, "type"),
    ({"grade": 9}, "values"), ({"member": 1}, "type"), ({"seen": "yesterday"}, "type"),
    ({"born": "2020-13-01"}, "type"),
    ({"debt": 1e10}, "feature"), ({"debt": 10**400}, "type"),
])  # fmt: skip
def test_a_row_that_training_would_refuse_is_refused_by_name(bundle: Bundle, change: dict[str, Any], rule: str) -> None:
    scorer, good = Scorer(bundle.root), rows(12)
    for count in (2, 12):  # few rows are checked otherwise than many
        with pytest.raises(RefusedError) as caught:
            scorer.score([*good[: count - 1], {**good[0], **change}])
        (problem,) = caught.value.problems
        assert (problem.row, problem.rule) == (count - 1, rule)
        assert rule == "feature" or problem.field == next(iter(change))


def test_an_absent_field_is_missing_and_an_unknown_one_is_left_out(bundle: Bundle) -> None:
    scorer, row = Scorer(bundle.root), rows(1)[0]
    without = {name: value for name, value in row.items() if name != "income"}
    assert scorer.score([without]) == scorer.score([{**row, "income": None}]) == scorer.score([{**without, "new": 1}])


def test_many_rows_score_as_each_alone(bundle: Bundle) -> None:
    scorer, given = Scorer(bundle.root), rows(5000, seed=2)
    together = scorer.score(given)
    assert [scorer.score([row])[0] for row in given[::250]] == together[::250].tolist()
    assert scorer.score([]).shape == (0,)


@pytest.mark.parametrize(
    "name", ["model.onnx", "schema.json", "golden.json", "run.py", "modelway_edge_runtime/fields.py"]
)
def test_a_part_of_another_bundle_is_refused_at_load(copy: Path, name: str) -> None:
    path = copy / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match=name):
        Scorer(copy)


def test_a_manifest_that_was_changed_is_refused_at_load(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"tolerance": 1e-05', '"tolerance": 1.0'))
    with pytest.raises(BundleError, match="manifest"):
        Scorer(copy)


def test_is_not_ready_where_golden_rows_score_otherwise(model: ScoringModel, tmp_path: Path) -> None:
    root = _written(tmp_path, model)
    golden = json.loads((root / "golden.json").read_text())
    golden["scores"][0] += 1e-3
    _sealed(root, "golden.json", json.dumps(golden))
    scorer = Scorer(root)
    assert not scorer.ready
    with pytest.raises(NotReadyError, match="0.001"):
        scorer.score(rows(1))
    assert _command(root, "check").returncode == 1


def _sealed(root: Path, name: str, text: str) -> None:
    """Write a file and the manifest that goes with it."""
    import hashlib

    from modelway_edge_runtime.scorer import version_of

    (root / name).write_text(text)
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(text.encode()).hexdigest()
    del manifest["version"]
    (root / "manifest.json").write_text(json.dumps({**manifest, "version": version_of(manifest)}))


def _command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", str(root / "run.py"), *arguments], capture_output=True, text=True)


def test_scores_a_file_and_leaves_the_bundle_as_it_was(copy: Path, model: ScoringModel, tmp_path: Path) -> None:
    given = rows(30, seed=9)
    with (tmp_path / "in.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(given[0]))
        writer.writeheader()
        writer.writerows(given)
    assert _command(copy, "check").stdout.startswith("ready: ")
    done = _command(copy, "score", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open() as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(scores, model.score_records(given)["score"], atol=1e-6)
    assert not list(copy.rglob("*.pyc"))


def test_a_file_with_a_refused_row_leaves_no_output(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("age,plan\n41,gold\n")
    done = _command(copy, "score", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    assert done.returncode == 1
    assert "row 0" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_is_not_utf_8_is_told_in_a_sentence(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("city\nMünchen\n".encode("latin-1"))
    done = _command(copy, "score", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "in.csv is no CSV file in UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("column", "seen"), [
    ({"type": "integer"}, [-(2**63), 2**63 - 1]), ({"type": "integer", "min": 1.2}, [2, 3]),
    ({"type": "timestamp"}, ["0001-01-01T00:00:00"]), ({"type": "date"}, ["9999-12-31"]),
])  # fmt: skip
def test_rows_are_made_up_within_what_a_column_may_hold(column: dict[str, Any], seen: list[Any]) -> None:
    from modelway_edge.compiling import entrance
    from modelway_edge.sampling import sampled
    from modelway_edge_runtime.fields import Field

    schema = Schema.of({"columns": {"c": column}})
    model: Any = SimpleNamespace(schema=schema, transforms=(), golden={"rows": [{"c": value} for value in seen]})
    field = Field("c", {**plain(schema.columns["c"]), "enters": entrance(schema.columns["c"])})
    assert [list(field.faults(row["c"])) for row in sampled(model, 300)] == [[]] * 300


def test_golden_rows_that_break_the_schema_refuse_the_bundle(model: ScoringModel, tmp_path: Path) -> None:
    row = {**model.golden["rows"][0], "age": 200}
    with pytest.raises(DataError, match="'age' is 200"):
        packaged(tmp_path, replace(model, golden={**model.golden, "rows": [row, *model.golden["rows"][1:]]}))


@dataclass(frozen=True, kw_only=True)
class Opaque(Feature, name="opaque"):
    """Does what no graph says."""

    fitted = False

    def apply(self, state: Any, columns: Any) -> Any:
        """Return the columns."""
        return dict(columns)


def test_what_cannot_be_compiled_is_named(model: ScoringModel, tmp_path: Path) -> None:
    strange = replace(model.transforms[0], feature=Opaque(), label="mystery")
    with pytest.raises(ConfigError, match="'mystery' cannot be compiled"):
        packaged(tmp_path, replace(model, transforms=(strange, *model.transforms)))


def test_a_model_without_golden_rows_is_refused(model: ScoringModel, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="golden"):
        packaged(tmp_path, replace(model, golden={}))


@pytest.mark.parametrize("budget", ["max_mb", "max_ms_per_row", "max_cold_start_s", "max_memory_mb"])
def test_a_budget_that_is_not_kept_refuses_the_bundle_with_both_numbers(
    model: ScoringModel, budget: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelway_edge import measuring

    found = {"installed_mb": 77.0, "row_ms": 77.0, "cold_start_s": 77.0, "memory_mb": 77.0}
    monkeypatch.setattr(measuring, "measured", lambda root: found)
    with pytest.raises(DataError, match=r"77.*at most 0\.5"):
        packaged(tmp_path, model, **{budget: 0.5})


def test_scores_that_differ_from_training_refuse_the_bundle(model: ScoringModel, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="differ"):
        packaged(tmp_path, model, tolerance=1e-12)


def test_what_is_measured_is_plausible(bundle: Bundle) -> None:
    from modelway_edge.measuring import measured

    found = measured(bundle.root)
    assert 50 < found["installed_mb"] < 140
    assert 20 < found["memory_mb"] < 200
    assert found["golden_difference"] < 1e-6
