"""What training stops for, the service refuses: the same rules, whichever form the rows come in."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_bentoml.serving.fields import Field
from modelway_bentoml.serving.validation import LISTED, Validator
from shop import ROW, SCHEMA

from modelway import Category, Schema, from_records

TYPES = ["integer", "number", "boolean", "category", "string", "timestamp", "date"]
TEXTS = st.sampled_from(
    ["", "a", "b", "ab", "7", "x1", "2020-02-29", "2021-02-29", "2020-02-29T10:00:00", "now", "NaT", "today"]
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, 1.0, 2.0, -0.0, math.inf, 2.0**63, 10**400]), TEXTS, st.just([1]), st.just({"a": 1}),
)  # fmt: skip
ALLOWED: dict[str, Any] = {
    "integer": st.sampled_from([(1, 2), (0, 3)]), "number": st.sampled_from([(0.5, 1.0), (1, 2)]),
    "boolean": st.just((True,)), "category": st.sampled_from([("a", "b"), (1, 2), (True, False)]),
    "string": st.just(("a", "ab", "7")),
}  # fmt: skip


#: Values of each type, near the bounds and in and out of the sets that the columns declare.
SUITED: dict[str, Any] = {
    **dict.fromkeys(("integer", "number"), st.sampled_from([-2, -1, 0, 0.5, 1, 1.0, 1.5, 2, 2.5, 3, None])),
    "boolean": st.sampled_from([True, False]), "category": st.sampled_from(["a", "b", "c", 1, 2, 3, True]),
    "string": TEXTS, "timestamp": TEXTS, "date": TEXTS,
}  # fmt: skip


@st.composite
def columns(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(TYPES))
    column: dict[str, Any] = {
        "type": kind,
        "nullable": draw(st.booleans()),
        "severity": draw(st.sampled_from(["stop", "stop", "warn"])),
    }
    if kind in ("integer", "number"):
        column |= {"min": draw(st.sampled_from([None, -1.0, 0.5])), "max": draw(st.sampled_from([None, 1.0, 2.0]))}
    if kind in ("string", "category"):
        column["pattern"] = draw(st.sampled_from([None, "[a-z]+", "a?b?"]))
    if kind in ALLOWED:
        column["values"] = draw(st.none() | ALLOWED[kind])
    return column


def is_typed(kind: str, values: Any, item: Any) -> bool:
    """The declared types in the plainest words: a reference for the service's own."""
    number = isinstance(item, (int, float)) and not isinstance(item, bool)
    if kind == "number":
        return number and abs(item) < 2**1024 and not (isinstance(item, float) and math.isinf(item))
    if kind == "integer":
        return number and abs(item) != math.inf and int(item) == item and -(2**63) <= item < 2**63
    if kind == "boolean":
        return isinstance(item, bool)
    if kind == "string":
        return isinstance(item, str)
    if kind == "category":
        if values is None:
            return isinstance(item, (str, int))
        if isinstance(values[0], bool) or isinstance(item, bool):
            return isinstance(item, bool) and isinstance(values[0], bool)
        return isinstance(item, str) if isinstance(values[0], str) else number and abs(item) != math.inf
    if not isinstance(item, str) or not re.match(r"\d{4}-", item):
        return False
    try:
        (date if kind == "date" else datetime).fromisoformat(item)
    except ValueError:
        return False
    return True


def broken(column: dict[str, Any], item: Any) -> set[tuple[str, bool]]:
    """Rules that a value breaks, and whether each refuses the row."""
    stops = column["severity"] == "stop"
    if item is None:
        return set() if column["nullable"] else {("nullable", stops)}
    if not is_typed(column["type"], column.get("values"), item):
        return {("type", True)}
    found = set()
    if column.get("min") is not None and item < column["min"]:
        found.add("min")
    if column.get("max") is not None and item > column["max"]:
        found.add("max")
    if column.get("values") is not None and item not in column["values"]:
        found.add("values")
    if column.get("pattern") and not re.fullmatch(column["pattern"], str(item)):
        found.add("pattern")
    return {(rule, stops) for rule in found}


@settings(max_examples=250, deadline=None)
@given(st.lists(columns(), min_size=1, max_size=3), st.data())
def test_a_request_is_refused_for_exactly_the_rules_that_its_values_break(
    declared: list[dict[str, Any]], data: Any
) -> None:
    names = [f"c{i}" for i in range(len(declared))]
    schema = Schema.of({"columns": dict(zip(names, declared, strict=True))})
    # Few rows are checked value by value, many column by column.
    size = data.draw(st.sampled_from([1, 3, 12]))
    suited = [SUITED[column["type"]] for column in declared]
    pools = [
        data.draw(st.lists(some, min_size=1, max_size=2) | st.lists(some | VALUES, max_size=2, min_size=1))
        for some in suited
    ]
    rows = [{n: data.draw(st.sampled_from(pool)) for n, pool in zip(names, pools, strict=True)} for _ in range(size)]

    checked = Validator(schema).records(rows)

    expected = {
        (i, name, rule, stops)
        for i, row in enumerate(rows)
        for name, column in zip(names, declared, strict=True)
        for rule, stops in broken(column, row[name])
    }
    found = {(p.row, p.field, p.rule, True) for p in checked.problems} | {
        (p.row, p.field, p.rule, False) for p in checked.warnings
    }
    assert found == expected
    assert checked.count == sum(stops for *_, stops in expected)
    by_column = Validator(schema).columns({name: [row[name] for row in rows] for name in names})
    assert (by_column.problems, by_column.warnings) == (checked.problems, checked.warnings)
    if not checked.count:
        reference = from_records(rows, {name: column.type for name, column in schema.columns.items()})
        for name in names:
            assert_same(checked.columns[name], reference[name])


EDGES = st.sampled_from([2.0**63, 2**63 - 1, -(2**63), math.inf, 10**400, True, "a", None])


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_column_taken_at_once_holds_no_value_that_is_refused_on_its_own(data: Any) -> None:
    declared = data.draw(columns())
    some = SUITED[declared["type"]]
    items = data.draw(st.lists(some, min_size=1, max_size=2) | st.lists(some | EDGES, min_size=1, max_size=3))
    field = Field("c", Schema.of({"columns": {"c": declared}}).columns["c"])
    taken = field.take(items)
    if taken is not None:
        assert not any(broken(declared, item) for item in items)
        assert_same(taken, field.hold(items))


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize(
    ("kind", "item"),
    [("integer", 2**63), ("integer", 2.0**63), ("integer", -(2**64)), ("integer", 0.5), ("integer", True),
     ("number", math.inf), ("number", 10**400), ("number", "1"), ("boolean", 1), ("string", 1), ("category", 0.5),
     ("timestamp", "now"), ("timestamp", "2026-02-30T00:00"), ("timestamp", 0), ("date", "20260131"), ("date", "NaT")],
)  # fmt: skip
def test_what_json_can_write_and_a_column_cannot_hold_is_refused(kind: str, item: Any, rows: int) -> None:
    validator = Validator(Schema.of({"columns": {"c": {"type": kind, "nullable": True}}}))
    checked = validator.records([{"c": None}] * (rows - 1) + [{"c": item}])
    assert [(p.row, p.rule) for p in checked.problems] == [(rows - 1, "type")]


def assert_same(found: Any, expected: Any) -> None:
    """The service must score the very columns that batch scoring makes of the same rows."""
    if isinstance(expected, Category):
        assert found.objects().tolist() == expected.objects().tolist()
        return
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)), min_size=1, max_size=9))
def test_rules_across_columns_refuse_the_rows_that_break_them_and_no_others(pairs: list[tuple[Any, Any]]) -> None:
    number = {"type": "number", "nullable": True}
    rules = {
        "order": {"expression": "low <= high"},
        "both": {"expression": "isnull(low) == isnull(high)", "severity": "warn"},
        "training": {"expression": "low < price"},
    }
    schema = Schema.of({"columns": {"low": number, "high": number}, "rules": rules})
    checked = Validator(schema).records([{"low": a, "high": b} for a, b in pairs])
    assert [p.row for p in checked.problems] == [
        i for i, (a, b) in enumerate(pairs) if a is not None and b is not None and a > b
    ]
    assert [p.row for p in checked.warnings] == [i for i, (a, b) in enumerate(pairs) if (a is None) != (b is None)]


def test_every_problem_of_every_row_is_reported_at_once_in_words() -> None:
    rows = [ROW, {**ROW, "age": 300, "city": "Rome"}, {**ROW, "spent": None, "code": "xx"}, {**ROW, "spent": 99}]
    problems = Validator(Schema.of(SCHEMA)).records(rows).problems
    assert [(p.row, p.field, p.rule) for p in problems] == [
        (1, "age", "max"), (1, "city", "values"), (2, "spent", "nullable"), (2, "code", "pattern"),
        (3, "spent, income", "affordable"),
    ]  # fmt: skip
    assert problems[0].message == "'age' is 300, and must be at most 120"
    assert problems[1].message == """'city' is "Rome", and must be one of "Oslo", "Turin", "Quito\""""
    assert problems[4].message == "The row breaks the rule 'affordable': Nobody spends ten times an income"


def test_a_million_problems_are_counted_and_the_first_are_listed() -> None:
    checked = Validator(Schema.of(SCHEMA)).records([{**ROW, "age": -1, "spent": -1}] * 5000)
    assert checked.count == 10_000
    assert len(checked.problems) == LISTED
    assert checked.problems[-1].row == LISTED // 2 - 1


@pytest.mark.parametrize("extra", ["drop", "refuse"])
def test_a_field_that_is_not_declared_is_refused_or_left_out_as_the_schema_says(extra: str) -> None:
    validator = Validator(Schema.of({**SCHEMA, "extra": extra}))
    for checked in (
        validator.records([{**ROW, "aeg": 1}]),
        validator.columns({**{name: [value] for name, value in ROW.items()}, "aeg": [1]}),
    ):
        assert checked.count == (extra == "refuse")
        told = checked.problems if extra == "refuse" else checked.warnings
        assert [(p.field, p.rule) for p in told] == [("aeg", "extra")]
        if extra == "refuse":
            assert "Did you mean 'age'" in told[0].message


def test_times_with_an_offset_reach_the_model_in_utc() -> None:
    validator = Validator(Schema.of({"columns": {"at": {"type": "timestamp"}}}))
    times = ["2026-01-31T12:30:00+02:00", "2026-01-31T10:30:00Z", "2026-01-31 10:30", "2026-01-31t10:30:00.000z"]
    held = validator.records([{"at": text} for text in times]).columns["at"]
    assert set(np.asarray(held).tolist()) == {datetime(2026, 1, 31, 10, 30)}


def test_rows_that_are_no_objects_are_refused_by_row() -> None:
    problems = Validator(Schema.of(SCHEMA)).records([ROW, [1], None]).problems
    assert [(p.row, p.rule) for p in problems] == [(1, "type"), (2, "type")]
