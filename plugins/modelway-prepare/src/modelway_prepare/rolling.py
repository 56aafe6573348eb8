"""Sums, counts and extremes over windows of time, per entity, as whole arrays.

Rows are put in order of entity, time and place in the table. A window is then a range of ordered rows, found by binary
search, and a sum over it a difference of two cumulative sums. Those carry the rounding error of every addition beside
them (TwoSum, Knuth, The Art of Computer Programming 2, 4.2.2; as cumulative sums: Ogita, Rump and Oishi, Accurate sum
and dot product, 2005), so that a difference of large sums keeps the digits of a small window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ordered:
    """Rows in order of entity, time, and place in the table.

    Attributes:
        order: Place in the table of each ordered row, shape (rows,).
        entity: Entity code of each ordered row, shape (rows,).
        rank: Rank of its time among the distinct ones, shape (rows,).
        times: Distinct times in order, int64.
    """

    order: Array
    entity: Array
    rank: Array
    times: Array

    @classmethod
    def of(cls, entity: Array, times: Array) -> Ordered:
        """Put rows in order.

        Args:
            entity: Code of each row's entity, int64 from 0, shape (rows,).
            times: Time of each row, int64, shape (rows,).
        """
        import numpy as np

        by_time = None if bool((times[1:] >= times[:-1]).all()) else np.argsort(times, kind="stable")
        if by_time is not None:
            times, entity = times[by_time], entity[by_time]
        new = _first(times)
        rank = np.cumsum(new) - 1
        bits = max(len(times).bit_length(), 1)
        # Distinct by construction, so that any sort is a stable one; and one of whole numbers is the quickest.
        key = (entity << bits) | np.arange(len(times))
        key.sort()
        place = key & ((1 << bits) - 1)
        return cls(place if by_time is None else by_time[place], key >> bits, rank[place], times[new])

    @cached_property
    def _bits(self) -> int:
        return len(self.times).bit_length()

    @cached_property
    def _base(self) -> Array:
        """Number of each ordered row's entity, above the bits of a rank; in 32 bits where it fits: quicker."""
        import numpy as np

        dense = np.cumsum(_first(self.entity)) - 1
        small = (len(dense) and int(dense[-1]) + 1) << self._bits < 2**31
        made: Array = (dense << self._bits).astype(np.int32 if small else np.int64)
        return made

    @cached_property
    def _key(self) -> Array:
        made: Array = self._base | self.rank.astype(self._base.dtype)
        return made

    def before(self, back: int, *, equal: bool) -> Array:
        """Return, for each ordered row at time t, the first one of its entity that is not before ``t - back``.

        Args:
            back: Distance in units of the times, 0 or more.
            equal: Whether rows of that very instant count as before it.
        """
        import numpy as np

        bound = np.searchsorted(self.times, self.times - back, side="right" if equal else "left")
        first: Array = np.searchsorted(self._key, self._base | bound.astype(self._base.dtype)[self.rank])
        return first

    def until(self, entity: Array, times: Array) -> Array:
        """Return, for other rows, the first ordered row after those of their entity at or before their time.

        Args:
            entity: Codes as those of the ordered rows, shape (others,).
            times: int64, shape (others,).
        """
        import numpy as np

        bound, key = np.searchsorted(self.times, times, side="right"), (self.entity << self._bits) | self.rank
        return np.searchsorted(key, (entity << self._bits) | bound)

    def windows(self, width: int, delay: int, *, itself: bool) -> tuple[Array, Array]:
        """Return each ordered row's window as a range of ordered rows, start and end.

        Args:
            width: Length of the window, above 0.
            delay: What it lies back, 0 or more.
            itself: True for ``(t - delay - width, t - delay]``, without rows that stand later in the table; False for
                ``[t - delay - width, t - delay)``.
        """
        import numpy as np

        start = self.before(width + delay, equal=itself)
        if itself and not delay:
            return start, np.arange(1, len(start) + 1)
        return start, self.before(delay, equal=itself)


def _first(ordered: Array) -> Array:
    """Return which rows have another value than the one before."""
    import numpy as np

    new = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new


class Sums:
    """Cumulative sums of ordered values, of which differences are exact to about twice the digits of a float64.

    Args:
        values: Finite float64 values, shape (rows,).
        rest: What each value lacks to be exact, or None.
    """

    def __init__(self, values: Array, rest: Array | None = None) -> None:
        import numpy as np

        self.total = np.zeros(len(values) + 1)
        np.cumsum(values, out=self.total[1:])
        error = _lost(self.total[:-1], values, self.total[1:])
        self.error = np.zeros(len(values) + 1)
        np.cumsum(error if rest is None else error + rest, out=self.error[1:])

    def __call__(self, start: Array, end: Array) -> Array:
        """Return the sum of each range of ordered rows."""
        return self.pair(start, end)[0]

    def pair(self, start: Array, end: Array) -> tuple[Array, Array]:
        """Return the sum of each range of ordered rows, and what it lacks to be exact."""
        a, b = self.total[end], self.total[start]
        sums: Array = a - b
        rest = self.error[end] - self.error[start] + _lost(a, -b, sums)
        made: Array = sums + rest
        return made, rest - (made - sums)


def _lost(a: Array, b: Array, total: Array) -> Array:
    """Return what the rounding of ``total = a + b`` lost, exactly (TwoSum)."""
    part = total - a
    lost: Array = (a - (total - part)) + (b - part)
    return lost


def product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return products, and what their rounding lost, exactly (TwoProduct: Dekker, 1971, with Veltkamp's splitting)."""
    (x, y), (u, v) = _halves(a), _halves(b)
    made: Array = a * b
    return made, ((x * u - made) + x * v + y * u) + y * v


def _halves(a: Array) -> tuple[Array, Array]:
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


def deviations(values: Array, sums: Sums, start: Array, end: Array) -> Array:
    """Return the sample standard deviation of each range of values; NaN where it has fewer than two.

    The variance is ``(n * sum(x^2) - sum(x)^2) / (n * (n - 1))``, with twice the digits, since its terms nearly cancel.
    Where even those may not do, it is computed from the values themselves.
    """
    import numpy as np

    squares, n = Sums(*product(values, values)), (end - start).astype(np.float64)
    (total, rest), (square, lacking) = sums.pair(start, end), squares.pair(start, end)
    a, a_rest = product(n, square)
    b, b_rest = product(total, total)
    difference = (a - b) + ((a_rest + n * lacking) - (b_rest + 2 * total * rest))
    changes = np.concatenate([[0], np.cumsum(values[1:] != values[:-1])])
    several = n > 1
    several[several] = changes[end[several] - 1] > changes[start[several]]
    made = np.where(n > 1, 0.0, np.nan)
    np.sqrt(difference / np.where(several, n * (n - 1), 1), out=made, where=several & (difference > 0))
    # The sums of squares are wrong by up to 2^-106 of all before them for each value.
    bound = n * len(values) * squares.total[end] * 2.0**-75
    for place in np.flatnonzero(several & ~(difference > bound)).tolist():
        made[place] = np.std(values[start[place] : end[place]], ddof=1)
    return made


def largest(values: Array, start: Array, end: Array) -> Array:
    """Return the largest value of each range of values, -inf where a range is empty.

    Each range is covered by two of a power of two values; their maxima are made by doubling, one power at a time.
    """
    import numpy as np

    result = np.full(len(start), -np.inf)
    width = end - start
    power = np.frexp(np.maximum(width, 1).astype(np.float64))[1] - 1
    level, span = values, 1
    for exponent in range(int(power.max(initial=0)) + 1):
        rows = np.flatnonzero((power == exponent) & (width > 0))
        result[rows] = np.maximum(level[start[rows]], level[end[rows] - span])
        if len(level) > span:
            level = np.maximum(level[:-span], level[span:])
        span *= 2
    return result


class Placed:
    """The values of ordered rows, missing ones left out, with their cumulative sums.

    Args:
        values: float64, shape (rows,); NaN is missing.
    """

    def __init__(self, values: Array) -> None:
        import numpy as np

        gone = np.isnan(values)
        self.values, self.before = values, None
        if gone.any():
            self.values, self.before = values[~gone], np.concatenate([[0], np.cumsum(~gone)])
        self.sums = Sums(self.values)

    def over(self, functions: Sequence[str], start: Array, end: Array) -> dict[str, Array]:
        """Return functions over ranges of ordered rows; all but ``count`` are NaN where a range holds no value."""
        import numpy as np

        if self.before is not None:
            start, end = self.before[start], self.before[end]
        count = end - start
        empty, made = count == 0, {"count": count}
        total = self.sums(start, end) if {"sum", "mean"} & set(functions) else None
        for function in functions:
            if function == "sum" and total is not None:
                made["sum"] = np.where(empty, np.nan, total)
            elif function == "mean" and total is not None:
                made["mean"] = np.where(empty, np.nan, total / np.maximum(count, 1))
            elif function == "std":
                made["std"] = deviations(self.values, self.sums, start, end)
            elif function in ("min", "max"):
                sign = -1.0 if function == "min" else 1.0
                made[function] = np.where(empty, np.nan, sign * largest(sign * self.values, start, end))
        return {function: made[function] for function in functions}
