"""Predictions, scores, verdicts, findings and bundles: kept and read back, summed up as people read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelway import (
    Bundle,
    Directory,
    Finding,
    Findings,
    Predictions,
    Profile,
    Reason,
    Score,
    Scores,
    Verdict,
)
from modelway.testing import make_run, make_table
from modelway.values import dumps


@pytest.mark.parametrize(
    "value",
    [
        Scores((Score(0.5, 0.4, 0.6, 10, 0.5, {"curve": [[0.0, 1.0]]}, "auc", "only", "test"),), {"auc": False}),
        Scores((Score(None, metric="auc"),)),
        Verdict((Reason("floor", True, "It passes.", 0.9, 0.8), Reason("champion", False, "It does not."))),
        Findings((Finding("min", "a", 3, "warn", (1, 2), (-1.5, "x", None), "at least 0"),), 10, 4),
        Profile({"a": {"rows": 3}}),
    ],
)
def test_a_value_comes_back_as_it_was_kept(value: Any, tmp_path: Path) -> None:
    value.save(Directory(tmp_path))
    assert type(value).load(Directory(tmp_path)) == value


def test_predictions_come_in_slices_of_one_fold_and_phase(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    columns = {
        "row": [0, 1, 2, 3, 4],
        "fold": ["a", "a", "b", "b", "a"],
        "phase": ["test", "valid", "test", "test", "test"],
        "label": [0.0, 1.0, 1.0, 0.0, 1.0],
        "score": [0.1, 0.9, 0.8, 0.2, 0.7],
    }
    predictions = Predictions(make_table(run, columns, parts=2), "binary", (0, 1))
    slices = {(s.fold, s.phase): s.columns["row"].tolist() for s in predictions.slices()}  # type: ignore[union-attr]
    assert slices == {("a", "test"): [0, 4], ("a", "valid"): [1], ("b", "test"): [2, 3]}
    folder = Directory(tmp_path / "kept")
    folder.blobs = run.blobs
    predictions.save(folder)
    assert Predictions.load(folder) == predictions


def test_the_score_of_several_classes_is_a_matrix_in_the_classes_order(tmp_path: Path) -> None:
    columns: Any = {f"score_{i}": np.full(2, i / 10) for i in range(11)}
    table = make_table(make_run(tmp_path), columns)
    made = Predictions(table, "multiclass", tuple(range(11)), columns=columns)
    assert made.score[0].tolist() == [i / 10 for i in range(11)]
    assert made.weight is None


def _folds(*values: float | None) -> Scores:
    return Scores(tuple(Score(v, metric="auc", fold=f"f{i}", phase="test") for i, v in enumerate(values)))


def test_folds_are_summed_up_as_mean_and_spread() -> None:
    assert _folds(0.8, 0.9, 1.0).spread("auc") == pytest.approx({"mean": 0.9, "std": 0.1, "folds": 3})
    assert _folds(0.8, None).spread("auc") == pytest.approx({"mean": 0.8, "std": 0.0, "folds": 1})
    assert _folds(None).value("auc") is None
    assert _folds(0.8).value("f1") is None
    assert _folds(0.8).value("auc", "valid") is None


def test_a_verdict_passes_when_every_gate_does_and_findings_when_nothing_says_stop() -> None:
    good, bad = Reason("a", True, ""), Reason("b", False, "")
    assert [Verdict(reasons).passed for reasons in ((good,), (good, bad))] == [True, False]
    items = [Finding("min", "a", 1, severity) for severity in ("warn", "stop")]
    assert [Findings(tuple(items[:n])).passed for n in (0, 1, 2)] == [True, True, False]


def test_a_bundle_keeps_every_file_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "bundle" / "deep").mkdir(parents=True)
    (tmp_path / "bundle" / "deep" / "a.bin").write_bytes(b"a")
    folder = Directory(tmp_path / "kept")
    Bundle(tmp_path / "bundle", {"name": "x"}).save(folder)
    assert folder.path("files/deep/a.bin").read_bytes() == b"a"
    assert Bundle.load(folder).about == {"name": "x"}


def test_the_order_of_keys_is_part_of_a_value() -> None:
    assert (
        dumps({"b": np.float64(1.5), "a": np.array([1, 2])}) == b'{"b":1.5,"a":[1,2]}' == dumps({"b": 1.5, "a": [1, 2]})
    )
    with pytest.raises(TypeError, match="object is not JSON"):
        dumps({"a": object()})


def test_a_folder_below_a_folder_has_names_of_its_own(tmp_path: Path) -> None:
    folder = Directory(tmp_path)
    folder.put("a.json", b"{}")
    folder.sub("x").put_json("a.json", {"b": 1})
    assert folder.sub("x").names() == ["a.json"]
    assert folder.names() == ["a.json", "x/a.json"]
    assert folder.sub("x").get_json("a.json") == {"b": 1}
