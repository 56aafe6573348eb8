"""How often good accounts are contacted, at every threshold at once.

An account is contacted by its first alert, and again by the first alert that comes at least the contact period after
the last contact. Which alerts those are depends on the threshold, and not in order: a higher threshold can mean more
contacts. So that no threshold is scanned by itself, whole ranges of thresholds that share their last contact are
followed together: a range splits where its next alert is not the same for all, and ends where no alert comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


def count(level: Array, time: Array, start: Array, levels: int, period: int | None) -> Array:
    """Count contacts at each threshold.

    Args:
        level: Shape (rows,): a row alerts at thresholds 0 to ``level - 1``; rows are ordered by account and time.
        time: Shape (rows,): int64.
        start: Shape (accounts + 1,): the first row of each account, and the number of rows.
        levels: Number of thresholds.
        period: Time after a contact in which an account is not contacted again, in units of ``time``; None: never.

    Returns:
        Shape (levels,): contacts of all accounts together, int64.
    """
    import numpy as np

    if period == 0:
        return at_least(level, levels)
    if period is None:
        return at_least(np.maximum.reduceat(level, start[:-1]), levels) if len(level) else np.zeros(levels, np.int64)
    change = np.zeros(levels + 1, dtype=np.int64)
    windows = _windows(level, int(np.diff(start).max(initial=0)), levels)
    place, end = start[:-1], start[1:]
    low, high = np.zeros(len(place), dtype=np.int64), np.full(len(place), levels, dtype=np.int64)
    while len(place):
        found = _first_above(windows, place, low)
        held = found < end
        found, low, high, end = found[held], low[held], high[held], end[held]
        top = level[found].astype(np.int64)
        upto = np.minimum(high, top)
        change += np.bincount(low, minlength=levels + 1) - np.bincount(upto, minlength=levels + 1)
        split = top < high
        again = first_from(time, time[found] + period, found + 1, end)
        place = np.concatenate([again, found[split] + 1])
        low, high = np.concatenate([low, top[split]]), np.concatenate([upto, high[split]])
        end = np.concatenate([end, end[split]])
        held = place < end
        place, low, high, end = place[held], low[held], high[held], end[held]
        if len(place):
            place, low, high, end = _joined(place, low, high, end)
    return np.cumsum(change)[:levels]


def at_least(level: Array, levels: int, weight: Array | None = None) -> Array:
    """Return, for each threshold i, how many items (or how much weight) have a level above i; shape (levels,)."""
    import numpy as np

    found = np.bincount(level, weight, minlength=levels + 1)
    return np.cumsum(found[::-1])[::-1][1:]


def first_from(time: Array, moment: Array, low: Array, high: Array, *, after: bool = False) -> Array:
    """Find, for each item, the first row of ``low`` to ``high`` (not included) whose time is not before ``moment``.

    Args:
        time: Shape (rows,), never falling within each range.
        moment: Shape (items,).
        low: Shape (items,): first row of the range.
        high: Shape (items,): end of the range; returned where no row is found.
        after: Whether a row must be later than ``moment``.
    """
    import numpy as np

    low, high = low.copy(), high.copy()
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) // 2
        seen = time[np.minimum(middle, len(time) - 1)]
        before = ((seen <= moment) if after else (seen < moment)) & (low < high)
        low, high = np.where(before, middle + 1, low), np.where(before, high, np.minimum(middle, high))
    return low


def _windows(level: Array, longest: int, levels: int) -> list[Array]:
    """Return, for each power of two, the highest level of that many rows from each row on.

    Past the last row stands a level above all, so that a search always ends.
    """
    import numpy as np

    found = [np.append(level, levels + 1).astype(np.int32)]
    while 1 << len(found) <= longest:
        step, last = 1 << (len(found) - 1), found[-1]
        wider = last.copy()
        np.maximum(last[:-step], last[step:], out=wider[:-step])
        wider[-step:] = levels + 1
        found.append(wider)
    return found


def _first_above(windows: list[Array], place: Array, low: Array) -> Array:
    """Find the first row from ``place`` on with a level above ``low``; a row far past the account where none is."""
    import numpy as np

    last = len(windows[0]) - 1
    for power in range(len(windows) - 1, -1, -1):
        skip = windows[power][place] <= low
        place = np.minimum(place + (skip.astype(np.int64) << power), last)
    return place


def _joined(place: Array, low: Array, high: Array, end: Array) -> tuple[Array, Array, Array, Array]:
    """Join neighbouring ranges of thresholds that wait at the same row."""
    import numpy as np

    order = np.lexsort((low, place))
    place, low, high, end = place[order], low[order], high[order], end[order]
    alone = np.ones(len(place), dtype=bool)
    alone[1:] = (place[1:] != place[:-1]) | (low[1:] != high[:-1])
    first = np.flatnonzero(alone)
    last = np.append(first[1:], len(place)) - 1
    return place[first], low[first], high[last], end[first]
