"""Keys of two tables: brought to one form, counted part by part, and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modelway import ConfigError, Run, Table
from modelway_expectations.expectation import Piece, over

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns of a table of keys beside the keys themselves, which are ``key0``, ``key1``, ...
ROW, COUNT, SUM = "row", "count", "sum"


def key_names(on: Mapping[str, str]) -> list[str]:
    """Return the names that keys have in a table of keys."""
    return [f"key{i}" for i in range(len(on))]


def common_kinds(table: Table, other: Table, on: Mapping[str, str], where: str) -> list[str]:
    """Return the arrow type that the keys of both tables are brought to, for each pair of columns.

    Raises:
        ConfigError: values of the two columns can never be equal.
    """
    mine, theirs, made = dict(table.columns), dict(other.columns), []
    for left, right in on.items():
        pair = {_kind(mine[left]), _kind(theirs[right])} - {"null"}
        kind = next(iter(pair)) if len(pair) == 1 else "string"
        if pair == {"int64", "float64"}:
            kind = "float64"
        elif pair == {"timestamp", "date32"}:
            kind = "date32"
        elif len(pair) > 1:
            raise ConfigError(
                f"'{left}' is held as {mine[left]} and '{right}' as {theirs[right]}: their values are never equal",
                where=where, mend="Declare the same type for both in the sources' schemas",
            )  # fmt: skip
        made.append(kind)
    return made


def _kind(held: str) -> str:
    starts = {
        "int": "int64", "uint": "int64", "float": "float64", "double": "float64", "half": "float64",
        "decimal": "float64", "timestamp": "timestamp", "date": "date32", "bool": "bool", "null": "null",
    }  # fmt: skip
    return next((kind for start, kind in starts.items() if held.startswith(start)), "string")


def counted(table: Table, columns: Sequence[str], kinds: Sequence[str], run: Run, *, value: str = "") -> pa.Table:
    """Return each key of a table once, with its first row, the number of its rows, and the sum of a column.

    Keys of which a part is missing are left out.

    Args:
        table: The table.
        columns: The columns of the key.
        kinds: Arrow types that they are brought to.
        run: The run.
        value: Column to sum; none where empty.
    """
    import pyarrow as pa

    count = partial(_counted, columns=columns, kinds=kinds, value=value)
    found = over(table, run, count, _both)
    if found is None:
        return _grouped(_plain(table.arrow([*columns, *([value] if value else [])]), columns, kinds, value, 0))
    return _grouped(pa.concat_tables(found))


def _both(a: list[pa.Table], b: list[pa.Table]) -> list[pa.Table]:
    return a + b


def _counted(piece: Piece, columns: Sequence[str], kinds: Sequence[str], value: str) -> list[pa.Table]:
    import pyarrow as pa

    part, row = piece
    made = []
    for batch in part.scan([*columns, *([value] if value else [])]):
        made.append(_grouped(_plain(batch, columns, kinds, value, row)))
        row += batch.num_rows
    return [_grouped(pa.concat_tables(made))]


def _plain(batch: pa.Table, columns: Sequence[str], kinds: Sequence[str], value: str, row: int) -> pa.Table:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    made: dict[str, Any] = {
        f"key{i}": _cast(batch.column(name), kind) for i, (name, kind) in enumerate(zip(columns, kinds, strict=True))
    }
    keys = list(made)
    made[ROW] = pa.array(np.arange(row, row + batch.num_rows))
    made[COUNT] = pa.array(np.ones(batch.num_rows, np.int64))
    made[SUM] = _cast(batch.column(value), "float64") if value else pa.nulls(batch.num_rows, pa.float64())
    plain = pa.table(made)
    for key in keys:
        plain = plain.filter(pc.is_valid(plain[key]))
    return plain


def _cast(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    wanted = pa.timestamp("us") if kind == "timestamp" else pa.type_for_alias(kind)
    column = column.cast(wanted, safe=False)
    return pc.if_else(pc.is_nan(column), pa.scalar(None, wanted), column) if kind == "float64" else column


def _grouped(plain: pa.Table) -> pa.Table:
    keys = [name for name in plain.column_names if name.startswith("key")]
    made = plain.group_by(keys, use_threads=False).aggregate([(ROW, "min"), (COUNT, "sum"), (SUM, "sum")])
    return made.rename_columns({f"{ROW}_min": ROW, f"{COUNT}_sum": COUNT, f"{SUM}_sum": SUM}).select(plain.column_names)


def named(keys: pa.Table, on: Mapping[str, str], row: int) -> str:
    """Return a key in words: ``order_id 17``."""
    values = [keys[key][row].as_py() for key in key_names(on)]
    return ", ".join(f"{name} {value}" for name, value in zip(on, values, strict=True))
