"""What a changed schema breaks, and for whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway.schema import ColumnSchema, RuleSchema, Schema
from modelway.schema_diff import SchemaChange, compare

OLD: dict[str, Any] = {
    "columns": {
        "id": {"type": "integer", "role": "id", "unique": True},
        "age": {"type": "integer", "min": 18, "max": 99},
        "city": {"type": "category", "values": ["Bern", "Oslo"]},
        "note": {"type": "string", "nullable": True, "role": "ignore"},
        "size": {"type": "number", "severity": "warn"},
        "left": {"type": "category", "role": "target", "values": ["no", "yes"], "positive": "yes"},
    },
    "rules": {"grown": {"expression": "age > 17"}},
}


def changed(path: str, value: Any, present: tuple[str, ...] = ()) -> SchemaChange:
    """Compare the schema with one in which a key is set (None: removed), and return the only change."""
    new: dict[str, Any] = {key: {n: dict(c) for n, c in held.items()} for key, held in OLD.items()}
    node, keys = new, path.split(".")
    for key in keys[:-1]:
        node = node[key]
    if value is None:
        del node[keys[-1]]
    else:
        node[keys[-1]] = value
    found = compare(Schema.of(OLD), Schema.of(new), present)
    assert len(found) == 1, found
    return found[0]


BOTH, PRODUCERS, CALLERS, NOBODY = (True, True), (True, False), (False, True), (False, False)


@pytest.mark.parametrize(
    ("path", "value", "who"),
    [
        ("columns.age.min", 21, BOTH),
        ("columns.age.min", 16, NOBODY),
        ("columns.age.min", None, NOBODY),
        ("columns.age.max", 90, BOTH),
        ("columns.age.max", 120, NOBODY),
        ("columns.age.type", "number", NOBODY),
        ("columns.age.type", "string", BOTH),
        ("columns.age.nullable", True, NOBODY),
        ("columns.age.description", "in years", NOBODY),
        ("columns.age.severity", "warn", NOBODY),
        ("columns.age.role", "ignore", NOBODY),
        ("columns.age", None, NOBODY),
        ("columns.city.values", ["Bern"], BOTH),
        ("columns.city.values", ["Oslo", "Bern"], NOBODY),
        ("columns.city.values", ["Bern", "Oslo", "Rome"], NOBODY),
        ("columns.city.values", None, NOBODY),
        ("columns.city.pattern", "[A-Z].*", BOTH),
        ("columns.note.nullable", False, PRODUCERS),
        ("columns.note.role", "feature", NOBODY),
        ("columns.id.unique", False, NOBODY),
        ("columns.id.role", "feature", CALLERS),
        ("columns.size.min", 3, NOBODY),
        ("columns.size.type", "integer", BOTH),
        ("columns.size.severity", "stop", BOTH),
        ("columns.left.values", ["no", "yes", "maybe"], CALLERS),
        ("columns.left.positive", "no", CALLERS),
        ("columns.left", None, CALLERS),
        ("columns.new", {"type": "number"}, BOTH),
        ("columns.new", {"type": "number", "nullable": True}, PRODUCERS),
        ("columns.new", {"type": "number", "severity": "warn"}, NOBODY),
        ("columns.new", {"type": "number", "role": "ignore"}, PRODUCERS),
        ("rules.grown", None, NOBODY),
        ("rules.grown.expression", "age > 20", BOTH),
        ("rules.more", {"expression": "size > age", "severity": "warn"}, NOBODY),
        ("rules.grown.severity", "warn", NOBODY),
        ("unique", [["age", "city"]], PRODUCERS),
        ("ordered_by", "id", PRODUCERS),
        ("rows_at_least", 10, PRODUCERS),
        ("rows_at_least", 0, NOBODY),
        ("rows_at_most", 10, PRODUCERS),
        ("extra", "refuse", BOTH),
    ],
)
def test_a_change_is_breaking_for_those_whom_it_refuses(path: str, value: Any, who: tuple[bool, bool]) -> None:
    found = changed(path, value)
    assert (found.producers, found.callers) == who, found
    assert found.key == ("unique.age+city" if path == "unique" else path)
    assert found.why


def test_a_new_column_that_tables_have_already_breaks_nothing() -> None:
    assert not changed("columns.new", {"type": "number", "nullable": True}, present=("new",)).breaking
    assert changed("columns.new", {"type": "number"}, present=("new",)).callers


def test_a_removed_column_breaks_where_undeclared_ones_are_refused() -> None:
    old = Schema.of({**OLD, "extra": "refuse"})
    new = replace(old, columns={name: column for name, column in old.columns.items() if name != "size"})
    (found,) = compare(old, new)
    assert (found.producers, found.callers) == BOTH


COLUMNS = st.builds(
    ColumnSchema,
    type=st.sampled_from(["integer", "number"]),
    nullable=st.booleans(),
    min=st.none() | st.integers(0, 4).map(float),
    max=st.none() | st.integers(3, 8).map(float),
    values=st.none() | st.lists(st.integers(0, 8), min_size=1, max_size=4, unique=True).map(tuple),
)


def takes(column: ColumnSchema, value: float | None) -> bool:
    if value is None:
        return column.nullable
    return (
        (column.type == "number" or float(value).is_integer())
        and (column.min is None or value >= column.min)
        and (column.max is None or value <= column.max)
        and (column.values is None or value in column.values)
    )


@given(COLUMNS, COLUMNS, st.none() | st.sampled_from([0.5 * i for i in range(20)]))
def test_what_is_called_compatible_refuses_no_value_that_was_taken(
    a: ColumnSchema, b: ColumnSchema, value: float | None
) -> None:
    found = compare(Schema(columns={"x": a}), Schema(columns={"x": b}))
    if takes(a, value) and not takes(b, value):
        assert any(change.producers and change.callers for change in found)


@given(COLUMNS)
def test_an_equal_schema_has_no_changes(column: ColumnSchema) -> None:
    schema = Schema(columns={"x": column}, rules={"r": RuleSchema(expression="x > 0")})
    assert compare(schema, Schema.of(schema.plain())) == ()
