"""Columns: a mapping of names to numpy arrays, the form in which features and models see rows.

The same form serves a part of a million rows in training and a request of one row. Text and categories are
``Category``: integer codes into a short list of values, so that encoding costs one lookup per distinct value
instead of one per row. Needs numpy only; pyarrow is used where a caller hands over an arrow table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array: TypeAlias = np.ndarray[Any, Any]


class Category:
    """A text or category column: ``values[codes[i]]`` is row i, and code -1 is a missing value.

    Attributes:
        codes: int32 array of shape (rows,).
        values: The distinct values; their order is the order of the codes.
    """

    __slots__ = ("codes", "values")

    def __init__(self, codes: Array, values: Sequence[Any]) -> None:
        self.codes, self.values = codes, tuple(values)

    @classmethod
    def of(cls, items: Iterable[Any]) -> Category:
        """Encode plain values (None is missing) in order of first appearance."""
        import numpy as np

        known: dict[Any, int] = {}
        codes = [-1 if item is None or item != item else known.setdefault(item, len(known)) for item in items]
        return cls(np.asarray(codes, dtype=np.int32), tuple(known))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Category:
        return Category(self.codes[rows], self.values)

    def recode(self, values: Sequence[Any]) -> Category:
        """Return the column in another vocabulary; what is not in it becomes missing (-1)."""
        import numpy as np

        place = {value: i for i, value in enumerate(values)}
        lookup = np.asarray([place.get(value, -1) for value in self.values] + [-1], dtype=np.int32)
        return Category(lookup[self.codes], values)

    def objects(self) -> Array:
        """Return the values row by row as an object array; missing is None."""
        import numpy as np

        lookup = np.empty(len(self.values) + 1, dtype=object)
        lookup[: len(self.values)] = self.values
        lookup[-1] = None
        return lookup[self.codes]

    def counts(self) -> dict[Any, int]:
        """Return how often each value occurs; missing rows are not counted."""
        import numpy as np

        held = self.codes[self.codes >= 0]
        found = np.bincount(held, minlength=len(self.values))
        return {value: int(n) for value, n in zip(self.values, found, strict=True) if n}


Column: TypeAlias = "Array | Category"
Columns: TypeAlias = "dict[str, Column]"


def length(columns: Mapping[str, Column]) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values()))) if columns else 0


def take(columns: Mapping[str, Column], rows: Any) -> Columns:
    """Select rows by a boolean mask, a slice or an index array."""
    return {name: column[rows] for name, column in columns.items()}


def missing(column: Column) -> Array:
    """Return a boolean array: which rows are missing (null, NaN or NaT)."""
    import numpy as np

    if isinstance(column, Category):
        return column.codes < 0
    if column.dtype.kind == "f":
        return np.isnan(column)
    if column.dtype.kind == "M":
        return np.isnat(column)
    return np.zeros(len(column), dtype=bool)


def from_arrow(table: pa.Table) -> Columns:
    """Turn an arrow table into columns.

    Whole numbers and booleans with missing values become float64 with NaN, text becomes ``Category``,
    timestamps datetime64 with NaT, decimals float64. Numbers without missing values keep their type and,
    where arrow allows, their memory.
    """
    return {name: _from_arrow(table.column(i)) for i, name in enumerate(table.column_names)}


def _from_arrow(column: pa.ChunkedArray) -> Column:
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_string_view(kind):
        column, kind = column.cast(pa.large_string()), pa.large_string()
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if not pa.types.is_dictionary(kind):
            column = column.dictionary_encode()
        array = column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(array, pa.ChunkedArray):  # combine_chunks of no chunks at all
            array = array.chunk(0) if array.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
        codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        return Category(codes, array.dictionary.to_pylist())
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_boolean(kind) and column.null_count:
        column = column.cast(pa.int8())
    if pa.types.is_integer(column.type) and column.null_count:
        column = column.cast(pa.float64())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit))
    plain: Array = column.chunk(0).to_numpy(zero_copy_only=False) if column.num_chunks == 1 else column.to_numpy()
    return plain


def to_arrow(columns: Mapping[str, Column]) -> pa.Table:
    """Turn columns into an arrow table; NaN stays NaN, and Category becomes a dictionary column."""
    import pyarrow as pa

    arrays = {}
    for name, column in columns.items():
        if isinstance(column, Category):
            indices = pa.array(column.codes, mask=column.codes < 0)
            values = pa.array(list(column.values), None if column.values else pa.string())
            arrays[name] = pa.DictionaryArray.from_arrays(indices, values)
        else:
            arrays[name] = pa.array(column)
    return pa.table(arrays)


_NUMPY = {"integer": "float64", "number": "float64", "boolean": "float64", "timestamp": "M8[us]", "date": "M8[D]"}


def from_records(records: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> Columns:
    """Turn JSON-like rows into columns, by the schema's column types; an absent or null field is missing.

    Args:
        records: One mapping per row.
        kinds: Column name to schema type (``integer``, ``number``, ``category``, ...).

    Raises:
        DataError: a value that its column's type cannot hold, with row and column.
    """
    import numpy as np

    columns: Columns = {}
    for name, kind in kinds.items():
        items = [record.get(name) for record in records]
        for row, item in enumerate(items):
            if isinstance(item, (list, tuple, dict)):
                raise DataError(f"{item!r} is not one value", where=f"row {row}, column {name}")
            if kind in ("timestamp", "date") and isinstance(item, (bool, int, float)):
                raise DataError(f"{item!r} is not of type {kind}, as ISO text", where=f"row {row}, column {name}")
        if kind in ("category", "string"):
            columns[name] = Category.of(items)
            continue
        blank = "NaT" if _NUMPY[kind].startswith("M8") else np.nan
        if blank == "NaT":
            items = [_universal(item) if isinstance(item, str) else item for item in items]
        try:
            columns[name] = np.asarray([blank if item is None else item for item in items], dtype=_NUMPY[kind])
        except (TypeError, ValueError, OverflowError):
            row = next(i for i, item in enumerate(items) if not _holds(item, _NUMPY[kind]))
            raise DataError(f"{items[row]!r} is not of type {kind}", where=f"row {row}, column {name}") from None
    return columns


def _universal(text: str) -> str:
    """Return an ISO time that has an offset as the same instant in UTC, without one; numpy knows no offsets."""
    if text[-1:] not in "Zz" and not (len(text) > 10 and ("+" in text[10:] or "-" in text[10:])):
        return text
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None).isoformat()
    except ValueError:
        return text


def _holds(item: Any, dtype: str) -> bool:
    import numpy as np

    try:
        np.asarray(["NaT" if dtype.startswith("M8") else np.nan] if item is None else [item], dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def to_records(columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Turn columns into JSON-like rows: missing is None, times are ISO text; ``from_records`` reads them back."""
    import numpy as np

    lists: dict[str, list[Any]] = {}
    for name, column in columns.items():
        if isinstance(column, Category):
            lists[name] = column.objects().tolist()
            continue
        items = np.datetime_as_string(column).tolist() if column.dtype.kind == "M" else column.tolist()
        lists[name] = [None if gone else item for item, gone in zip(items, missing(column).tolist(), strict=True)]
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
