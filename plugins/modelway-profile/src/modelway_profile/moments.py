"""Mean and spread of numbers, alone and against the target, as sums that merge.

Merged by the formula of Chan, Golub and LeVeque (1983). These are the only fields of a profile that are floating-point
sums: equal batches in equal order give equal bytes, and other batches agree to about 1e-12 of the values' size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from modelway_profile.packing import Array
    from modelway_profile.target import Target


@dataclass(frozen=True)
class Moments:
    """Rows, mean, and sum of squared deviations from it."""

    rows: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Array) -> Self:
        """Summarise finite values."""
        if not len(values):
            return cls()
        mean = float(values.mean())
        off = values - mean
        return cls(len(values), mean, float((off * off).sum()))

    def merge(self, later: Moments) -> Moments:
        """Return the moments of both."""
        if not (self.rows and later.rows):
            return self if self.rows else later
        rows, apart = self.rows + later.rows, later.mean - self.mean
        share = later.rows / rows
        return Moments(
            rows,
            self.mean + apart * share,
            self.squares + later.squares + apart * apart * self.rows * share,
        )

    def plain(self) -> list[Any]:
        """Return plain JSON; a sum that overflowed is None."""
        return [self.rows, finite(self.mean), finite(self.squares)]

    @classmethod
    def restore(cls, body: list[Any]) -> Self:
        """Read what ``plain`` wrote."""
        return cls(body[0], *(math.nan if value is None else value for value in body[1:]))


@dataclass(frozen=True)
class Joint:
    """Moments of a column and a numeric target over the rows that have both, and their co-moment."""

    x: Moments = Moments()
    y: Moments = Moments()
    product: float = 0.0

    @classmethod
    def of(cls, x: Array, target: Target) -> Self:
        """Summarise finite values with their target."""
        y = target.values
        assert y is not None
        if target.known is not None:
            x, y = x[target.known], y[target.known]
        a, b = Moments.of(x), Moments.of(y)
        return cls(a, b, float(((x - a.mean) * (y - b.mean)).sum()))

    def merge(self, later: Joint) -> Joint:
        """Return the moments of both."""
        x, y = self.x.merge(later.x), self.y.merge(later.y)
        product = self.product + later.product
        if self.x.rows and later.x.rows:
            share = self.x.rows * later.x.rows / x.rows
            product += (later.x.mean - self.x.mean) * (later.y.mean - self.y.mean) * share
        return Joint(x, y, product)

    def pearson(self) -> float | None:
        """Return Pearson's correlation; None where one of the two does not vary."""
        size = (self.x.squares * self.y.squares) ** 0.5
        return max(-1.0, min(1.0, self.product / size)) if 0 < size < math.inf and math.isfinite(self.product) else None

    def plain(self) -> list[Any]:
        """Return plain JSON."""
        return [self.x.plain(), self.y.plain(), finite(self.product)]

    @classmethod
    def restore(cls, body: list[Any]) -> Self:
        """Read what ``plain`` wrote."""
        return cls(Moments.restore(body[0]), Moments.restore(body[1]), math.nan if body[2] is None else body[2])


def finite(value: float) -> float | None:
    """Return a number, or None where it overflowed."""
    return float(value) if math.isfinite(value) else None


def by_class(x: Array, target: Target) -> dict[str, Moments]:
    """Return the moments of a column's finite values in each class of the target."""
    import numpy as np

    codes = target.codes
    assert codes is not None
    if target.known is not None:
        x, codes = x[target.known], codes[target.known]
    rows = np.bincount(codes, minlength=len(target.labels))
    means = np.bincount(codes, weights=x, minlength=len(rows)) / np.maximum(rows, 1)
    squares = np.bincount(codes, weights=(x - means[codes]) ** 2, minlength=len(rows)) if len(x) else 0.0 * rows
    found = zip(target.labels, rows.tolist(), means.tolist(), squares.tolist(), strict=True)
    return {label: Moments(count, mean, square) for label, count, mean, square in found if count}


def pearson_of_classes(negative: Moments, positive: Moments) -> float | None:
    """Return Pearson's correlation with a target that is 1 in one class and 0 in the other."""
    both: Moments = negative.merge(positive)
    if not (negative.rows and positive.rows and 0 < both.squares < math.inf):
        return None
    share = math.sqrt(negative.rows * positive.rows / both.rows / both.squares)
    return max(-1.0, min(1.0, (positive.mean - negative.mean) * share))
