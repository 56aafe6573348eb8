"""Counts of numbers, and of their target, in bins that every batch agrees on.

A bin's edges are whole multiples of a power of two (``Grid.even``) or the numbers with few digits in binary
(``Grid.digits``), so that bins of two batches are equal or nest, and the counts of a union are exactly the sums of the
counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway_profile.packing import pack, unpack
from modelway_profile.target import union

if TYPE_CHECKING:
    from modelway_profile.packing import Array
    from modelway_profile.target import Target

#: Bins of equal width that a column has at most; at least half as many, unless its values are too close to tell apart.
EVEN = 256
# Bits of a float64 that its bin does not see: 4 of the mantissa stay, 16 bins for each doubling
_BLIND = 48


@dataclass(frozen=True)
class Grid:
    """Rows by bin.

    Attributes:
        step: Bins are ``2**step`` wide; None: bins of equal leading digits.
        bins: Number of each bin that is not empty, int64, sorted: its lower edge in steps.
        table: Rows, rows with a target, then rows of each class or the sum of the target; shape (bins, 2 + labels).
        labels: The classes; None: no target, or one that cannot be related.
    """

    step: int | None
    bins: Array
    table: Array
    labels: tuple[str, ...] | None

    @classmethod
    def even(cls, values: Array, low: float, high: float, target: Target | None) -> Grid:
        """Count finite values in bins of equal width."""
        import numpy as np

        if not len(values):
            return cls(None, np.empty(0, np.int64), np.empty((0, 2)), _labels(target))
        step = _step(low, high)
        places = np.floor(_scaled(values, -step)).astype(np.int64)
        if low < 0:
            places[(values < 0) & (places == 0)] = -1  # so close to zero that scaling lost it
        return cls._of(step, places, int(places.min()), target)

    @classmethod
    def digits(cls, values: Array, target: Target | None) -> Grid:
        """Count finite values by sign, power of two and the next four binary digits."""
        import numpy as np

        if not len(values):
            return cls(None, np.empty(0, np.int64), np.empty((0, 2)), _labels(target))
        places = np.abs(values).view(np.int64) >> _BLIND
        places = np.where(values < 0, -places, places)
        return cls._of(None, places, int(places.min()), target)

    @classmethod
    def _of(cls, step: int | None, places: Array, first: int, target: Target | None) -> Grid:
        import numpy as np

        places = places - first
        rows = np.bincount(places)
        held = np.flatnonzero(rows)
        if target is None:
            sums = np.zeros((len(held), 1))
        elif len(rows) <= 4 * EVEN:
            sums = target.sums(places, len(rows))[held]
        else:  # most bins are empty
            order = np.zeros(len(rows), dtype=np.int64)
            order[held] = np.arange(len(held))
            sums = target.sums(order[places], len(held))
        table = np.concatenate([rows[held, None].astype(np.float64), sums], axis=1)
        return cls(step, held + first, table, _labels(target))

    def merge(self, later: Grid) -> Grid:
        """Return the counts of both."""
        import numpy as np

        if not (len(self.bins) and len(later.bins)):
            full, other = (self, later) if len(self.bins) else (later, self)
            labels = None if full.labels is None or other.labels is None else full.labels
            return full if labels is not None else full.unrelated()
        a, b = self, later
        if a.step is not None and b.step is not None:
            step = max(a.step, b.step)
            a, b = a.coarse(step), b.coarse(step)
            while max(a.bins[-1], b.bins[-1]) - min(a.bins[0], b.bins[0]) >= EVEN:
                step += 1
                a, b = a.coarse(step), b.coarse(step)
        if a.labels is None or b.labels is None:
            a, b, labels = a.unrelated(), b.unrelated(), None
        else:
            labels = union(a.labels, b.labels)
            a, b = a._labelled(labels), b._labelled(labels)
        bins, table = _combined(np.concatenate([a.bins, b.bins]), np.concatenate([a.table, b.table]))
        return Grid(a.step, bins, table, labels)

    def coarse(self, step: int) -> Grid:
        """Return the same counts in bins ``2**step`` wide."""
        assert self.step is not None
        if step == self.step:
            return self
        bins, table = _combined(self.bins >> min(63, step - self.step), self.table)
        return Grid(step, bins, table, self.labels)

    def unrelated(self) -> Grid:
        """Return the counts without the target."""
        import numpy as np

        table = np.concatenate([self.table[:, :1], np.zeros((len(self.table), 1))], axis=1)
        return Grid(self.step, self.bins, table, None)

    def _labelled(self, labels: tuple[str, ...]) -> Grid:
        return Grid(self.step, self.bins, relabelled(self.table, self.labels or (), labels), labels)

    def edges(self) -> Array:
        """Return the edges of the bins of equal width from the first to the last, empty ones included."""
        import numpy as np

        assert self.step is not None
        most = np.finfo(np.float64).max
        with np.errstate(over="ignore"):  # the last edge may lie beyond the largest float
            return np.clip(_scaled(np.arange(self.bins[0], self.bins[-1] + 2.0), self.step), -most, most)

    def plain(self) -> dict[str, Any]:
        """Return plain JSON."""
        labels = None if self.labels is None else list(self.labels)
        return {"step": self.step, "bins": pack(self.bins, "<i8"), "table": rows_of(self.table), "labels": labels}

    @classmethod
    def restore(cls, body: dict[str, Any]) -> Grid:
        """Read what ``plain`` wrote."""
        import numpy as np

        labels = None if body["labels"] is None else tuple(body["labels"])
        table = np.asarray(body["table"], dtype=np.float64).T if body["table"] else np.empty((0, 2))
        return cls(body["step"], unpack(body["bins"], "<i8"), table, labels)


def _labels(target: Target | None) -> tuple[str, ...] | None:
    return None if target is None else target.labels


def _scaled(values: Array, power: int) -> Array:
    """Return values times 2**power, exactly: in two steps where one factor would overflow."""
    half = power // 2
    made: Array = values * 2.0**half * 2.0 ** (power - half)
    return made


def _step(low: float, high: float) -> int:
    """Return the power of two that makes at most ``EVEN`` bins, and bins no narrower than a float can tell apart."""
    largest = max(abs(low), abs(high))
    finest = math.frexp(largest)[1] - 53 if largest else -1000
    width = high / EVEN - low / EVEN
    step = max(finest, math.frexp(width)[1] - 2 if width > 0 else finest, -1000)
    while _place(high, step) - _place(low, step) >= EVEN:
        step += 1
    return step


def _place(value: float, step: int) -> int:
    place = math.floor(math.ldexp(value, -step))
    return -1 if value < 0 and place == 0 else place  # so close to zero that scaling lost it


def _combined(bins: Array, table: Array) -> tuple[Array, Array]:
    import numpy as np

    order = np.argsort(bins, kind="stable")
    bins, table = bins[order], table[order]
    first = np.flatnonzero(np.concatenate([[True], bins[1:] != bins[:-1]]))
    return bins[first], np.add.reduceat(table, first, axis=0)


def relabelled(table: Array, before: tuple[str, ...], after: tuple[str, ...]) -> Array:
    """Return a table of counts by class with the columns of other classes put in, as zeros."""
    import numpy as np

    if before == after:
        return table
    made = np.zeros((len(table), 2 + len(after)))
    made[:, :2] = table[:, :2]
    for i, label in enumerate(before):
        made[:, 2 + after.index(label)] = table[:, 2 + i]
    return made


def rows_of(table: Array) -> list[list[int | float]]:
    """Return a table's columns as plain JSON, counts as whole numbers."""
    return [[int(x) if x.is_integer() else x for x in column.tolist()] for column in table.T] if len(table) else []
