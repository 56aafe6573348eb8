"""What the engine tells a metric, and keeps of what it measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelway import Category, Metric, Predictions, Run, Score, Scores
from modelway.engine.stages import measure
from modelway.testing import make_run, make_table


@dataclass(frozen=True, kw_only=True)
class Pair(Metric, name="pair"):
    """Two values, and a point that it chooses on every phase but the last."""

    lower_is_better = True

    def measure(self, predictions: Predictions, run: Run) -> Scores:
        point = run.chosen if predictions.phase == "test" else {"phase": predictions.phase, "fold": predictions.fold}
        told = run.chosen.get("phase", "nothing")
        scores = {"gain": Score(1.0, detail={"operating_point": point, "told": told}), "cost": Score(2.0)}
        return Scores.named(scores, lower=("cost",) if predictions.task == "binary" else ())


def measured(path: Path, task: str = "binary") -> Scores:
    """Measure rows of two folds, whose phases stand in no order."""
    run = make_run(path)
    folds = Category(np.repeat(np.arange(2, dtype=np.int32), 6), ("a", "b"))
    phases = Category(np.tile(np.arange(3, dtype=np.int32), 4), ("test", "train", "valid"))
    columns = {"row": np.arange(12), "fold": folds, "phase": phases, "label": np.zeros(12), "score": np.zeros(12)}
    predictions = Predictions(make_table(run, columns), task, (0, 1))  # type: ignore[arg-type]  # the task is a parameter
    return measure({"p": Pair()}, [predictions], run)


def test_a_metric_is_told_what_it_chose_on_the_phase_before_of_the_same_fold(tmp_path: Path) -> None:
    gains = [score for score in measured(tmp_path).entries if score.metric == "p.gain"]
    assert [(score.fold, score.phase, score.detail["told"]) for score in gains] == [
        (fold, phase, told)
        for fold in "ab"
        for phase, told in (("train", "nothing"), ("valid", "train"), ("test", "valid"))
    ]
    assert [score.detail["operating_point"] for score in gains if score.phase == "test"] == [
        {"phase": "valid", "fold": "a"},
        {"phase": "valid", "fold": "b"},
    ]


def test_each_value_of_a_metric_says_whether_less_is_better(tmp_path: Path) -> None:
    assert measured(tmp_path).lower_is_better == {"p.gain": False, "p.cost": True}
    assert measured(tmp_path, "multiclass").lower_is_better == {"p.gain": True, "p.cost": True}
