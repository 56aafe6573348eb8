"""Metrics of predicted values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway_metrics.sampled import Rows, Sampled, Statistic, mean, weighted_mean

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array

NAN = float("nan")


def _errors(rows: Rows) -> Array:
    return rows.label - rows.score


def _variance(values: Array, weight: Array) -> float:
    return weighted_mean((values - weighted_mean(values, weight)) ** 2, weight)


def _same(rows: Rows) -> str:
    """Say that a share of the target's variance is not defined, where the target does not vary."""
    return "Not defined: all rows have the same target" if rows.label.min() == rows.label.max() else ""


@dataclass(frozen=True, kw_only=True)
class MSE(Sampled, name="mse"):
    """Mean squared error, in the target's unit squared.

    As ``sklearn.metrics.mean_squared_error``.
    """

    tasks = ("regression",)
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Square the errors."""
        return mean(_errors(rows) ** 2, rows)


@dataclass(frozen=True, kw_only=True)
class RMSE(Sampled, name="rmse"):
    """Root of the mean squared error, in the target's unit.

    As ``sklearn.metrics.root_mean_squared_error``.
    """

    tasks = ("regression",)
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Square the errors."""
        squares = _errors(rows) ** 2
        return Statistic(lambda weight: weighted_mean(squares, weight) ** 0.5, rows.weights)


@dataclass(frozen=True, kw_only=True)
class MAE(Sampled, name="mae"):
    """Mean absolute error, in the target's unit.

    As ``sklearn.metrics.mean_absolute_error``.
    """

    tasks = ("regression",)
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Take the errors' sizes."""
        return mean(abs(_errors(rows)), rows)


@dataclass(frozen=True, kw_only=True)
class MAPE(Sampled, name="mape"):
    """Mean absolute error relative to the target: 0.1 is ten percent.

    A target of zero counts as 2.2e-16, so that the value is finite and very large. As
    ``sklearn.metrics.mean_absolute_percentage_error``.
    """

    tasks = ("regression",)
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Relate the errors to the targets."""
        import numpy as np

        zeros = int((rows.label == 0).sum())
        note = f"The target is zero in {zeros} rows, which decide the value" if zeros else ""
        return mean(abs(_errors(rows)) / np.maximum(abs(rows.label), np.finfo(np.float64).eps), rows, note=note)


@dataclass(frozen=True, kw_only=True)
class R2(Sampled, name="r2"):
    """Coefficient of determination: 1 minus the squared error relative to that of the mean.

    Not defined where the target does not vary. As ``sklearn.metrics.r2_score``.
    """

    tasks = ("regression",)

    def prepare(self, rows: Rows) -> Statistic:
        """Square the errors."""
        squares, label = _errors(rows) ** 2, rows.label

        def value(weight: Array) -> float:
            spread = _variance(label, weight)
            return 1 - weighted_mean(squares, weight) / spread if spread else NAN

        note = _same(rows)
        return Statistic((lambda weight: NAN) if note else value, rows.weights, note=note)


@dataclass(frozen=True, kw_only=True)
class ExplainedVariance(Sampled, name="explained_variance"):
    """One minus the variance of the errors relative to that of the target; a constant bias costs nothing.

    Not defined where the target does not vary. As ``sklearn.metrics.explained_variance_score``.
    """

    tasks = ("regression",)

    def prepare(self, rows: Rows) -> Statistic:
        """Take the errors."""
        errors, label = _errors(rows), rows.label

        def value(weight: Array) -> float:
            spread = _variance(label, weight)
            return 1 - _variance(errors, weight) / spread if spread else NAN

        note = _same(rows)
        return Statistic((lambda weight: NAN) if note else value, rows.weights, note=note)


@dataclass(frozen=True, kw_only=True)
class MedianAbsoluteError(Sampled, name="median_absolute_error"):
    """Median of the errors' sizes, in the target's unit; few large errors do not move it.

    Where half of the weight lies exactly on each side, the mean of both neighbours (Hyndman and Fan 1996, definition
    2). As ``sklearn.metrics.median_absolute_error``.
    """

    tasks = ("regression",)
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Sort the errors' sizes."""
        import numpy as np

        sizes = abs(_errors(rows))
        order = np.argsort(sizes, kind="stable")
        sizes = sizes[order]

        def value(weight: Array) -> float:
            below = np.cumsum(weight)
            half = below[-1] / 2
            place = min(int(np.searchsorted(below, half)), len(sizes) - 1)
            if below[place] - half > np.finfo(np.float64).eps:
                return float(sizes[place])
            following = min(int(np.searchsorted(below, below[place], "right")), len(sizes) - 1)
            return float((sizes[place] + sizes[following]) / 2)

        return Statistic(value, rows.weights[order])


@dataclass(frozen=True, kw_only=True)
class MaxError(Sampled, name="max_error"):
    """Largest size of an error, in the target's unit; weights have no say.

    A resample never exceeds the value, so that the interval ends at it. As ``sklearn.metrics.max_error``.
    """

    tasks = ("regression",)
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Sort the errors' sizes."""
        import numpy as np

        sizes = np.sort(abs(_errors(rows)))
        return Statistic(lambda weight: float(sizes[weight.nonzero()[0][-1]]), np.ones(len(sizes), dtype=np.int64))
