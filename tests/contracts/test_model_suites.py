"""Suites of trainers, metrics and gates: a tiny good component passes, rude ones are caught."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import pytest

from modelway import (
    Columns,
    DataError,
    Gate,
    Metric,
    Model,
    Predictions,
    Reason,
    Run,
    Score,
    Scores,
    Split,
    Trainer,
    knob,
    param,
)
from modelway.testing import GateSuite, MetricSuite, TrainerSuite

_COUNTER = itertools.count()


@dataclass(frozen=True)
class Line(Model):
    """A share, moved along one column."""

    base: float
    slope: float
    column: str = "x0"
    salt: int = 0

    def predict(self, columns: Columns) -> dict[str, Any]:
        import numpy as np

        return {"score": np.clip(self.base + self.slope * columns[self.column], 0.0, 1.0)}  # type: ignore[operator]

    def save(self, folder: Any) -> None:
        folder.put_json("line.json", vars(self))

    @classmethod
    def load(cls, folder: Any) -> Self:
        return cls(**folder.get_json("line.json"))


@dataclass(frozen=True, kw_only=True)
class Covariance(Trainer, name="covariance"):
    """A line along the first column."""

    model: ClassVar[type[Model]] = Line
    tasks: ClassVar[tuple[str, ...]] = ("binary",)
    seeded: ClassVar[bool] = False
    phases: tuple[str, ...] = param(("train",), "Phases to read.")
    threads: int = knob(1, "Threads.")

    def fit(self, split: Split, run: Run) -> Model:
        import numpy as np

        batches = [batch for phase in self.phases for batch in split.batches(phase)]
        y = np.concatenate([batch.target for batch in batches])
        x = np.concatenate([batch.features["x0"] for batch in batches])  # type: ignore[misc]
        if len(set(y.tolist())) < 2:
            raise DataError("The training rows are all of one class")
        return self.made(Line(float(y.mean()), float(np.cov(x, y)[0, 1])), run)

    def made(self, line: Line, run: Run) -> Model:
        return line


@dataclass(frozen=True, kw_only=True)
class Peeking(Covariance, name="peeking"):
    """Reads the test rows too."""

    phases: tuple[str, ...] = param(("train", "test"), "Phases to read.")


@dataclass(frozen=True, kw_only=True)
class ByChance(Covariance, name="by_chance"):
    """Is another model each time."""

    def made(self, line: Line, run: Run) -> Model:
        return replace(line, salt=next(_COUNTER))


@dataclass(frozen=True, kw_only=True)
class Seeded(Covariance, name="seeded"):
    """Uses the seed, and says that it does not."""

    def made(self, line: Line, run: Run) -> Model:
        return replace(line, salt=run.seed)


@dataclass(frozen=True, kw_only=True)
class Threaded(Covariance, name="threaded"):
    """Depends on a knob."""

    def made(self, line: Line, run: Run) -> Model:
        return replace(line, salt=self.threads)


@dataclass(frozen=True, kw_only=True)
class Content(Covariance, name="content"):
    """Trains on one class without a word."""

    def fit(self, split: Split, run: Run) -> Model:
        return Line(0.5, 0.0)


@dataclass(frozen=True)
class Unbound(Line):
    """Scores that are no probabilities."""

    def predict(self, columns: Columns) -> dict[str, Any]:
        return {"score": super().predict(columns)["score"] * 3}


@dataclass(frozen=True)
class Positional(Line):
    """Takes the first column for the one that it was trained on."""

    def predict(self, columns: Columns) -> dict[str, Any]:
        return super().predict({"x0": next(iter(columns.values()))})


@dataclass(frozen=True)
class Relative(Line):
    """Compares rows with the others in the batch."""

    def predict(self, columns: Columns) -> dict[str, Any]:
        score = super().predict(columns)["score"]
        return {"score": score / score.max()}


@dataclass(frozen=True)
class Pickled(Line):
    """Keeps itself as a pickle."""

    def save(self, folder: Any) -> None:
        folder.put("line.bin", pickle.dumps(vars(self)))

    @classmethod
    def load(cls, folder: Any) -> Self:
        return cls(**pickle.loads(folder.path("line.bin").read_bytes()))


@dataclass(frozen=True)
class Forgetful(Line):
    """Comes back without its slope."""

    @classmethod
    def load(cls, folder: Any) -> Self:
        return cls(folder.get_json("line.json")["base"], 0.0)


def trainer_of(kind: type[Line], declared: type[Model] | None = None) -> Trainer:
    """Return the good trainer with another model."""

    @dataclass(frozen=True, kw_only=True)
    class Other(Covariance, name="other"):
        """Trains another model."""

        model: ClassVar[type[Model]] = declared or kind

        def made(self, line: Line, run: Run) -> Model:
            return kind(**vars(line))

    return Other()


class CovarianceSuite(TrainerSuite):
    __test__ = False
    component = Covariance()
    knobs: ClassVar[Mapping[str, Any]] = {"threads": 2}


class TestCovariance(CovarianceSuite):
    __test__ = True


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Peeking(), "test_test_rows_do_not_touch_the_model"),
        (ByChance(), "test_the_same_rows_give_the_same_bytes"),
        (Seeded(), "test_says_whether_the_seed_matters"),
        (Threaded(), "test_knobs_do_not_change_the_model"),
        (Content(), "test_training_rows_of_one_class_are_refused"),
        (trainer_of(Unbound), "test_scores_have_the_shape_and_range_of_the_task"),
        (trainer_of(Positional), "test_one_request_is_scored_as_in_a_batch"),
        (trainer_of(Relative), "test_one_request_is_scored_as_in_a_batch"),
        (trainer_of(Pickled), "test_nothing_that_is_kept_executes_when_read"),
        (trainer_of(Forgetful), "test_a_model_that_is_kept_predicts_alike"),
        (trainer_of(Forgetful, Line), "test_says_what_it_trains"),
    ],
)
def test_a_rude_trainer_is_caught(caught: Any, component: Trainer, rule: str) -> None:
    assert caught(CovarianceSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Brier(Metric, name="brier"):
    """Mean squared error of a probability."""

    tasks: ClassVar[tuple[str, ...]] = ("binary",)
    seeded: ClassVar[bool] = False

    def measure(self, predictions: Predictions, run: Run) -> Scores:
        import numpy as np

        weight = predictions.weight
        squares = (predictions.score - predictions.label) ** 2
        return self.made(Scores.of(np.average(squares, weights=weight), support=len(squares)), predictions, run)

    def made(self, scores: Scores, predictions: Predictions, run: Run) -> Scores:
        return scores


@dataclass(frozen=True, kw_only=True)
class First(Brier, name="first"):
    """Depends on the first row."""

    def made(self, scores: Scores, predictions: Predictions, run: Run) -> Scores:
        return Scores.of(predictions.score[0])


@dataclass(frozen=True, kw_only=True)
class Undefined(Brier, name="undefined"):
    """Is not a number."""

    def made(self, scores: Scores, predictions: Predictions, run: Run) -> Scores:
        return Scores.of(float("nan"))


@dataclass(frozen=True, kw_only=True)
class Drawn(Brier, name="drawn"):
    """Draws an interval with numbers that are not the run's."""

    def made(self, scores: Scores, predictions: Predictions, run: Run) -> Scores:
        return Scores.of(scores.entries[0].value, low=next(_COUNTER) / 1e6)


@dataclass(frozen=True, kw_only=True)
class DrawnSecretly(Brier, name="drawn_secretly"):
    """Draws an interval with the run's seed, and says that it does not."""

    def made(self, scores: Scores, predictions: Predictions, run: Run) -> Scores:
        return Scores.of(scores.entries[0].value, low=float(run.rng("low").random()))


@dataclass(frozen=True, kw_only=True)
class Total(Brier, name="total"):
    """Divides by rows without weights and not at all with them."""

    def made(self, scores: Scores, predictions: Predictions, run: Run) -> Scores:
        share = 1.0 if predictions.weight is None else predictions.weight.sum()
        return Scores.of((scores.entries[0].value or 0.0) * share)


@dataclass(frozen=True, kw_only=True)
class Odds(Brier, name="odds"):
    """Divides by the number of positive rows."""

    def made(self, scores: Scores, predictions: Predictions, run: Run) -> Scores:
        return Scores.of(1 / int(predictions.label.sum()))


class TestBrier(MetricSuite):
    component = Brier()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (First(), "test_the_order_of_rows_changes_nothing"),
        (Undefined(), "test_scores_are_finite_or_none_and_can_be_kept"),
        (Drawn(), "test_measuring_twice_gives_the_same"),
        (DrawnSecretly(), "test_measuring_twice_gives_the_same"),
        (Total(), "test_equal_weights_change_nothing"),
        (Odds(), "test_a_slice_of_one_class_is_answered"),
    ],
)
def test_a_rude_metric_is_caught(caught: Any, component: Metric, rule: str) -> None:
    assert caught(MetricSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Floor(Gate, name="floor"):
    """Asks for a value."""

    at_least: float = param(0.8, "Smallest value that passes.")

    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        value = scores.value("auc")
        passed = value is not None and value >= self.at_least
        return Reason(self.name, passed, f"auc is {value}, and must be at least {self.at_least}.", value, self.at_least)


@dataclass(frozen=True, kw_only=True)
class Lenient(Floor, name="lenient"):
    """Passes what was not measured."""

    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        value = scores.value("auc")
        return Reason(self.name, value is None or value >= self.at_least, "It is fine.", value)


@dataclass(frozen=True, kw_only=True)
class Moody(Floor, name="moody"):
    """Says something else each time."""

    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        return replace(super().decide(scores, champion, run), text=f"Decision {next(_COUNTER)}.")


@dataclass(frozen=True, kw_only=True)
class Scribbler(Floor, name="scribbler"):
    """Writes files."""

    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        (run.scratch / "note.txt").write_text("note")
        return super().decide(scores, champion, run)


@dataclass(frozen=True, kw_only=True)
class Mute(Floor, name="mute"):
    """Gives no reason."""

    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        return replace(super().decide(scores, champion, run), text="")


class FloorSuite(GateSuite):
    __test__ = False
    component = Floor()

    def scores(self) -> Scores:
        return Scores((Score(0.9, metric="auc", fold="only", phase="test"),))


class TestFloor(FloorSuite):
    __test__ = True


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Lenient(), "test_a_value_that_was_not_measured_never_passes"),
        (Moody(), "test_decides_the_same_each_time"),
        (Scribbler(), "test_decides_the_same_each_time"),
        (Mute(), "test_passes_good_scores_and_says_why"),
        (Floor(at_least=0.95), "test_passes_good_scores_and_says_why"),
    ],
)
def test_a_rude_gate_is_caught(caught: Any, component: Gate, rule: str) -> None:
    assert caught(FloorSuite, rule, component=component) == {rule}
