"""Count, mean, variance and range of a column, as a summary that merges."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelway_features.columnwise import Array


@dataclass(frozen=True)
class Moments:
    """Count, mean, sum of squared deviations from the mean, smallest and largest value.

    Merging follows Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances" (1979): stable where the mean is large beside the spread, unlike sums of squares.
    """

    rows: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = inf
    high: float = -inf

    @classmethod
    def of(cls, values: Array) -> Moments:
        """Summarise finite values, shape (rows,)."""
        if not len(values):
            return cls()
        import numpy as np

        with np.errstate(over="ignore", invalid="ignore"):  # whoever fits sees that the result is not finite
            mean = float(values.mean())
            away = values - mean
            away *= away
            squares = float(away.sum())
        return cls(len(values), mean, squares, float(values.min()), float(values.max()))

    def merge(self, later: Moments) -> Moments:
        """Return the summary of both."""
        if not (self.rows and later.rows):
            return self if self.rows else later
        rows = self.rows + later.rows
        step = later.mean - self.mean
        mean = self.mean + step * (later.rows / rows)
        squares = self.squares + later.squares + step * step * (self.rows * later.rows / rows)
        return Moments(rows, mean, squares, min(self.low, later.low), max(self.high, later.high))

    @property
    def deviation(self) -> float:
        """Standard deviation of the population (divided by the count)."""
        return sqrt(self.squares / self.rows) if self.rows else 0.0
