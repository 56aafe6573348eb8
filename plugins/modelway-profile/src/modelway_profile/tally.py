"""How often values occur: exact up to a number of distinct values, then the frequent ones within a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway_profile.packing import pack, unpack

if TYPE_CHECKING:
    from modelway_profile.packing import Array

#: Distinct numbers up to which each is counted.
NUMBERS = 2048


def cut(counts: Array, capacity: int) -> int:
    """Return what to take off every count so that at most ``capacity`` stay above zero; 0 if they fit.

    Misra and Gries' summary, merged as Agarwal and others do ("Mergeable Summaries", 2012): a count is too small by
    the sum of what was taken off, at most rows / (capacity + 1), however rows were grouped.
    """
    import numpy as np

    if len(counts) <= capacity:
        return 0
    place = len(counts) - capacity - 1
    return int(np.partition(counts, place)[place])


@dataclass(frozen=True)
class Numbers:
    """Distinct numbers, sorted, with their counts; ``error`` is by how much a count may be too small (0: exact)."""

    values: Array
    counts: Array
    error: int = 0

    @classmethod
    def of(cls, values: Array, counts: Array, error: int = 0) -> Numbers:
        """Keep the frequent ones of sorted distinct values."""
        off = cut(counts, NUMBERS)
        if off:
            kept = counts > off
            values, counts = values[kept], counts[kept] - off
        return cls(values, counts, error + off)

    def joined(self, later: Numbers) -> tuple[Array, Array]:
        """Return the distinct values of both and their counts, however many."""
        import numpy as np

        values = np.concatenate([self.values, later.values])
        order = np.argsort(values, kind="stable")
        values, counts = values[order], np.concatenate([self.counts, later.counts])[order]
        if not len(values):
            return values, counts
        first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        return values[first], np.add.reduceat(counts, first)

    def merge(self, later: Numbers) -> Numbers:
        """Return the counts of both."""
        return Numbers.of(*self.joined(later), self.error + later.error)

    def plain(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"values": pack(self.values, "<f8"), "counts": pack(self.counts, "<i8"), "error": self.error}

    @classmethod
    def restore(cls, body: dict[str, Any]) -> Numbers:
        """Read what ``plain`` wrote."""
        return cls(unpack(body["values"], "<f8"), unpack(body["counts"], "<i8"), body["error"])
