"""What every metric here shares: checked rows, and a bootstrap interval around the value.

A metric is prepared once (sorted, counted, subtracted) into a ``Statistic``, a function of row weights. Its value is
the statistic at the declared weights; a resample is the same statistic at weights times how often each row was drawn.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway import DataError, Metric, Predictions, Run, Scores, param

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """The rows of one fold and phase, checked; rows of weight zero are left out.

    Attributes:
        label: Shape (rows,): class numbers (int64), or values (float64) for regression.
        score: Shape (rows,), or (rows, classes) for multiclass, in the floating type that the model gave.
        weight: Shape (rows,), or None where every row counts the same.
        classes: The target's classes; empty for regression.
    """

    label: Array
    score: Array
    weight: Array | None
    classes: tuple[Any, ...]
    task: str

    @classmethod
    def of(cls, predictions: Predictions) -> Rows:
        """Check the rows of predictions.

        Raises:
            DataError: a score that is not a finite number, or a weight that is negative or not finite.
        """
        import numpy as np

        label, score, weight = predictions.label, predictions.score, predictions.weight
        score = score if score.dtype.kind == "f" else score.astype(np.float64)
        odd: Array = np.logical_not(np.isfinite(score).all(axis=tuple(range(1, score.ndim))))
        _refuse(predictions, odd, "score that is not a finite number", "Check what the model returns for this row")
        if weight is not None:
            weight = weight.astype(np.float64)
            odd = ~(np.isfinite(weight) & (weight >= 0))
            _refuse(predictions, odd, "negative or missing weight", "Give every row a weight of zero or more")
            if not weight.all():
                held = weight > 0
                label, score, weight = label[held], score[held], weight[held]
        kind = np.float64 if predictions.task == "regression" else np.int64
        return cls(label.astype(kind, copy=False), score, weight, predictions.classes, predictions.task)

    @property
    def weights(self) -> Array:
        """Shape (rows,): the weights, or ones; these are whole numbers, whose sums are exact and fast."""
        import numpy as np

        return np.ones(len(self.label), dtype=np.int64) if self.weight is None else self.weight

    def named(self, values: Array) -> dict[str, Any]:
        """Return one value per class, by the class's name."""
        return {str(name): value for name, value in zip(self.classes, values.tolist(), strict=True)}


def _refuse(predictions: Predictions, odd: Array, what: str, mend: str) -> None:
    if odd.any():
        first = int(odd.argmax())
        rows: Any = predictions.columns.get("row", range(len(odd)))
        where = " ".join(filter(None, (f"row {rows[first]}", predictions.fold, predictions.phase)))
        raise DataError(f"{int(odd.sum())} of the predictions have a {what}", where=where, mend=mend)


@dataclass(frozen=True)
class Statistic:
    """A metric of some rows, prepared as a function of their weights.

    Attributes:
        value: Takes weights in the order of ``weight``; NaN where the metric is not defined.
        weight: Shape (rows,): the rows' weights, in whatever order suits ``value``.
        counts: Whether ``weight`` holds numbers of rows that are alike, instead of one weight per row.
        threshold: The decision threshold, where there is one.
        note: Why the value is not defined, or what is odd about it.
        detail: What else is worth keeping.
    """

    value: Callable[[Array], float]
    weight: Array
    counts: bool = False
    threshold: float | None = None
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sampled(Metric):
    """A metric with a percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13)."""

    libraries = ("numpy",)

    bootstrap: int = param(200, "Resamples of the rows behind the interval; 0 turns the interval off.", at_least=0)
    confidence: float = param(0.95, "Share of resamples that the interval holds.", above=0, below=1)

    @abstractmethod
    def prepare(self, rows: Rows) -> Statistic:
        """Prepare the metric of at least one row."""

    def measure(self, predictions: Predictions, run: Run) -> Scores:
        """Measure the rows of one fold and phase.

        A value that is not defined is None, with the reason as ``detail["note"]``.

        Raises:
            DataError: a score that is not a finite number, or a weight that is negative or not finite.
        """
        import numpy as np

        rows = Rows.of(predictions)
        support = len(rows.label)
        if not support:
            return Scores.of(None, support=0, detail={"note": "Not defined: no row has a weight"})
        statistic = self.prepare(rows)
        detail = dict(statistic.detail)
        note = statistic.note
        value = float(statistic.value(statistic.weight))
        more: dict[str, float] = {}
        if not np.isfinite(value):
            note = note or "Not defined: the value is not a finite number"
        elif self.bootstrap and support > 1:
            rng = run.rng(run.label, predictions.fold, predictions.phase)
            drawn = resamples(statistic.weight, self.bootstrap, rng, counts=statistic.counts)
            values = np.array([statistic.value(weight) for weight in drawn])
            values = values[np.isfinite(values)]
            detail["interval"] = {"confidence": self.confidence, "resamples": len(values)}
            if 2 * len(values) > self.bootstrap:
                tail = (1 - self.confidence) / 2
                low, high = np.quantile(values, [tail, 1 - tail]).tolist()
                more = {"low": low, "high": high}
            else:
                note = note or "No interval: most resamples hold too few rows of some class"
        if note:
            detail["note"] = note
        defined = value if np.isfinite(value) else None
        return Scores.of(defined, support=support, threshold=statistic.threshold, detail=detail, **more)


def resamples(weight: Array, times: int, rng: np.random.Generator, *, counts: bool = False) -> Iterator[Array]:
    """Yield weights under resamples of the rows, drawn with replacement; ``counts`` as in ``Statistic``."""
    import numpy as np

    if counts:
        total = int(weight.sum())
        yield from rng.multinomial(total, weight / total, size=times)
        return
    rows = len(weight)
    for _ in range(times):
        yield np.bincount(rng.integers(rows, size=rows), minlength=rows) * weight


def mean(loss: Array, rows: Rows, **more: Any) -> Statistic:
    """Prepare the weighted mean of one loss per row."""
    return Statistic(lambda weight: weighted_mean(loss, weight), rows.weights, **more)


def weighted_mean(values: Array, weight: Array) -> float:
    """Return the weighted mean of values.

    The sum is numpy's own, pairwise: exact enough for a hundred million rows, and, unlike a dot product of BLAS, the
    same on any number of threads.
    """
    return float((weight * values).sum() / weight.sum())
