"""Quantiles of a column, as a summary that merges: exact while small, then a sketch with a bound on its rank error.

Why our own: a fit must be byte-equal from run to run, and must say how far off it may be. Apache DataSketches' KLL and
REQ sketches flip coins that cannot be seeded, so two runs over one file gave different medians; a t-digest repeats
itself but has no bound on its rank error. This one compacts deterministically, as Manku, Rajagopalan and Lindsay do
("Approximate Medians and other Quantiles in One Pass and with Limited Memory", 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelway_features.columnwise import Array

#: Distinct values up to which quantiles are exact.
EXACT = 100_000
#: Values that a level may hold before it is compacted.
CAPACITY = 32_768


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of a column's values.

    Up to ``EXACT`` distinct values, each is kept with its count, and a quantile equals numpy's (method ``linear``)
    for any cut of the rows. Beyond, level h holds values that stand for 2**h rows each; a level of more than
    ``CAPACITY`` values is sorted and every second one moves up a level, the odd and the even ones in turn.

    A compaction of level h moves a rank by at most 2**h rows, and the next one there moves it the other way, so one
    of two counts towards ``error``. Each takes at least ``CAPACITY * 2**h`` rows, and a row passes a level once: n rows
    cost each of the log2(n / CAPACITY) + 1 levels at most n / CAPACITY in whatever shape summaries are merged, and
    about half of that one after the other. So a quantile's rank is off by at most 0.02 % of a million rows, 0.05 % of a
    thousand million. Memory grows by 256 KiB with each doubling of the rows.

    Attributes:
        rows: Number of values; low and high: the smallest and the largest, always exact.
        values: Sorted distinct values, while exact; counts: how often each occurs.
        levels: Values of each level, once it is a sketch.
        compactions: How often each level was compacted.
        error: Bound on the error of a rank, in rows; 0 while exact.
    """

    rows: int
    low: float
    high: float
    values: Array
    counts: Array
    levels: tuple[Array, ...] = ()
    compactions: tuple[int, ...] = ()
    error: int = 0

    @classmethod
    def of(cls, values: Array) -> Quantiles:
        """Summarise values without NaN, shape (rows,)."""
        import numpy as np

        distinct, counts = np.unique(values + 0.0, return_counts=True)  # + 0.0: one zero, not two
        low, high = (float(distinct[0]), float(distinct[-1])) if len(distinct) else (inf, -inf)
        return cls(len(values), low, high, distinct, counts)._bounded()

    @property
    def exact(self) -> bool:
        """Whether every distinct value is held."""
        return not self.levels

    @property
    def rank_error(self) -> float:
        """Bound on the error of a quantile's rank, as a fraction of the rows."""
        return self.error / self.rows if self.rows else 0.0

    def merge(self, later: Quantiles) -> Quantiles:
        """Return the summary of both."""
        import numpy as np

        if not (self.rows and later.rows):
            return self if self.rows else later
        rows, low, high = self.rows + later.rows, min(self.low, later.low), max(self.high, later.high)
        if self.exact and later.exact:
            values = np.concatenate([self.values, later.values])
            order = np.argsort(values, kind="stable")
            values, counts = values[order], np.concatenate([self.counts, later.counts])[order]
            first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
            return Quantiles(rows, low, high, values[first], np.add.reduceat(counts, first))._bounded()
        a, b = self._spread(), later._spread()
        depth = max(len(a), len(b))
        nothing = np.empty(0)
        pairs = [[side[h] if h < len(side) else nothing for side in (a, b)] for h in range(depth)]
        done = [sum(side[h] for side in (self.compactions, later.compactions) if h < len(side)) for h in range(depth)]
        levels = [np.concatenate(pair) for pair in pairs]
        return _compact(rows, low, high, levels, done, self.error + later.error)

    def quantiles(self, shares: tuple[float, ...]) -> list[float]:
        """Return the quantiles at shares between 0 and 1, interpolated between neighbours.

        The formula is that of numpy's ``quantile`` with method ``linear``: position (n - 1) * share.
        """
        import numpy as np

        if self.exact:
            values, counts = self.values, self.counts
        else:
            values = np.concatenate(self.levels)
            counts = np.concatenate([np.full(len(level), 1 << h) for h, level in enumerate(self.levels)])
            order = np.argsort(values, kind="stable")
            values, counts = values[order], counts[order]
        ranks = np.cumsum(counts)

        def at(rank: int) -> float:
            if rank <= 0:
                return self.low
            return self.high if rank >= self.rows - 1 else float(values[np.searchsorted(ranks, rank, side="right")])

        found = []
        for share in shares:
            position = (self.rows - 1) * share
            below = floor(position)
            a, b, t = at(below), at(below + 1), position - below
            if a == b or t == 0:
                found.append(a)
            else:
                found.append(b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t)
        return found

    def _bounded(self) -> Quantiles:
        if len(self.values) <= EXACT:
            return self
        levels = self._spread()
        return _compact(self.rows, self.low, self.high, levels, [0] * len(levels), self.error)

    def _spread(self) -> list[Array]:
        """Return the levels; a value that occurs c times goes to the levels of c's binary digits, without error."""
        if not self.exact:
            return list(self.levels)
        digits = int(self.counts.max()).bit_length()
        return [self.values[(self.counts >> h) & 1 == 1] for h in range(digits)]


def _compact(rows: int, low: float, high: float, levels: list[Array], done: list[int], error: int) -> Quantiles:
    import numpy as np

    h = 0
    while h < len(levels):
        if len(levels[h]) > CAPACITY:
            level = np.sort(levels[h])
            even, offset = len(level) // 2 * 2, done[h] % 2
            if h + 1 == len(levels):
                levels.append(np.empty(0))
                done.append(0)
            levels[h + 1] = np.concatenate([levels[h + 1], level[offset:even:2]])
            levels[h], done[h] = level[even:], done[h] + 1
            error += 0 if offset else 1 << h
        h += 1
    nothing = np.empty(0)
    return Quantiles(rows, low, high, nothing, np.empty(0, dtype=np.int64), tuple(levels), tuple(done), error)
