"""Quarantine: what leaves the table, what stays, and that every row is accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_pandera.check import Pandera
from modelway_pandera.quarantine import Quarantine

from modelway import ConfigError, DataError, Table
from modelway.testing import PreparerSuite, make_run, make_table

SCHEMA: dict[str, Any] = {
    "columns": {
        "id": {"type": "integer", "unique": True},
        "x": {"type": "number", "min": 0, "max": 10},
        "c": {"type": "category", "values": ["a", "b"], "nullable": True},
        "loose": {"type": "number", "max": 1, "severity": "warn"},
        "later": {"type": "number", "min": 0},
    },
    "rules": {"below": {"expression": "x < id"}, "future": {"expression": "later > x"}},
}
COLUMNS: dict[str, Any] = {
    "id": [9, 8, 7, 9, 3],
    "x": [1.0, -1.0, None, 99.0, 5.0],
    "c": ["a", "z", "b", None, "a"],
    "loose": [5.0, 0.0, 0.0, 0.0, 0.0],
}


class TestConformance(PreparerSuite):
    component = Quarantine()
    config: ClassVar[Mapping[str, Any]] = {"columns": {"a": {"type": "number", "min": 0}, "b": {"type": "integer"}}}


def taken(
    folder: Path, step: Quarantine, columns: Mapping[str, Any] = COLUMNS, parts: int = 1, schema: Any = None
) -> tuple[Table, dict[str, Table], dict[str, Any]]:
    aside: dict[str, Table] = {}
    log: dict[str, Any] = {}
    more: dict[str, Any] = {"on_aside": aside.__setitem__, "on_log": log.__setitem__, "label": "bad"}
    run = make_run(folder, schema=schema or SCHEMA, **more)
    return step.prepare({"table": make_table(run, columns, parts)}, run), aside, log


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_refused_rows_are_kept_with_every_rule_that_refused_them_and_their_place(tmp_path: Path, parts: int) -> None:
    kept, aside, log = taken(tmp_path, Quarantine(), parts=parts)
    assert kept.arrow()["id"].to_pylist() == [9]
    refused = aside["bad"].arrow().to_pydict()
    assert refused["row"] == [1, 2, 3, 4]
    assert refused["rule"] == ["x.min, c.values", "x.nullable", "x.max, below", "below"]
    assert refused["id"] == [8, 7, 9, 3]
    assert log["rows.bad"] == {
        "in": 5, "out": 1, "dropped": {"x.min": 1, "x.nullable": 1, "x.max": 1, "below": 1}, "aside": "bad",
    }  # fmt: skip


def test_a_table_without_broken_rows_stays_as_it_is_and_leaves_nothing_aside(tmp_path: Path) -> None:
    columns = {name: [values[0]] for name, values in COLUMNS.items()}
    kept, aside, log = taken(tmp_path, Quarantine(), columns)
    assert not aside
    assert log["rows.bad"] == {"in": 1, "out": 1, "dropped": {}}
    assert kept.rows == 1


def test_the_rules_looked_at_can_be_narrowed_and_a_warning_takes_rows_out_only_when_named(tmp_path: Path) -> None:
    kept, _, _ = taken(tmp_path, Quarantine(columns=("c",)))
    assert kept.arrow()["id"].to_pylist() == [9, 7, 9, 3]
    kept, _, _ = taken(tmp_path, Quarantine(rules=("max",)))
    assert kept.arrow()["id"].to_pylist() == [8, 7, 3]
    with pytest.raises(ConfigError, match="no rule 'maxx'.*'max'"):
        taken(tmp_path, Quarantine(rules=("maxx",)))
    with pytest.raises(ConfigError, match="no column 'cc'"):
        taken(tmp_path, Quarantine(columns=("cc",)))


def test_more_bad_rows_than_declared_stop_the_run(tmp_path: Path) -> None:
    columns = {name: values * 10 for name, values in COLUMNS.items()}
    taken(tmp_path, Quarantine(at_most=0.8), columns)
    taken(tmp_path, Quarantine(at_most=40), columns)
    for bound in (0.79, 39, 0):
        with pytest.raises(DataError, match="40 of 50 rows would be taken out"):
            taken(tmp_path, Quarantine(at_most=bound), columns)


def test_a_table_is_never_emptied(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="then none is left"):
        taken(tmp_path, Quarantine(), {name: values[1:] for name, values in COLUMNS.items()})


def test_a_table_without_rows_has_none_to_take_out(tmp_path: Path) -> None:
    for step in (Quarantine(), Quarantine(at_most=0.1)):
        kept, aside, _ = taken(
            tmp_path, step, {"x": np.array([], float)}, schema={"columns": {"x": {"type": "number"}}}
        )
        assert (kept.rows, aside) == (0, {})


def test_a_column_of_another_type_as_a_whole_is_the_checks_affair(tmp_path: Path) -> None:
    kept, aside, _ = taken(tmp_path, Quarantine(), {**COLUMNS, "x": ["1", "2", "3", "4", "5"], "c": ["a"] * 5})
    assert not aside
    assert kept.rows == 5


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 4))
def test_what_stays_passes_the_check_and_what_leaves_fails_it(tmp_path: Path, seed: int, parts: int) -> None:
    draw = np.random.default_rng(seed)
    rows = 40
    schema = {"columns": {k: v for k, v in SCHEMA["columns"].items() if k in ("x", "c")}}
    columns = {
        "x": np.where(draw.random(rows) < 0.1, np.nan, draw.normal(5, 3, rows)),
        "c": draw.choice(["a", "b", "z"], rows, p=[0.5, 0.45, 0.05]).tolist(),
    }
    columns["x"][0], columns["c"][0] = 1.0, "a"
    kept, aside, log = taken(tmp_path, Quarantine(), columns, parts, schema)
    run = make_run(tmp_path, schema=schema)
    assert not Pandera().check(kept, run).items
    before = Pandera(samples=0).check(make_table(run, columns), run)
    refused = sum(table.rows for table in aside.values())
    assert kept.rows + refused == rows
    assert log["rows.bad"]["in"] - sum(log["rows.bad"]["dropped"].values()) == kept.rows
    if refused:
        after = Pandera(samples=0).check(aside["bad"], run)
        assert {(i.rule, i.column): i.count for i in after.items} == {(i.rule, i.column): i.count for i in before.items}
