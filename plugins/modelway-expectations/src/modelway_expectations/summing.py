"""What a column of numbers holds, by period: a summary in which each quantile can be read, and which merges exactly.

A value is counted under the first 24 bits of its binary form: sign, exponent, and 12 bits of its fraction. So a
quantile is read to within one part in 4096 towards zero, and exactly where values are whole numbers up to 8192; the
summary does not depend on the order of rows or on how they were cut. It is the logarithmic histogram of DDSketch
(Masson, Rim, Lee: DDSketch, VLDB 2019), with the floating point's own buckets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_SHIFT = 40


@dataclass
class Summary:
    """Some rows of one period.

    Attributes:
        rows: How many there are. gone: How many of them have no value.
        total: The sum of the values.
        buckets: Number of values by bucket, in ascending order of values.
        first: Position of the first row. lost: Positions of the first few rows without a value.
        seen: Distinct values or their codes, up to as many as are asked about.
    """

    rows: int = 0
    gone: int = 0
    total: float = 0.0
    buckets: dict[int, int] = field(default_factory=dict)
    first: int = 0
    lost: tuple[int, ...] = ()
    seen: set[Any] = field(default_factory=set)

    @property
    def held(self) -> int:
        """Number of values."""
        return self.rows - self.gone

    def plus(self, later: Summary, few: int, distinct: int) -> Summary:
        """Return the summary of these rows followed by later ones.

        Args:
            later: Summary of the later rows.
            few: Most positions to keep.
            distinct: How many distinct values are asked about.
        """
        buckets = dict(self.buckets)
        for bucket, count in later.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
        seen = self.seen if len(self.seen) >= distinct else self.seen | later.seen
        return Summary(
            self.rows + later.rows, self.gone + later.gone, self.total + later.total, buckets,
            self.first if self.rows else later.first, (self.lost + later.lost)[:few], seen,
        )  # fmt: skip

    def quantile(self, q: float) -> float:
        """Return the smallest value that a share ``q`` of the values does not exceed, as its bucket's end near zero."""
        import math

        wanted, count = max(math.ceil(q * self.held), 1), 0
        for bucket in sorted(self.buckets):
            count += self.buckets[bucket]
            if count >= wanted:
                return value_of(bucket)
        return math.nan

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return self.total / self.held


def buckets_of(values: Array) -> Array:
    """Return the bucket of each value, int64, in the order of the values."""
    import numpy as np

    bits = (values.astype(np.float64) + 0.0).view(np.int64)
    return np.where(bits < 0, -((bits & np.int64(2**63 - 1)) >> _SHIFT), bits >> _SHIFT)


def value_of(bucket: int) -> float:
    """Return the value of a bucket that is nearest to zero."""
    import struct

    value: float = struct.unpack("<d", struct.pack("<q", abs(bucket) << _SHIFT))[0]
    return -value if bucket < 0 else value
