"""Rules across columns, row by row.

A row passes where a column that the expression reads is missing, as a CHECK constraint of SQL passes on NULL: that a
value may be missing is ``nullable``'s to say. An expression that calls ``isnull`` speaks of missing values itself and
is taken as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelway import Expression, from_arrow, missing

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def broken(expression: Expression, table: pa.Table) -> np.ndarray[Any, Any]:
    """Return a boolean array: which rows of the table break the rule.

    Raises:
        DataError: a column that the expression cannot compute with.
    """
    import numpy as np

    columns = from_arrow(table.select(list(expression.columns)))
    kept = np.asarray(expression(columns)).astype(bool)
    bad = np.broadcast_to(~kept, (table.num_rows,))
    if expression.asks_missing:
        return bad
    gone = [missing(column) for column in columns.values()]
    return bad & ~np.logical_or.reduce(gone) if gone and bad.any() else bad
