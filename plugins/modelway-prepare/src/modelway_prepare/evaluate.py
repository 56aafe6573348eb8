"""Expressions over columns, computed alike in training and in a service."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway import Category, ConfigError, DataError, Expression

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


@lru_cache(maxsize=4096)
def parsed(text: str, where: str) -> Expression:
    """Return the parsed expression; a service asks for the same ones at every request.

    Raises:
        ConfigError: it does not parse, or reads no column.
    """
    expression = Expression(text, where=where)
    if not expression.columns:
        raise ConfigError(f"The expression '{text}' reads no column", where=where)
    return expression


def evaluate(expression: Expression, columns: Mapping[str, Array | Category], rows: int) -> Array | Category:
    """Compute an expression: booleans stay so, other numbers become float64, text a ``Category``.

    Whole numbers and booleans enter as float64, as they do in a service, so that nothing overflows in one place only. A
    difference of times is in seconds.

    Args:
        expression: What to compute.
        columns: Its columns, and maybe others.
        rows: Number of rows.

    Raises:
        DataError: a column is absent, or of a kind that the expression cannot use.
    """
    import numpy as np

    needed = {name: _number(columns[name]) for name in expression.columns if name in columns}
    result: Array = np.asarray(_computed(expression, needed))
    if result.ndim == 0:
        result = np.full(rows, result)
    if result.dtype.kind == "m":
        return result / np.timedelta64(1, "s")
    if result.dtype.kind in "iuf":
        return result.astype(np.float64, copy=False)
    return _number(Category.of(result.tolist())) if result.dtype.kind in "USO" else result


def _computed(expression: Expression, columns: Mapping[str, Array | Category]) -> Any:
    import numpy as np

    try:
        return expression(columns)
    except DataError:
        # A category without one value may be of numbers, as in a request that leaves it out.
        blank = {n: np.full(len(c), np.nan) for n, c in columns.items() if isinstance(c, Category) and not c.values}
        if not blank:
            raise
        return expression({**columns, **blank})


def _number(column: Array | Category) -> Array | Category:
    import numpy as np

    if not isinstance(column, Category):
        return column.astype(np.float64, copy=False) if column.dtype.kind in "biuf" else column
    if not column.values or not all(isinstance(value, (bool, int, float)) for value in column.values):
        return column
    return np.asarray([*column.values, np.nan], dtype=np.float64)[column.codes]
