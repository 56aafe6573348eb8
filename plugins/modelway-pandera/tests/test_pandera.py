"""The check as a user meets it: what is reported, in which words, and what it costs."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet as pq
import pytest
from modelway_pandera.check import Pandera
from modelway_pandera.objects import dataframe_schema

from modelway import Category, ConfigError, DataError, Finding, Findings, Part, Schema, Table, Workers
from modelway.testing import CheckSuite, make_run, make_table


class TestConformance(CheckSuite):
    component = Pandera()
    config: ClassVar[Mapping[str, Any]] = {
        "columns": {
            "a": {"type": "number", "nullable": True, "min": -10, "max": 20},
            "b": {"type": "integer", "min": 1},
            "c": {"type": "category", "nullable": True, "values": ["red", "green", "blue", "grey"]},
            "flag": {"type": "boolean"},
            "when": {"type": "timestamp", "unique": True},
        },
        "rules": {"some": {"expression": "b > 0"}},
        "unique": [["b", "when"]],
        "ordered_by": "when",
    }

    def broken(self) -> Mapping[str, Any]:
        columns = dict(self.sample())
        columns["b"] = np.where(np.arange(60) % 7 == 0, -1, columns["b"])
        columns["c"] = Category.of(["mauve", *columns["c"].objects()[1:]])
        columns["when"] = columns["when"][np.r_[0:59, 3]]
        return columns


def checked(
    folder: Path, schema: Mapping[str, Any], columns: Mapping[str, Any], parts: int = 1, samples: int = 5, **more: Any
) -> Findings:
    run = make_run(folder, schema=schema, **more)
    return Pandera(samples=samples).check(make_table(run, columns, parts), run)


def by_rule(found: Findings) -> dict[tuple[str, str], Finding]:
    made = {(item.rule, item.column): item for item in found.items}
    assert len(made) == len(found.items), "One rule is reported twice"
    return made


def test_all_errors_of_a_table_are_reported_at_once_with_rows_and_samples(tmp_path: Path) -> None:
    schema = {
        "columns": {
            "id": {"type": "integer", "unique": True},
            "x": {"type": "number", "min": 0, "max": 1, "severity": "warn"},
            "c": {"type": "category", "values": ["a", "b"], "nullable": True},
            "s": {"type": "string", "pattern": "[A-Z]{2}"},
            "t": {"type": "timestamp"},
        },
        "rules": {"small": {"expression": "x < id", "description": "x stays below its id"}},
        "unique": [["c", "s"]],
        "ordered_by": "t",
        "rows_at_least": 8,
        "extra": "refuse",
    }
    columns = {
        "id": [4, 2, 3, 9, 4, None],
        "x": [0.5, float("nan"), 5.0, -1.0, 1.0, 0.0],
        "c": ["a", "z", None, "b", "b", "a"],
        "s": ["AB", "ab", "AB", "CD", "CD", "AB\n"],
        "t": np.array(["2024-01-01", "2024-01-03", "2024-01-02", "NaT", "2024-01-02", "2024-01-01"], "M8[s]"),
        "more": [1] * 6,
    }
    items = checked(tmp_path, schema, columns, parts=3).items
    plain = [(i.rule, i.column, i.count, i.rows, i.samples, i.severity) for i in items]
    assert plain == [
        ("extra", "more", 6, (), ("more",), "stop"),
        ("rows_at_least", "", 2, (), (), "stop"),
        ("nullable", "id", 1, (5,), (), "stop"),
        ("unique", "id", 2, (0, 4), (4, 4), "stop"),
        ("nullable", "x", 1, (1,), (), "warn"),
        ("min", "x", 1, (3,), (-1.0,), "warn"),
        ("max", "x", 1, (2,), (5.0,), "warn"),
        ("values", "c", 1, (1,), ("z",), "stop"),
        ("pattern", "s", 2, (1, 5), ("ab", "AB\n"), "stop"),
        ("nullable", "t", 1, (3,), (), "stop"),
        ("small", "x, id", 1, (2,), ({"x": 5.0, "id": 3},), "stop"),
        ("unique", "c, s", 2, (3, 4), ({"c": "b", "s": "CD"},) * 2, "stop"),
        ("ordered_by", "t", 2, (2, 5), ("2024-01-02T00:00:00.000", "2024-01-01T00:00:00.000"), "stop"),
    ]
    texts = {(i.rule, i.column): i.text for i in items}
    assert texts["max", "x"] == "each value is at most 1"
    assert texts["values", "c"] == "each value is one of 'a', 'b'"
    assert texts["small", "x, id"] == "x stays below its id"


def test_an_absent_column_is_named_with_its_nearest_spelling_and_hides_nothing_else(tmp_path: Path) -> None:
    schema = {
        "columns": {"agee": {"type": "integer"}, "n": {"type": "integer", "min": 0}, "pixel_*": {"type": "number"}},
        "rules": {"old": {"expression": "agee > n"}},
        "ordered_by": "agee",
    }
    found = by_rule(checked(tmp_path, schema, {"age": [1, 2], "n": [1, -1]}, parts=2))
    assert set(found) == {("column", "agee"), ("column", "pixel_*"), ("min", "n")}
    assert "did you mean 'age'" in found["column", "agee"].text


def test_a_wrong_type_in_one_part_is_one_finding_and_names_its_rows(tmp_path: Path) -> None:
    run = make_run(tmp_path, schema={"columns": {"n": {"type": "integer", "min": 0, "unique": True}}})
    tables = [make_table(run, {"n": [str(i)] * 2 if i == 6 else [2 * i, 2 * i + 1]}) for i in range(9)]
    table = Table(tables[0].columns, tuple(part for t in tables for part in t.parts), run.blobs)
    (found,) = Pandera().check(table, run).items
    assert (found.rule, found.count, found.rows, found.samples) == ("type", 2, (12, 13), ("6", "6"))
    assert found.text == "the type is integer; it is held as string"


def test_a_column_that_one_part_lacks_is_found(tmp_path: Path) -> None:
    run = make_run(tmp_path, schema={"columns": {"n": {"type": "integer"}, "m": {"type": "integer", "min": 0}}})
    tables = [make_table(run, {"n": [1, 2], "m": [1, 2]}), make_table(run, {"n": [3, 4]})]
    table = Table(tables[0].columns, tuple(part for t in tables for part in t.parts), run.blobs)
    assert [(i.rule, i.column, i.rows) for i in Pandera().check(table, run).items] == [("column", "m", (2, 3))]


HOURS = np.array(["2024-01-01T05", "2024-01-02T06"], "M8[h]").astype("M8[us]")


@pytest.mark.parametrize(
    ("declared", "values", "holds"),
    [
        ("integer", [1.0, float("nan")], True),  # whole numbers with missing ones reach a table as floats
        ("integer", [1.5, 2.0], False),
        ("integer", [float("inf"), 2.0], False),
        ("integer", ["1", "2"], False),
        ("boolean", [1.0, 0.0], True),
        ("boolean", [2.0, 0.0], False),
        ("boolean", ["yes", "no"], False),
        ("number", [1, 2], True),
        ("number", [True, False], False),
        ("category", ["a", "b"], True),
        ("category", [1, 2], True),
        ("category", [0.5, 1.0], False),
        ("string", pyarrow.array(["a", "b"]).dictionary_encode(), True),
        ("string", pyarrow.array(["a", "b"], pyarrow.large_string()), True),
        ("string", [1, 2], False),
        ("timestamp", HOURS, True),
        ("timestamp", HOURS.astype("M8[D]"), False),
        ("date", HOURS.astype("M8[D]"), True),
        ("date", HOURS, False),
        ("date", pyarrow.nulls(2), True),  # a column without any value is of every type
    ],
)
def test_a_column_is_of_its_declared_type_however_arrow_holds_it(
    tmp_path: Path, declared: str, values: Any, holds: bool
) -> None:
    schema = {"columns": {"a": {"type": declared, "nullable": True}}}
    found = checked(tmp_path, schema, {"a": values})
    assert [item.rule for item in found.items] == ([] if holds else ["type"])


def test_wrong_types_leave_other_columns_and_rules_checked(tmp_path: Path) -> None:
    schema = {
        "columns": {"a": {"type": "number", "min": 0}, "b": {"type": "number", "max": 1}},
        "rules": {"sum": {"expression": "a + b > 0"}},
    }
    found = by_rule(checked(tmp_path, schema, {"a": ["1", None, "3"], "b": [0.0, 2.0, 1.0]}))
    assert set(found) == {("type", "a"), ("nullable", "a"), ("max", "b")}


def test_whole_numbers_beyond_what_floats_hold_are_told_apart(tmp_path: Path) -> None:
    big = 2**53
    schema = {"columns": {"id": {"type": "integer", "unique": True, "nullable": True}}}
    assert checked(tmp_path, schema, {"id": [big, None, big + 1]}, parts=3).items == ()
    found = by_rule(checked(tmp_path, schema, {"id": [big + 1, None, big + 1]}, parts=3))
    assert found["unique", "id"].samples == (big + 1, big + 1)


def test_missing_operands_keep_a_rule_unless_it_speaks_of_missing_values(tmp_path: Path) -> None:
    nullable = {"type": "number", "nullable": True}
    schema = {
        "columns": {"a": nullable, "b": nullable},
        "rules": {"less": {"expression": "a < b"}, "given": {"expression": "~isnull(a) | (b > 0)"}},
    }
    found = by_rule(checked(tmp_path, schema, {"a": [None, 1.0, 3.0, None], "b": [1.0, None, 2.0, 0.0]}))
    assert found["less", "a, b"].rows == (2,)
    assert found["given", "a, b"].rows == (3,)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"columns": {"s": {"type": "string", "min": 1}}}, "declares 'min', and is of type string"),
        ({"columns": {"n": {"type": "integer", "pattern": "1"}}}, "declares a pattern, and is of type integer"),
        ({"columns": {"s": {"type": "string", "pattern": "(a"}}}, "does not parse"),
        ({"columns": {"t": {"type": "date", "values": ["2024-01-01"]}}}, "lists its values"),
        ({"columns": {}, "unique": [["n", "naem"]]}, "Did you mean 'name'"),
        ({"columns": {}, "ordered_by": "tt"}, "over column 'tt'"),
        ({"columns": {}, "rules": {"r": {"expression": "nn > 0"}}}, "schema.rules.r"),
        ({"columns": {}, "rules": {"r": {"expression": "1 > 0"}}}, "reads no column"),
    ],
)
def test_a_rule_that_cannot_be_checked_is_refused_with_its_key(
    tmp_path: Path, schema: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=r"schema\.") as error:
        checked(tmp_path, schema, {"n": [1], "s": ["a"], "t": HOURS[:1].astype("M8[D]"), "name": ["x"]})
    assert says in str(error.value)


def test_a_table_without_one_good_row_costs_a_few_samples(tmp_path: Path) -> None:
    rows = 200_000
    schema = {"columns": {"n": {"type": "integer", "min": rows, "unique": True, "values": [-1]}}, "ordered_by": "n"}
    found = checked(tmp_path, schema, {"n": np.arange(rows, 0, -1) // 2}, parts=3)
    assert {item.rule for item in found.items} == {"min", "unique", "values", "ordered_by"}
    assert all(len(item.rows) == 5 == len(item.samples) for item in found.items)
    assert len(pickle.dumps(found)) < 3000


def test_rows_are_counted_from_the_start_of_the_table_in_every_batch_of_every_part(tmp_path: Path) -> None:
    numbers = np.arange(140_001)
    numbers[[69_500, 139_500]] = -5
    schema = {"columns": {"n": {"type": "integer", "min": 0, "unique": True}}, "ordered_by": "n"}
    found = by_rule(checked(tmp_path, schema, {"n": numbers}, parts=2))
    assert {rule: item.rows for (rule, _), item in found.items()} == dict.fromkeys(
        ("min", "unique", "ordered_by"), (69_500, 139_500)
    )


def carried(function: Callable[[Any], Any], items: Any) -> Iterator[Any]:
    """Map as another process would, the last item first."""
    sent = pickle.dumps(function)
    done = [pickle.dumps(pickle.loads(sent)(pickle.loads(pickle.dumps(item)))) for item in reversed(list(items))]
    return map(pickle.loads, reversed(done))


def test_other_processes_come_to_the_same_findings(tmp_path: Path) -> None:
    suite = TestConformance()
    here = checked(tmp_path, suite.config, suite.broken(), parts=4)
    assert here.items
    assert checked(tmp_path, suite.config, suite.broken(), parts=4, workers=Workers(carried)) == here


def test_only_the_columns_that_rules_look_at_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    scan = Table.scan

    def watched(self: Table, columns: Any = None, *more: Any) -> Any:
        read.extend(self.names if columns is None else columns)
        return scan(self, columns, *more)

    monkeypatch.setattr(Table, "scan", watched)
    schema = {
        "columns": {
            "a": {"type": "number", "nullable": True, "min": 0},
            "b": {"type": "string", "nullable": True},
            "c": {"type": "integer"},
        }
    }
    assert checked(tmp_path, schema, {"a": [1.0], "b": ["x"], "c": [1], "d": [1]}).passed
    assert sorted(read) == ["a", "c"]


def test_a_good_table_is_checked_without_importing_pandera(tmp_path: Path) -> None:
    code = """
import sys, pathlib
from modelway.testing import make_run, make_table
from modelway_pandera.check import Pandera
schema = {"columns": {"n": {"type": "integer", "min": 0, "unique": True, "values": [1, 2]},
                      "s": {"type": "string", "pattern": "[a-z]+"}},
          "rules": {"r": {"expression": "n > 0"}}, "ordered_by": "n", "unique": [["n", "s"]]}
run = make_run(pathlib.Path(sys.argv[1]), schema=schema)
assert Pandera().check(make_table(run, {"n": [1, 2], "s": ["a", "b"]}, 2), run).items == ()
print("pandera" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_part_that_is_not_parquet_is_a_paragraph(tmp_path: Path) -> None:
    run = make_run(tmp_path, schema={"columns": {"n": {"type": "integer"}}})
    path = tmp_path / "junk"
    path.write_bytes(b"junk")
    digest, size = run.blobs.put_file(path)
    with pytest.raises(DataError, match="cannot be read as parquet"):
        Pandera().check(Table((("n", "int64"),), (Part(digest, 3, size),), run.blobs), run)


def test_values_that_do_not_compare_are_a_paragraph(tmp_path: Path) -> None:
    run = make_run(tmp_path, schema={"columns": {"c": {"type": "category"}}, "ordered_by": "c", "unique": [["c"]]})
    tables = [make_table(run, {"c": ["a", "b"]}), make_table(run, {"c": [3, 4]})]
    table = Table(tables[0].columns, tuple(part for t in tables for part in t.parts), run.blobs)
    with pytest.raises(DataError, match="need values that compare"):
        Pandera().check(table, run)


@pytest.mark.parametrize(
    ("ask", "values", "flagged"),
    [
        ({"type": "number", "min": 0.5, "unique": True}, [Decimal("1.5"), Decimal("-2.0"), Decimal("1.5")], [1, 0, 2]),
        ({"type": "integer", "values": [2**64 - 1]}, pyarrow.array([2**64 - 1, 2**63], pyarrow.uint64()), [1]),
        ({"type": "string", "values": ["a"]}, pyarrow.array(["a", "b"], pyarrow.string_view()), [1]),
        ({"type": "category", "values": [1]}, pyarrow.array([1, 2, 1]).dictionary_encode(), [1]),
        ({"type": "boolean", "values": [True]}, [1.0, 0.0], [1]),
        ({"type": "timestamp", "unique": True}, pyarrow.array([1, 2, 2], pyarrow.timestamp("ns", "UTC")), [1, 2]),
    ],
)
def test_rules_hold_for_every_way_of_keeping_values(
    tmp_path: Path, ask: dict[str, Any], values: Any, flagged: list[int]
) -> None:
    found = checked(tmp_path, {"columns": {"a": ask}}, {"a": values}, parts=2)
    assert [row for item in found.items for row in item.rows] == flagged


def test_an_empty_table_is_too_short_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    pq.write_table(pyarrow.table({"n": pyarrow.array([], pyarrow.int64())}), path)
    schema = {"columns": {"n": {"type": "integer", "unique": True}}, "ordered_by": "n", "unique": [["n"]]}
    run = make_run(tmp_path, schema=schema)
    table = Table((("n", "int64"),), (run.keep(path),), run.blobs)
    assert [item.rule for item in Pandera().check(table, run).items] == ["rows_at_least"]


def test_pandera_made_from_the_schema_flags_what_the_check_reports() -> None:
    schema = Schema.of(
        {
            "columns": {
                "n": {"type": "integer", "min": 0, "unique": True},
                "s": {"type": "string", "pattern": "a+", "nullable": True},
                "c": {"type": "category", "values": ["x"]},
            },
            "rules": {"r": {"expression": "n < 5"}},
            "ordered_by": "n",
            "rows_at_most": 3,
            "extra": "refuse",
        }
    )
    frame = pd.DataFrame({"n": [1, -1, 1, 7], "s": ["a", "b", None, "a"], "c": ["x", "x", "y", "x"], "more": 1})
    with pytest.raises(pa.errors.SchemaErrors) as error:
        dataframe_schema(schema).validate(frame, lazy=True)
    cases = error.value.failure_cases
    flagged = {(str(c), str(k), i) for c, k, i in zip(cases["column"], cases["check"], cases["index"], strict=True)}
    asked = {(c, k.partition("(")[0], i) for c, k, i in flagged if i == i and i is not None}
    assert {("n", "field_uniqueness", 0), ("n", "field_uniqueness", 2), ("s", "pattern a+", 1)} <= asked
    assert {k for _, k, _ in asked} >= {"isin", "greater_than_or_equal_to", "n < 5"}
    assert {"at most 3 rows", "column_in_schema"} <= {k for _, k, _ in flagged}
