"""What rows of a batch have as their target, and how much of it a column tells on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import Category, missing

if TYPE_CHECKING:
    from modelway import Column
    from modelway_profile.packing import Array

#: Classes of a target up to which columns are related to it.
CLASSES = 64
#: Rows with a target that a relation needs before it means anything.
ENOUGH = 50


@dataclass(frozen=True)
class Target:
    """The target of a batch's rows: classes, or values.

    Attributes:
        labels: Names of the classes, sorted; empty for values.
        codes: Class of each row, int64.
        values: Value of each row, float64.
        known: Which rows have a target; None: all.
    """

    labels: tuple[str, ...] = ()
    codes: Array | None = None
    values: Array | None = None
    known: Array | None = None

    @classmethod
    def of(cls, column: Column, classify: bool) -> Target | None:
        """Read a target column; None where it has more classes than ``CLASSES`` or is a time.

        Args:
            column: The column.
            classify: Whether numbers are classes, too.
        """
        import numpy as np

        gone = missing(column)
        known = None if not gone.any() else ~gone
        if gone.all():  # nothing says what kind it is
            return cls(values=np.zeros(len(column)), known=known)
        if not isinstance(column, Category):
            kind = column.dtype.kind
            if kind not in "biuf":
                return None
            if kind != "b" and not classify:
                values = column.astype(np.float64)
                known = known if np.isfinite(values).all() else np.isfinite(values)
                return cls(values=values, known=known)
            distinct, codes = np.unique(np.where(gone, 0, column), return_inverse=True)
            column = Category(np.where(gone, -1, codes), [name(value) for value in distinct.tolist()])
        if len(column.values) > CLASSES:
            return None
        labels = sorted({str(value) for value in column.values})
        place = np.asarray([labels.index(str(value)) for value in column.values] + [-1])
        return cls(labels=tuple(labels), codes=place[column.codes].astype(np.int64), known=known)

    def rows(self, kept: Array | None) -> Target:
        """Return the target of some rows, by a mask; None: of all."""
        if kept is None:
            return self
        pick = [None if part is None else part[kept] for part in (self.codes, self.values, self.known)]
        return Target(self.labels, *pick)

    def sums(self, places: Array, size: int) -> Array:
        """Return rows with a target by place, and by place their rows of each class, or the sum of their values.

        Shape (size, 1 + labels) for classes and (size, 2) for values.
        """
        import numpy as np

        codes, values = self.codes, self.values
        if self.known is not None:
            places = places[self.known]
            codes, values = (None if part is None else part[self.known] for part in (codes, values))
        if codes is None:
            return np.stack(
                [np.bincount(places, minlength=size), np.bincount(places, weights=values, minlength=size)], axis=1
            )
        count = len(self.labels)
        flat = np.bincount(places * count + codes, minlength=size * count).reshape(size, count)
        return np.concatenate([flat.sum(axis=1, keepdims=True), flat], axis=1).astype(np.float64)


def name(value: Any) -> str:
    """Return the name of a class; booleans and whole floats, which they become with a missing one, are integers."""
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return str(int(value)) if whole else str(value)


def separation(negative: Array, positive: Array) -> float | None:
    """Return the AUC of a score that puts rows into bins, lowest first; ties count half.

    Args:
        negative: Rows of the negative class by bin.
        positive: Rows of the positive class by bin.
    """
    import numpy as np

    pairs = float(negative.sum()) * float(positive.sum())
    if not pairs:
        return None
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / pairs)


def held_out_separation(negative: Array, positive: Array) -> float | None:
    """Return the AUC of each row's bin's rate of positives among the *other* rows of the bin.

    Leaving the row out keeps a column of rare values (an identifier) from separating its own rows by memory; two rows
    of one bin, which the column cannot tell apart, count half.
    """
    import numpy as np

    rows = negative + positive
    if not negative.sum() or not positive.sum():
        return None
    base = positive.sum() / rows.sum()
    others = np.maximum(rows - 1, 1)
    of_positive = np.where(rows > 1, (positive - 1) / others, base)
    of_negative = np.where(rows > 1, positive / others, base)
    scores = np.concatenate([of_positive, of_negative])
    weight = np.concatenate([positive, negative])
    label = np.concatenate([np.ones(len(rows), bool), np.zeros(len(rows), bool)])
    _, bins = np.unique(scores, return_inverse=True)
    found = separation(np.bincount(bins, weights=weight * ~label), np.bincount(bins, weights=weight * label))
    # of two rows of one bin, the negative's other rows hold one positive more, and so it always came out above
    together = float((positive * negative).sum()) / (float(positive.sum()) * float(negative.sum()))
    return None if found is None else found + together / 2


def explained(rows: Array, sums: Array, spread: float | None) -> float | None:
    """Return the share of the target's variance between bins, adjusted for the number of bins.

    The correlation ratio (Pearson, 1905) adjusted as R2 is; for classes Goodman and Kruskal's tau, which is the same
    for two classes.

    Args:
        rows: Rows with a target by bin.
        sums: Rows of each class by bin, shape (bins, classes); or sums of the target, shape (bins, 1).
        spread: Sum of squared deviations of the target's values; None for classes.
    """
    import numpy as np

    held = rows > 0
    rows, sums = rows[held], sums[held]
    count, bins = float(rows.sum()), int(held.sum())
    if count < ENOUGH or count <= bins:
        return None
    mean = sums.sum(axis=0) / count
    between = float((rows[:, None] * (sums / rows[:, None] - mean) ** 2).sum())
    total = count * float(1 - (mean**2).sum()) if spread is None else spread
    if total <= 0:
        return None
    return float(np.clip(1 - (1 - between / total) * (count - 1) / (count - bins), 0.0, 1.0))


def union(a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of both, sorted."""
    return tuple(sorted({*a, *b}))
