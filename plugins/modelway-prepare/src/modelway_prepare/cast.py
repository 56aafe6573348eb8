"""Other types for columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from modelway import (
    Category,
    Column,
    Columns,
    ConfigError,
    DataError,
    RowPreparer,
    Run,
    Table,
    from_arrow,
    missing,
    param,
    to_arrow,
)
from modelway_prepare.tables import changed, require

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["integer", "number", "string", "boolean", "timestamp", "date"]
_BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0}


@dataclass(frozen=True, kw_only=True)
class Cast(RowPreparer, name="cast"):
    """Give columns another type, by the names that a schema uses.

    Text is read: numbers with or without spaces around them, booleans as true, false, yes, no, 1 or 0, times in ISO
    form or in ``format``, with an offset from UTC or without. Numbers become whole only if they are, and boolean
    only if they are 0 or 1. As text, a whole number has no decimal point. An empty text is a missing value of any type
    but string.

    A value that cannot be read stops the run, with samples, or is missing with ``invalid: missing``; those are counted
    in the log. The step travels with the model into services, where such a value is missing.
    """

    columns: dict[str, Kind] = param(..., "Type of each column, by its name.")
    invalid: Literal["stop", "missing"] = param("stop", "What a value that cannot be read does.")
    format: str = param("", "How times are written, in strptime's codes, such as %d/%m/%Y; ISO 8601 without it.")

    def __post_init__(self) -> None:
        if not self.columns:
            raise ConfigError("The step 'cast' has no column to cast", where="columns")

    def apply(self, columns: Columns) -> Columns:
        """Return the columns in their types; what cannot be read is missing."""
        kinds = {name: kind for name, kind in self.columns.items() if name in columns}
        return columns | {name: self._read(columns[name], kind)[0] for name, kind in kinds.items()}

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Cast the columns of every part.

        Raises:
            DataError: a column is absent, or holds a value that cannot be read and may not be missing.
        """
        table = tables["table"]
        require(table, self.columns, "columns")

        def change(batch: pa.Table) -> tuple[pa.Table, Mapping[str, int]]:
            counts: Counter[str] = Counter()
            for name, kind in self.columns.items():
                column, counts[name] = self._column(batch.column(name), name, kind)
                batch = batch.set_column(batch.column_names.index(name), name, column)
            return batch, counts

        return changed(table, change, run)

    def _column(self, column: pa.ChunkedArray, name: str, kind: Kind) -> tuple[pa.ChunkedArray, int]:
        import numpy as np
        import pyarrow as pa

        wanted = {
            "integer": pa.int64(), "number": pa.float64(), "string": pa.string(), "boolean": pa.bool_(),
            "timestamp": pa.timestamp("us"), "date": pa.date32(),
        }[kind]  # fmt: skip
        given = column.type
        if (
            given == wanted
            or (pa.types.is_integer(given) and kind in ("integer", "string"))
            or (pa.types.is_timestamp(given) and kind == "timestamp")
        ):
            # Exactly, since whole numbers with missing ones among them would pass through float64.
            return (column if pa.types.is_timestamp(given) else column.cast(wanted)), 0
        held = from_arrow(pa.table({name: column}))[name]
        made, bad = self._read(held, kind)
        if bad.any() and self.invalid == "stop":
            values = held.objects() if isinstance(held, Category) else held
            shown = ", ".join(map(repr, dict.fromkeys(values[bad][:3].tolist())))
            raise DataError(
                f"Column '{name}' has values that cannot be read as {kind}, such as {shown}",
                where=f"columns.{name}",
                mend="Correct or filter those rows, or set 'invalid: missing'",
            )
        if kind == "integer" and isinstance(held, Category):  # exactly again
            whole = pa.array([*(_parsed(value, kind, "") for value in held.values), None], wanted)
            return pa.chunked_array([whole.take(pa.array(held.codes % len(whole)))]), int(bad.sum())
        arrow = to_arrow({name: made}).column(0)
        if not isinstance(made, Category) and made.dtype.kind == "f":
            arrow = pa.chunked_array([pa.array(made, mask=np.isnan(made))])
        return arrow.cast(wanted), int(bad.sum())

    def _read(self, column: Column, kind: Kind) -> tuple[Column, Any]:
        """Return a column in a type, as a service knows it, and which of its values cannot be read."""
        import numpy as np

        gone = missing(column)
        if isinstance(column, Category):
            if kind == "string":
                return Category(column.codes, [_text(value) for value in column.values]), np.zeros(len(column), bool)
            found = [_parsed(value, kind, self.format) for value in column.values]
            if kind in ("timestamp", "date"):
                dtype = "M8[us]" if kind == "timestamp" else "M8[D]"
                made = np.asarray([*(v or "NaT" for v in found), "NaT"], dtype=dtype)[column.codes]
            else:
                made = np.asarray([*(np.nan if v is None else v for v in found), np.nan], np.float64)[column.codes]
            empty = np.asarray([*(str(value).strip() == "" for value in column.values), False], bool)[column.codes]
            return made, missing(made) & ~gone & ~empty
        if column.dtype.kind == "M":
            return _of_times(column, kind, gone)
        if kind in ("timestamp", "date"):
            return np.full(len(column), "NaT", "M8[us]" if kind == "timestamp" else "M8[D]"), ~gone
        if kind == "string":
            return Category.of(
                None if g else _text(v) for v, g in zip(column.tolist(), gone, strict=True)
            ), gone & False
        numbers = column.astype(np.float64)
        wrong = {"integer": numbers != np.floor(numbers), "boolean": ~np.isin(numbers, (0, 1))}.get(kind, gone) & ~gone
        if kind == "integer":
            wrong |= (numbers < -(2.0**63)) | (numbers >= 2.0**63)  # infinite ones among them
        return np.where(wrong, np.nan, numbers), wrong


def _of_times(column: Any, kind: Kind, gone: Any) -> tuple[Column, Any]:
    import numpy as np

    if kind in ("timestamp", "date"):
        return column.astype("M8[us]" if kind == "timestamp" else "M8[D]"), np.zeros(len(column), bool)
    if kind == "string":
        texts = np.datetime_as_string(column).tolist()
        return Category.of(None if g else t for t, g in zip(texts, gone, strict=True)), gone & False
    return np.full(len(column), np.nan), ~gone


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def _parsed(value: Any, kind: Kind, form: str) -> Any:
    """Return what one text stands for, or None: a number, or a time without offset, in UTC."""
    text = str(value).strip()
    readers: dict[str, Callable[[], Any]] = {
        "number": lambda: float(text) if "_" not in text else None,
        "integer": lambda: _whole(text),
        "boolean": lambda: _BOOLEANS.get(text.lower()),
        "timestamp": lambda: _moment(text, form),
        "date": lambda: _moment(text, form).date(),
    }
    try:
        return readers[kind]()
    except ValueError:
        return None


def _whole(text: str) -> int | None:
    number = float(text)
    whole = int(text) if text.lstrip("+-").isdigit() else int(number) if number.is_integer() else 2**63
    return whole if -(2**63) <= whole < 2**63 else None


def _moment(text: str, form: str) -> datetime:
    found = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
