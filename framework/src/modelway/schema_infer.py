"""A first schema from data, to be edited: what every row of a table keeps to, and no more than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway.errors import DataError, nearest
from modelway.schema import ColumnSchema, ColumnType, Role, Schema
from modelway.values import Table

if TYPE_CHECKING:
    import pyarrow as pa

#: Distinct values up to which texts are a category, and a target's values are listed.
CATEGORIES = 50
#: Distinct whole numbers that are told one by one.
_TOLD = 10
#: Texts that often stand for a missing value.
_MARKS = frozenset(("", "?", "-", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"))


@dataclass(frozen=True)
class Inferred:
    """A first schema, and what was seen beside it.

    Attributes:
        schema: The schema; its own table keeps to it.
        seen: What was seen of a column and is not asked for, in words, by name.
        left: Columns that no type of a schema can hold, with their arrow type.
    """

    schema: Schema
    seen: dict[str, str]
    left: dict[str, str]

    def text(self) -> str:
        """Return the schema as YAML, to be put into a project's configuration and edited."""
        import yaml

        def flow(value: Any) -> str:
            style = {"default_flow_style": True, "sort_keys": False, "allow_unicode": True, "width": 1 << 20}
            return str(yaml.safe_dump(value, **style))

        lines = [
            "# A first schema, as the data suggest it. What was seen stands beside each column: bounds that you know",
            "# of go into 'min' and 'max', a column's meaning and unit into 'description'.",
            "schema:", "  columns:",
        ]  # fmt: skip
        for name, column in self.schema.columns.items():
            entry = _entry(column)
            told = f"  # {self.seen[name]}" if self.seen.get(name) else ""
            lines.append(f"    {flow({name: entry}).strip()[1:-1]}{told}")
        lines += [f"    # {name}: {kind} has no type in a schema" for name, kind in self.left.items()]
        return "\n".join(lines) + "\n"


def _entry(column: ColumnSchema) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": column.type}
    if column.role != "feature":
        entry["role"] = column.role
    entry |= {key: True for key in ("nullable", "unique") if getattr(column, key)}
    if column.values is not None:  # what a configuration would take for a reference is none
        entry["values"] = [v.replace("${", "\\${") if isinstance(v, str) else v for v in column.values]
    if column.positive is not None:
        entry["positive"] = column.positive
    return entry


def infer(table: Table, target: str = "") -> Inferred:
    """Infer a first schema.

    Text of up to ``CATEGORIES`` values is a category that lists them. The first column of whole numbers or text without
    a repetition is the id, the first of times the time; other times, and text that is neither, are left out of the
    features.

    Args:
        table: The rows.
        target: The column to predict; empty: none is named.

    Raises:
        DataError: the target is no column.
    """
    if target and target not in table.names:
        raise DataError(f"The table has no column '{target}'", mend=nearest(target, table.names))
    columns: dict[str, ColumnSchema] = {}
    seen: dict[str, str] = {}
    left: dict[str, str] = {}
    unique = []
    for name in table.names:
        facts = _Facts.of(table.arrow([name]).column(0))
        if facts is None:
            left[name] = dict(table.columns)[name]
            continue
        if facts.unique and name != target:
            unique.append(name)
        columns[name], seen[name] = facts.column(is_target=name == target), facts.seen()
    time = next((n for n, c in columns.items() if c.type in ("timestamp", "date") and n != target), "")
    identifier = next((n for n in unique if n.lower().endswith("id")), next(iter(unique), ""))
    for name in columns:
        if name == time:
            columns[name] = _with(columns[name], role="time")
        elif name == identifier:
            columns[name] = _with(columns[name], role="id", unique=True, values=None)
        elif name in unique:
            seen[name] = f"{seen[name]}; no value occurs twice".lstrip("; ")
    return Inferred(Schema(columns=columns), seen, left)


def _with(column: ColumnSchema, **more: Any) -> ColumnSchema:
    kind: ColumnType = "string" if column.type == "category" and "unique" in more else column.type
    return ColumnSchema(**{"type": kind, "nullable": column.nullable, **more})


@dataclass(frozen=True)
class _Facts:
    kind: ColumnType
    rows: int
    missing: int
    distinct: int
    values: tuple[Any, ...]
    low: Any
    high: Any

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> _Facts | None:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = _type(column.type)
        if kind is None:
            return None
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        present = column.drop_null()
        held = pa.types.is_null(column.type)
        distinct = 0 if held else pc.count_distinct(present).as_py()
        short = distinct <= CATEGORIES and kind in ("string", "integer")
        values = tuple(sorted(pc.unique(present).to_pylist())) if short and not held else ()
        ends = {"min": None, "max": None} if held or kind == "string" else pc.min_max(present).as_py()
        return cls(kind, len(column), column.null_count, distinct, values, ends["min"], ends["max"])

    @property
    def unique(self) -> bool:
        return self.kind in ("integer", "string") and not self.missing and 1 < self.rows == self.distinct

    def column(self, *, is_target: bool) -> ColumnSchema:
        role: Role = "target" if is_target else "feature"
        nullable, kind = self.missing > 0 or self.distinct == 0, self.kind
        if kind == "string" and 0 < self.distinct <= CATEGORIES:
            positive = self.values[-1] if is_target and len(self.values) == 2 else None
            return ColumnSchema(type="category", role=role, nullable=nullable, values=self.values, positive=positive)
        if is_target:
            listed = self.values if kind == "integer" and self.values else None
            positive = listed[-1] if listed and len(listed) == 2 else None
            return ColumnSchema(type=kind, role=role, nullable=nullable, values=listed, positive=positive)
        role = "ignore" if kind in ("string", "timestamp", "date") else role
        return ColumnSchema(type=kind, role=role, nullable=nullable)

    def seen(self) -> str:
        told = []
        if self.kind == "integer" and 0 < len(self.values) <= _TOLD:
            told.append(f"seen {', '.join(map(str, self.values))}")
        elif self.low is not None and self.kind != "boolean":
            told.append(f"seen {_shown(self.low)} to {_shown(self.high)}")
        elif self.kind == "string" and self.distinct > CATEGORIES:
            told.append(f"{self.distinct} distinct texts")
        marks = [repr(value) for value in self.values if value in _MARKS]
        if marks:
            told.append(f"{', '.join(marks)} may stand for a missing value")
        if not self.distinct:
            told.append("no value at all")
        elif self.missing:
            told.append(f"{self.missing / self.rows:.1%} missing")
        return ", ".join(told)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _type(kind: pa.DataType) -> ColumnType | None:
    import pyarrow as pa

    is_: Any = pa.types
    if is_.is_dictionary(kind):
        return _type(kind.value_type)
    if is_.is_boolean(kind):
        return "boolean"
    if is_.is_integer(kind):
        return "integer"
    if is_.is_floating(kind) or is_.is_decimal(kind):
        return "number"
    if is_.is_timestamp(kind):
        return "timestamp"
    if is_.is_date(kind):
        return "date"
    text = is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind) or is_.is_null(kind)
    return "string" if text else None
