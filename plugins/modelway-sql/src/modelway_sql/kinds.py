"""Arrow types of a query's columns: those that the schema declares, and those that the first rows suggest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from modelway import ColumnSchema, DataError, Schema

if TYPE_CHECKING:
    import pyarrow as pa


def declared(schema: Schema, name: str) -> ColumnSchema | None:
    """Return a column's declaration, found by name first and then by pattern."""
    columns = schema.columns
    return columns.get(name) or next((c for key, c in columns.items() if fnmatchcase(name, key)), None)


def typed(names: Sequence[str], rows: Sequence[Any], schema: Schema, known: dict[str, pa.DataType]) -> pa.Table:
    """Return rows as an arrow table.

    Args:
        names: Names of the columns.
        rows: The rows, as tuples.
        schema: The declared schema; its types are binding.
        known: Types found so far; what is learnt is entered.

    Raises:
        DataError: a value that does not convert; names column, row and value.
    """
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    made = {}
    for name, values in zip(names, columns, strict=True):
        column = declared(schema, name)
        if column is not None:
            made[name] = _converted(name, values, column.type)
            continue
        plain = [float(value) if isinstance(value, Decimal) else value for value in values]
        try:
            made[name] = pa.array(plain, known.get(name))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise DataError(
                f"Column '{name}' cannot be read as {known.get(name, 'one type')}: {error}",
                mend=f"Declare '{name}' in the schema, or cast it in the query",
            ) from None
        kind = made[name].type
        if pa.types.is_null(kind) and rows:
            raise DataError(
                f"Column '{name}' has no value in its first {len(rows)} rows, so that its type is unknown",
                mend=f"Declare '{name}' in the schema, or cast it in the query",
            )
        known[name] = kind
    return pa.table(made)


def _converted(name: str, values: Sequence[Any], kind: str) -> pa.Array:
    import pyarrow as pa

    convert = _CONVERT[kind]
    try:
        if set(map(type, values)) <= {_PLAIN[kind], type(None)}:  # most columns are of their type already
            return pa.array(values, arrow_types()[kind])
        return pa.array([None if value is None else convert(value) for value in values], arrow_types()[kind])
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        pass
    for row, value in enumerate(values):
        try:
            pa.array([None if value is None else convert(value)], arrow_types()[kind])
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            raise DataError(
                f"Column '{name}' is declared as {kind}, and this value does not convert: {str(value)[:60]!r}"
                f" ({type(value).__name__})",
                where=f"row {row + 1} of a chunk",
                mend="Mend the value, cast it in the query, or declare another type",
            ) from None
    raise AssertionError("a column that does not convert has a value that does not")


def arrow_types() -> Mapping[str, pa.DataType]:
    """Return the arrow type of each type that a schema may declare."""
    import pyarrow as pa

    moment, text = pa.timestamp("us"), pa.string()
    return {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "category": text, "string": text,
            "timestamp": moment, "date": pa.date32()}  # fmt: skip


def _integer(value: Any) -> int:
    if isinstance(value, (int, float, Decimal)) and value == int(value):
        return int(value)
    raise ValueError


def _number(value: Any) -> float:
    if isinstance(value, (int, float, Decimal)):
        return float(value)
    raise ValueError


def _boolean(value: Any) -> bool:
    if value in (0, 1):
        return bool(value)
    raise ValueError


def _text(value: Any) -> str:
    if isinstance(value, (bytes, memoryview, float, dict, list)):
        raise ValueError
    return str(value)


def _timestamp(value: Any) -> Any:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(found, date) and not isinstance(found, datetime):
        return datetime(found.year, found.month, found.day)
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


def _date(value: Any) -> Any:
    found = date.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(found, datetime):
        if found.time() != datetime.min.time():
            raise ValueError
        return found.date()
    return found


#: The type of a value that arrow converts as it should.
_PLAIN: dict[str, type] = {"integer": int, "number": float, "boolean": bool, "category": str, "string": str,
                           "timestamp": datetime, "date": date}  # fmt: skip
_CONVERT: dict[str, Any] = {
    "integer": _integer, "number": _number, "boolean": _boolean, "category": _text, "string": _text,
    "timestamp": _timestamp, "date": _date,
}  # fmt: skip
