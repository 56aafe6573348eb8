"""Rules that cross parts: no key twice, and no fall from row to row. Each part sends what their merge needs.

Uniqueness is exact. Parts send their key columns themselves, so the merge holds the keys of all rows at once, and
nothing of the other columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modelway_pandera.held import Held
from modelway_pandera.tally import Tally

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_ROW = "\0row"


def repeated(parts: Sequence[tuple[int, pa.Table]], limit: int) -> Tally | None:
    """Tally the rows whose key occurs more than once in the table; missing values equal one another.

    Args:
        parts: Keys of consecutive rows, as ``Held.plain`` gives them, each with the position of its first row.
        limit: Most rows and samples to keep.

    Returns:
        None where every key occurs once.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = pa.concat_tables([table for _, table in parts], promote_options="permissive")
    if _plainly_unique(keys):
        return None
    rows = np.concatenate([np.arange(start, start + table.num_rows) for start, table in parts])
    counted = keys.append_column(_ROW, pa.array(rows)).group_by(keys.column_names)
    groups = counted.aggregate([(_ROW, "min"), ([], "count_all")])
    again = groups.filter(pc.greater(groups["count_all"], 1))
    if not again.num_rows:
        return None
    # The first broken rows belong to the groups that begin first, so that a few groups are enough to find them.
    few = again.sort_by(f"{_ROW}_min").slice(0, limit).select(keys.column_names)
    found = np.flatnonzero(_among(keys, few))
    values = keys.column(0).combine_chunks() if keys.num_columns == 1 else keys
    first = Tally.of(found, values, 0, limit)
    return replace(first, count=pc.sum(again["count_all"]).as_py(), rows=tuple(rows[found[:limit]].tolist()))


def _plainly_unique(keys: pa.Table) -> bool:
    """Sort whole numbers, which is many times faster than grouping them; False leaves the answer open."""
    import numpy as np
    import pyarrow as pa

    column = keys.column(0)
    if keys.num_columns != 1 or column.null_count or not pa.types.is_integer(column.type):
        return False
    ordered = np.sort(column.to_numpy())
    return not (ordered[1:] == ordered[:-1]).any()


def _among(keys: pa.Table, few: pa.Table) -> np.ndarray[Any, Any]:
    import numpy as np
    import pyarrow.compute as pc

    found = np.zeros(keys.num_rows, dtype=bool)
    for row in range(few.num_rows):
        same = np.ones(keys.num_rows, dtype=bool)
        for name in keys.column_names:
            value = few[name][row]
            equal = pc.equal(keys[name], value).fill_null(False) if value.is_valid else keys[name].is_null()
            same &= equal.to_numpy()
        found |= same
    return found


@dataclass(frozen=True)
class Order:
    """Whether values fell, in some consecutive rows; missing values are passed over.

    Attributes:
        first: The first value, as an array of one; None where there is none. last: likewise the last.
        row: Position of ``first``.
        falls: Rows whose value is less than the value before.
    """

    first: pa.Array | None = None
    last: pa.Array | None = None
    row: int = 0
    falls: Tally = field(default_factory=lambda: Tally(0))

    @classmethod
    def of(cls, column: Held, offset: int, limit: int) -> Order:
        """Summarise the column of a batch whose first row is at ``offset``."""
        import numpy as np
        import pyarrow.compute as pc

        values = column.plain
        rows = np.arange(len(values)) if not values.null_count else np.flatnonzero(values.is_valid())
        values = values.drop_null()
        if not len(values):
            return cls()
        falls = np.flatnonzero(pc.less(values[1:], values[:-1])) + 1
        tally = Tally.of(falls, values, 0, limit)
        places = tuple((rows[falls[:limit]] + offset).tolist())
        return cls(values[:1], values[-1:], int(rows[0]) + offset, replace(tally, rows=places))

    def plus(self, later: Order, limit: int) -> Order:
        """Return the summary of these rows followed by ``later`` ones."""
        import numpy as np
        import pyarrow.compute as pc

        if self.last is None or later.first is None:
            return later if self.last is None else self
        falls = self.falls
        if pc.less(later.first, self.last)[0].as_py():
            step = Tally.of(np.zeros(1, dtype=np.int64), later.first, later.row, limit)
            falls = falls.plus(step, limit)
        return Order(self.first, later.last, self.row, falls.plus(later.falls, limit))
