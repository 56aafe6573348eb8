"""Values in place of missing ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from modelway import (
    Category,
    Column,
    Columns,
    ConfigError,
    DataError,
    Graph,
    RowPreparer,
    Run,
    Table,
    Wire,
    Wires,
    missing,
    nearest,
    param,
)
from modelway_prepare.tables import changed

if TYPE_CHECKING:
    import pyarrow as pa

Scalar = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Fill(RowPreparer, name="fill"):
    """Put a constant where a value is missing, by column, and log how many were.

    Keys are names or patterns (``customer_id_*_7d: 0``); exact names win over patterns, and earlier patterns over later
    ones. Columns keep their type, which the value must fit. The step travels with the model into services. For a value
    that is fitted on training rows, such as a median, use a feature.
    """

    columns: dict[str, str | int | float | bool] = param(..., "Value for missing ones, by column or pattern.")

    def __post_init__(self) -> None:
        if not self.columns:
            raise ConfigError("The step 'fill' has no column to fill", where="columns")

    def apply(self, columns: Columns) -> Columns:
        """Return the columns without missing values, where a value is declared."""
        values = self._values(columns)
        return {name: _filled(c, values[name]) if name in values else c for name, c in columns.items()}

    def to_onnx(self, columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the filling into a graph.

        Raises:
            ConfigError: a value that its column's type cannot hold, or a time.
        """
        made = dict(columns)
        for name, value in self._values(columns).items():
            wire = columns[name]
            if wire.kind == "truth":
                continue
            if wire.kind == "time" or (wire.kind == "number" and isinstance(value, str)):
                raise ConfigError(
                    f"Column '{name}' holds {wire.kind}, and cannot be filled with {value!r} in a graph",
                    where=f"columns.{name}",
                    mend="Give a number for a column of numbers; a time cannot be filled there",
                )
            gone = graph.missing(wire)
            if wire.kind == "number":
                filled = graph.add("Where", gone, graph.constant([float(value)]), graph.numbers([wire]))
                made[name] = Wire(filled)
            else:
                filled = graph.add("Where", gone, graph.constant([value], "text"), graph.text(wire))
                made[name] = Wire(filled, kind="text")
        return made

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Fill every part, and log the number of values filled by column.

        Raises:
            DataError: a column is absent, or its type cannot hold the value.
        """
        table = tables["table"]
        for key in self.columns:
            if key not in table.names and not any(fnmatchcase(name, key) for name in table.names):
                raise DataError(
                    f"The table has no column '{key}' to fill", where="columns", mend=nearest(key, table.names)
                )
        values = self._values(table.names)

        def change(batch: pa.Table) -> tuple[pa.Table, Mapping[str, int]]:
            counts = {}
            for name, value in values.items():
                column = _blank(batch.column(name))
                counts[name] = column.null_count
                place = batch.column_names.index(name)
                batch = batch.set_column(place, name, column.fill_null(_scalar(value, column.type, name)))
            return batch, counts

        return changed(table, change, run)

    def _values(self, names: Iterable[str]) -> dict[str, Scalar]:
        made = {}
        for name in names:
            found = next((key for key in self.columns if fnmatchcase(name, key)), None)
            key = name if name in self.columns else found
            if key is not None:
                made[name] = self.columns[key]
        return made


def _filled(column: Column, value: Scalar) -> Column:
    import numpy as np

    gone = missing(column)
    if not gone.any():
        return column
    if isinstance(column, Category):
        values = column.values if value in column.values else (*column.values, value)
        return Category(np.where(gone, values.index(value), column.codes).astype(np.int32), values)
    return np.where(gone, np.asarray(value, dtype=column.dtype), column)


def _blank(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of plain type whose missing values are all null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _scalar(value: Any, kind: pa.DataType, name: str) -> pa.Scalar:
    import pyarrow as pa

    given = pa.scalar(value)
    number = pa.types.is_integer(given.type) or pa.types.is_floating(given.type)
    wanted = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    try:
        if number != wanted or pa.types.is_boolean(given.type) != pa.types.is_boolean(kind):
            raise pa.ArrowInvalid("they are of different kinds")
        return given.cast(kind)
    except pa.ArrowException as error:
        raise DataError(
            f"The column '{name}' holds {kind}, and cannot be filled with {value!r}: {error}",
            where=f"columns.{name}",
            mend="Give a value of the column's type, or cast the column first",
        ) from None
