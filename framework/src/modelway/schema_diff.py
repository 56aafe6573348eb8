"""What a changed schema means for those who keep to it: data producers, and callers of the service.

A change is breaking for producers when a table that was taken before may be refused now, and for callers when a request
that was taken may be refused, or its answer means something else. Whether it only warns counts: rules of the severity
``warn`` refuse nothing, but for a request's types.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from modelway.expression import Expression
from modelway.schema import ColumnSchema, Schema


@dataclass(frozen=True)
class SchemaChange:
    """One change of a schema.

    Attributes:
        key: Dotted key of what changed, such as ``columns.age.min``.
        old, new: Both values; None for what is not there.
        why: What it means, in words.
        producers: Whether it is breaking for those who deliver tables.
        callers: Whether it is breaking for those who send requests.
    """

    key: str
    old: Any
    new: Any
    why: str
    producers: bool = False
    callers: bool = False

    @property
    def breaking(self) -> bool:
        """Whether it is breaking for anybody."""
        return self.producers or self.callers


#: Changes of type that take every value that was taken before.
_WIDER = {("integer", "number"), ("string", "category")}


def compare(old: Schema, new: Schema, present: Collection[str] = ()) -> tuple[SchemaChange, ...]:
    """Return what changed from one schema to another, by column, and then of the table.

    Args:
        old, new: The schemas.
        present: Columns that tables are known to have, declared or not.
    """
    return (*_columns(old, new, present), *_rules(old, new), *_table(old, new))


def _columns(old: Schema, new: Schema, present: Collection[str]) -> Iterator[SchemaChange]:
    for name in dict.fromkeys((*old.columns, *new.columns)):
        a, b, key = old.columns.get(name), new.columns.get(name), f"columns.{name}"
        if b is None and a is not None:
            yield _removed(key, a, refused=new.extra == "refuse")
        elif a is None and b is not None:
            yield _added(key, b, there=name in present)
        elif a is not None and b is not None:
            yield from _column(key, a, b, refused=new.extra == "refuse")


def _removed(key: str, column: ColumnSchema, *, refused: bool) -> SchemaChange:
    feature = column.role == "feature"
    if column.role == "target":
        return SchemaChange(key, column.type, None, "the model predicts another column", refused, True)
    if refused:
        who = "tables and requests" if feature else "tables"
        return SchemaChange(key, column.type, None, f"{who} that still have it are refused", True, feature)
    return SchemaChange(key, column.type, None, "whoever still delivers it may go on; it is left out")


def _added(key: str, column: ColumnSchema, *, there: bool) -> SchemaChange:
    soft = column.severity == "warn"
    if column.role == "target":
        return SchemaChange(key, None, column.type, "the model predicts another column", not soft, True)
    needed = column.role == "feature" and not column.nullable and not soft
    told = []
    if there:
        told.append("tables have it already")
    else:
        told.append("tables without it are " + ("reported" if soft else "refused"))
    if column.role == "feature":
        told.append("requests without it are refused" if needed else "requests may leave it out")
    return SchemaChange(key, None, column.type, "; ".join(told), not (soft or there), needed)


def _column(key: str, a: ColumnSchema, b: ColumnSchema, *, refused: bool) -> Iterator[SchemaChange]:
    hard, feature = b.severity == "stop", b.role == "feature" and a.role == "feature"

    def change(field: str, why: str, tighter: bool, *, always: bool = False) -> SchemaChange:
        broken = tighter and (hard or always)
        told = why if broken or not tighter else f"{why}, which only warns"
        return SchemaChange(f"{key}.{field}", getattr(a, field), getattr(b, field), told, broken, broken and feature)

    if a.type != b.type:
        texts = a.type == "category" and b.type == "string" and a.values and all(isinstance(v, str) for v in a.values)
        wider = (a.type, b.type) in _WIDER or bool(texts)
        why = f"every {a.type} is a {b.type}" if wider else "values of the former type are refused"
        yield change("type", why, not wider, always=True)
    if a.role != b.role:
        yield _role(key, a, b, refused=refused)
    if a.nullable != b.nullable:
        why = "values may be missing now" if b.nullable else "missing values are refused"
        yield change("nullable", why, a.nullable)
    for field, less in (("min", True), ("max", False)):
        x, y = getattr(a, field), getattr(b, field)
        if x != y:
            tighter = y is not None and (x is None or (y > x if less else y < x))
            which = "smaller" if less else "larger"
            yield change(field, f"{which} values are {'refused' if tighter else 'taken'}", tighter)
    if a.values != b.values:
        yield from _values(key, a, b, change)
    if a.pattern != b.pattern:
        why = "any text is taken" if b.pattern is None else "texts that do not match are refused"
        yield change("pattern", why, b.pattern is not None)
    if a.unique != b.unique:
        why = "a value that occurs twice is " + ("refused" if b.unique else "taken")
        yield SchemaChange(f"{key}.unique", a.unique, b.unique, why, b.unique and hard)
    if a.positive != b.positive:
        yield SchemaChange(f"{key}.positive", a.positive, b.positive, "a score is for another class", callers=True)
    if a.severity != b.severity:
        yield change("severity", "what was only a warning stops" if hard else "what stopped only warns", hard)
    if a.description != b.description:
        yield change("description", "words only", False)


def _role(key: str, a: ColumnSchema, b: ColumnSchema, *, refused: bool) -> SchemaChange:
    key = f"{key}.role"
    if "target" in (a.role, b.role):
        return SchemaChange(key, a.role, b.role, "the model predicts another column", callers=True)
    if b.role == "feature":
        needed = not b.nullable and b.severity == "stop"
        why = "requests without it are refused" if needed else "requests may leave it out"
        return SchemaChange(key, a.role, b.role, why, callers=needed)
    if a.role == "feature":
        why = "requests that still have it are refused" if refused else "requests need not have it any more"
        return SchemaChange(key, a.role, b.role, why, callers=refused)
    return SchemaChange(key, a.role, b.role, "tables and requests stay as they are")


def _values(key: str, a: ColumnSchema, b: ColumnSchema, change: Any) -> Iterator[SchemaChange]:
    x, y = a.values, b.values
    gone = [] if x is None or y is None else [value for value in x if value not in y]
    new = [] if x is None or y is None else [value for value in y if value not in x]
    if x is None:
        made = change("values", "all other values are refused", True)
    elif y is None:
        made = change("values", "all values are taken", False)
    elif gone:
        made = change("values", f"{_listed(gone)} refused", True)
    elif new:
        made = change("values", f"{_listed(new)} taken too", False)
    else:
        made = change("values", "another order, so that the next model numbers them otherwise", False)
    if "target" in (a.role, b.role) and (gone or new):
        yield SchemaChange(made.key, x, y, f"{made.why}; answers hold other classes", made.producers, True)
    else:
        yield made


def _rules(old: Schema, new: Schema) -> Iterator[SchemaChange]:
    features = set(new.features().columns)
    for name in dict.fromkeys((*old.rules, *new.rules)):
        a, b, key = old.rules.get(name), new.rules.get(name), f"rules.{name}"
        if a is not None and b is not None and (a.expression, a.severity) == (b.expression, b.severity):
            if a.description != b.description:
                yield SchemaChange(f"{key}.description", a.description, b.description, "words only")
            continue
        if b is None:
            yield SchemaChange(key, a and a.expression, None, "rows that break it are taken")
            continue
        hard = b.severity == "stop"
        if a is not None and a.expression == b.expression:
            why = "what was only a warning stops" if hard else "what stopped only warns"
            pair: tuple[str, str] = (a.severity, b.severity)
            key += ".severity"
        else:
            why = "rows that break it are " + ("refused" if hard else "reported")
            pair = (a.expression if a else "", b.expression)
            key += ".expression" if a else ""
        asked = hard and set(Expression(b.expression).columns) <= features
        yield SchemaChange(key, pair[0] or None, pair[1], why, hard, asked)


def _table(old: Schema, new: Schema) -> Iterator[SchemaChange]:
    for names in dict.fromkeys((*old.unique, *new.unique)):
        if (names in old.unique) != (names in new.unique):
            added, key = names in new.unique, f"unique.{'+'.join(names)}"
            why = f"a combination that occurs twice is {'refused' if added else 'taken'}"
            yield SchemaChange(key, not added, added, why, added)
    if old.ordered_by != new.ordered_by:
        why = "rows may come in any order" if new.ordered_by is None else "rows out of order are refused"
        yield SchemaChange("ordered_by", old.ordered_by, new.ordered_by, why, new.ordered_by is not None)
    if old.rows_at_least != new.rows_at_least:
        tighter = new.rows_at_least > old.rows_at_least
        why = f"tables of fewer rows are {'refused' if tighter else 'taken'}"
        yield SchemaChange("rows_at_least", old.rows_at_least, new.rows_at_least, why, tighter)
    a, b = old.rows_at_most, new.rows_at_most
    if a != b:
        tighter = b is not None and (a is None or b < a)
        why = f"tables of more rows are {'refused' if tighter else 'taken'}"
        yield SchemaChange("rows_at_most", a, b, why, tighter)
    if old.extra != new.extra:
        refuse = new.extra == "refuse"
        why = f"tables and requests with other columns are {'refused' if refuse else 'taken'}"
        yield SchemaChange("extra", old.extra, new.extra, why, refuse, refuse)


def _listed(values: list[Any]) -> str:
    shown = ", ".join(map(repr, values[:3]))
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return f"{shown}{more} {'is' if len(values) == 1 else 'are'}"
