"""Arrow types of text columns: those that the schema declares, and those that the data suggest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from modelway import ColumnSchema, DataError, Schema
from modelway_files.file import File

if TYPE_CHECKING:
    import pyarrow as pa


class RetypeError(Exception):
    """A column turned out to need a wider type than its first rows suggested: read again from the start."""


class Kinds:
    """The type of each column while files are read, found anew where the first rows misled.

    A declared type is binding. An undeclared column takes the type of the first file's first rows and, where later
    rows do not fit, the next wider one (nothing yet, whole numbers, numbers; dates, times); text among
    numbers is an error, never a silent turn to text.

    Args:
        schema: The declared schema; keys may be patterns.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._left: dict[str, list[pa.DataType]] = {}
        #: Columns of nested values, which a table cannot hold.
        self.nested: set[str] = set()

    def of(self, name: str) -> pa.DataType | None:
        """Return the type that a column has so far, or None while nothing is known of it."""
        if name not in self._left:
            column = self.declared(name)
            if column is None:
                return None
            self._left[name] = _declared(column)
        return self._left[name][0]

    def known(self) -> dict[str, pa.DataType]:
        """Return the types of the columns that were met so far, in order."""
        return {name: left[0] for name, left in self._left.items()}

    def declared(self, name: str) -> ColumnSchema | None:
        """Return the column's declaration, found by name first and then by pattern."""
        columns = self._schema.columns
        return columns.get(name) or next((c for key, c in columns.items() if fnmatchcase(name, key)), None)

    def infer(self, name: str, kind: pa.DataType) -> bool:
        """Learn the type of an undeclared column from its first rows; answers whether another type is to be used."""
        import pyarrow.types as pt

        if pt.is_nested(kind):
            self.nested.add(name)
            return True
        self._left[name] = _ladder(kind)
        return self._left[name][0] != kind  # type: ignore[no-any-return]

    def widen(self, name: str) -> bool:
        """Move on to the next wider type; answers whether there is one."""
        if len(self._left[name]) == 1:
            return False
        self._left[name] = self._left[name][1:]
        return True


def _declared(column: ColumnSchema) -> list[pa.DataType]:
    import pyarrow as pa

    return {
        "integer": [pa.int64()],
        "number": [pa.float64()],
        "boolean": [pa.bool_()],
        "category": [pa.string()],
        "string": [pa.string()],
        "timestamp": [pa.timestamp("us"), pa.timestamp("us", "UTC")],
        "date": [pa.date32()],
    }[column.type]


def _ladder(kind: pa.DataType) -> list[pa.DataType]:
    import pyarrow as pa
    import pyarrow.types as pt

    moment = [pa.timestamp("us"), pa.timestamp("ns")]
    if pt.is_null(kind):
        return [pa.int64(), pa.float64(), pa.bool_(), *moment, pa.timestamp("us", "UTC"), pa.string()]
    if pt.is_integer(kind):
        return [pa.int64(), pa.float64()]
    if pt.is_timestamp(kind):
        return moment if kind.tz is None else [pa.timestamp("us", "UTC")]
    if pt.is_date(kind):
        return [pa.date32(), *moment]
    return [kind] if pt.is_floating(kind) or pt.is_boolean(kind) else [pa.string()]


def keyed(file: File, schema: Schema, names: Sequence[str]) -> Callable[[pa.Table], pa.Table] | None:
    """Return what adds the key of a file's partition to its rows, or None where it is not declared or is there already.

    Raises:
        DataError: the key's value is not of its declared type.
    """
    import pyarrow as pa

    column = Kinds(schema).declared(file.key) if file.key and file.key not in names else None
    if column is None:
        return None
    key, kind = file.key, _declared(column)[0]
    try:
        value = pa.array([file.value]).cast(kind)[0]
    except pa.ArrowException as error:
        raise DataError(
            f"The key '{key}' is declared as {column.type}, and '{file.value}' does not convert: {error}",
            where=file.name,
        ) from None

    def add(batch: pa.Table) -> pa.Table:
        return batch.append_column(pa.field(key, kind), pa.repeat(value, batch.num_rows))

    return add
