"""Keys: columns whose values together name a group, as whole numbers in order of first appearance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array: TypeAlias = np.ndarray[Any, Any]


def encoded(columns: Sequence[pa.ChunkedArray]) -> tuple[Array, Array]:
    """Encode the rows of key columns.

    Args:
        columns: Columns of equal length.

    Returns:
        An int64 array of shape (rows,), 0 for the first key that occurs, 1 for the next; and a boolean array,
        which rows lack a part of their key. Missing values (null, NaN) are equal to each other.
    """
    import numpy as np
    import pyarrow as pa

    codes, gone = np.zeros(len(columns[0]), np.int64), np.zeros(len(columns[0]), bool)
    for number, column in enumerate(columns):
        own, values = dictionary(column)
        if None in values[-1:].to_pylist() or values.null_count:
            blank = np.flatnonzero(np.asarray(values.is_null()))
            gone |= np.isin(own, blank)
        codes = codes * max(len(values), 1) + own
        if number:  # dense again, so that many columns cannot overflow
            codes = dictionary(pa.chunked_array([pa.array(codes)]))[0]
    return codes, gone


def dictionary(column: pa.ChunkedArray) -> tuple[Array, pa.Array]:
    """Return the int64 codes of a column's rows, and its distinct values, null included, as they first appear."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), pc.add(column, pa.scalar(0.0, kind)))  # no -0.0
    found = pc.dictionary_encode(column, null_encoding="encode")
    if not found.num_chunks:
        return np.zeros(0, np.int64), pa.array([], kind)
    codes = np.concatenate([np.asarray(chunk.indices, dtype=np.int64) for chunk in found.chunks])
    return codes, found.chunk(found.num_chunks - 1).dictionary


def alike(left: pa.ChunkedArray, right: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return the left column's values followed by the right one's, as one type.

    Raises:
        DataError: the types cannot be compared.
    """
    import pyarrow as pa

    left, right = (c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in (left, right))
    kind = left.type
    if right.type != kind:
        types = pa.types
        groups: tuple[tuple[Callable[[pa.DataType], bool], ...], ...] = (
            (types.is_integer, types.is_floating),
            (types.is_string, types.is_large_string, types.is_string_view),
            (types.is_timestamp, types.is_date),
        )
        if not any(all(any(holds(t) for holds in group) for t in (kind, right.type)) for group in groups):
            raise DataError(
                f"Column '{name}' is {kind} in one table and {right.type} in the other, so no key can match",
                where="keys",
                mend="Cast one of them first",
            )
        try:
            right = right.cast(kind)
        except pa.ArrowException:
            kind = right.type
            left = left.cast(kind)
    return pa.chunked_array([*left.chunks, *right.chunks], kind)


def sample(columns: Sequence[pa.ChunkedArray], names: Sequence[str], rows: Iterable[int]) -> str:
    """Write the keys of a few rows for a message."""
    return "; ".join(
        ", ".join(f"{name} = {column[int(row)].as_py()}" for name, column in zip(names, columns, strict=True))
        for row in rows
    )
