from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_prepare.aggregate import Aggregate
from modelway_prepare.cast import Cast
from modelway_prepare.deduplicate import Deduplicate
from modelway_prepare.derive import Derive
from modelway_prepare.fill import Fill
from modelway_prepare.filter import Filter
from modelway_prepare.join import AsOf, Join
from modelway_prepare.rename import Rename

from modelway import Category, ConfigError, DataError, Preparer, from_records, to_records
from modelway.testing import PreparerSuite, make_run, make_table

relaxed = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
start = np.datetime64("2024-01-01", "us")


def prepared(
    folder: Path, step: Preparer, columns: Mapping[str, Any], parts: int = 1, **others: Mapping[str, Any]
) -> tuple[pa.Table, dict[str, Any]]:
    logged: dict[str, Any] = {}
    run = make_run(folder, on_log=logged.__setitem__)
    tables = {label: make_table(run, other) for label, other in others.items()}
    return step.prepare({**tables, "table": make_table(run, columns, parts)}, run).arrow(), logged


def sample() -> dict[str, Any]:
    return {
        "who": ["a", "b", None, "a", "b", "a", "c"],
        "n": pa.array([3, 1, 2, None, 1, 3, 0], pa.int64()),
        "x": pa.array([0.5, np.nan, 2.0, 4.0, None, -1.0, 0.5]),
        "text": [" 12", "x", "", None, "3.0", "7", "1"],
        "when": start + np.asarray([5, 1, 3, 9, 7, 2, 4]) * np.timedelta64(1, "D"),
        "flag": pa.array([True, None, False, True, True, None, False]),
    }


def others() -> dict[str, Any]:
    return {"key": ["b", "c", "a"], "size": [20, 30, 10], "name": ["Bo", None, "Al"]}


class TestRenameContract(PreparerSuite):
    component = Rename(columns={"who": "person", "n": "number"})
    sample = staticmethod(sample)


class TestCastContract(PreparerSuite):
    component = Cast(columns={"text": "number", "n": "string", "flag": "integer", "when": "date"}, invalid="missing")
    sample = staticmethod(sample)


class TestFillContract(PreparerSuite):
    component = Fill(columns={"who": "nobody", "n": 0, "x": 1, "flag": False})
    sample = staticmethod(sample)


class TestDeduplicateContract(PreparerSuite):
    component = Deduplicate(keys=("who",), keep="last", by="n")
    sample = staticmethod(sample)


class TestAggregateContract(PreparerSuite):
    component = Aggregate(
        by=("who",), columns={"rows": "count()", "mean": "mean(x)", "std": "std(n)", "last": "last(n)"}
    )
    sample = staticmethod(sample)


class TestJoinContract(PreparerSuite):
    component = Join(table="people", keys={"who": "key"}, unmatched_at_most=0.5)
    sample = staticmethod(sample)

    def others(self) -> Mapping[str, Mapping[str, Any]]:
        return {"people": others()}


class TestAsOfJoinContract(PreparerSuite):
    component = Join(table="people", keys={"who": "key"}, unmatched_at_most=1,
                     as_of=AsOf(time="when", other="since", delay="12h", within=30))  # fmt: skip
    sample = staticmethod(sample)

    def others(self) -> Mapping[str, Mapping[str, Any]]:
        return {"people": {**others(), "since": start + np.asarray([2, 9, 3]) * np.timedelta64(1, "D")}}


STEPS: list[tuple[Preparer, dict[str, Any]]] = [
    (Rename(columns={"n": "m"}), {"in": 7, "out": 7, "dropped": {}}),
    (Derive(columns={"y": "x + 1"}), {"in": 7, "out": 7, "dropped": {}}),
    (Fill(columns={"n": 0, "x": 0}), {"in": 7, "out": 7, "dropped": {}, "values": {"n": 1, "x": 2}}),
    (Cast(columns={"text": "number"}, invalid="missing"), {"in": 7, "out": 7, "dropped": {}, "values": {"text": 1}}),
    (Filter(keep="n > 0"), {"in": 7, "out": 5, "dropped": {"n > 0": 2}}),
    (Deduplicate(keys=("who",)), {"in": 7, "out": 4, "dropped": {"duplicate": 3}}),
    (Aggregate(by=("who",), columns={}), {"in": 7, "out": 4, "dropped": {"grouped": 3}}),
    (Join(table="people", keys={"who": "key"}, how="inner", unmatched_at_most=0.2),
     {"in": 7, "out": 6, "dropped": {"unmatched": 1}, "added": {}}),
    (Join(table="visits", keys={"who": "key"}, cardinality="one_to_many", unmatched_at_most=1),
     None),
]  # fmt: skip


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_every_row_that_goes_or_comes_is_accounted_for(tmp_path: Path, step: Preparer, expected: Any) -> None:
    if expected is None:
        columns, other = {"who": ["a", "b", "z"]}, {"key": ["a", "b", "a"], "v": [1, 2, 3]}
        made, logged = prepared(tmp_path, step, columns, visits=other)
        assert made.to_pydict() == {"who": ["a", "a", "b", "z"], "v": [1, 3, 2, None]}
        assert logged["rows"] == {"in": 3, "out": 4, "dropped": {}, "added": {"matches": 1}}
        return
    made, logged = prepared(tmp_path, step, sample(), 3, people=others())
    said = logged["rows"]
    assert said == expected
    assert made.num_rows == said["out"] == said["in"] - sum(said["dropped"].values())


def test_two_steps_do_not_hide_each_others_account(tmp_path: Path) -> None:
    logged: dict[str, Any] = {}
    for label in ("one", "two"):
        run = make_run(tmp_path, on_log=logged.__setitem__, label=label)
        Filter(keep="n > 0").prepare({"table": make_table(run, sample())}, run)
    assert list(logged) == ["rows.one", "rows.two"]


# Rename, cast and fill


def test_a_rename_that_a_service_could_not_follow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'b' is a new name and an old one"):
        Rename(columns={"a": "b", "b": "a"})
    with pytest.raises(DataError, match="has a column 'x' already"):
        prepared(tmp_path, Rename(columns={"n": "x"}), sample())
    with pytest.raises(DataError, match="Did you mean 'who'"):
        prepared(tmp_path, Rename(columns={"woh": "y"}), sample())
    step = Rename(columns={"who": "person"})
    assert list(step.apply({"who": Category.of("a"), "n": np.ones(1)})) == ["person", "n"]
    assert list(step.apply({"person": Category.of("a")})) == ["person"]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("number", [" 1.5", "2", "-3e2", "", None], [1.5, 2, -300, None, None]),
        ("integer", [" 12 ", "-3.0", "9007199254740993"], [12, -3, 9007199254740993]),
        ("integer", [1.0, np.nan, -2.0], [1, None, -2]),
        ("boolean", ["true", "NO", "1", " 0", None], [True, False, True, False, None]),
        ("boolean", [1, 0, 1], [True, False, True]),
        ("string", [9007199254740993, 1], ["9007199254740993", "1"]),
        ("string", [1.0, 2.5, None], ["1", "2.5", None]),
        ("string", [True, False], ["true", "false"]),
        ("timestamp", ["2024-02-01T10:00:00+02:00", "2024-02-01"],
         [pd.Timestamp("2024-02-01T08:00"), pd.Timestamp("2024-02-01")]),
        ("date", ["2024-02-01 10:00"], [pd.Timestamp("2024-02-01").date()]),
    ],
)  # fmt: skip
def test_values_are_read_as_their_type(tmp_path: Path, kind: Any, given: list[Any], expected: list[Any]) -> None:
    made, _ = prepared(tmp_path, Cast(columns={"c": kind}), {"c": pa.array(given, from_pandas=True)})
    assert made["c"].to_pylist() == expected


def test_a_value_that_cannot_be_read_stops_with_a_sample_unless_it_may_be_missing(tmp_path: Path) -> None:
    for kind, bad in (
        ("number", ["1", "n/a"]),
        ("integer", [1.5]),
        ("integer", [1e300]),
        ("boolean", [2]),
        ("timestamp", ["soon"]),
    ):
        with pytest.raises(DataError, match=f"'c' has values that cannot be read as {kind}, such as"):
            prepared(tmp_path, Cast(columns={"c": kind}), {"c": bad})
        made, logged = prepared(tmp_path, Cast(columns={"c": kind}, invalid="missing"), {"c": bad})
        assert made["c"].null_count == 1
        assert logged["rows"]["values"] == {"c": 1}
    made, _ = prepared(tmp_path, Cast(columns={"c": "timestamp"}, format="%d/%m/%Y"), {"c": ["01/02/2024"]})
    assert made["c"].to_pylist() == [pd.Timestamp("2024-02-01")]


mixed = st.tuples(
    st.none() | st.integers(-99, 99), st.none() | st.sampled_from("ab"), st.none() | st.floats(-9, 9),
    st.none() | st.booleans(),
)  # fmt: skip


@relaxed
@given(rows=st.lists(mixed, min_size=1, max_size=9))
def test_a_service_fills_what_training_filled(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    step = Fill(columns={"n": 7, "s": "none", "x": 0.5, "f": True})
    kinds = {"n": pa.int64(), "s": pa.string(), "x": pa.float64(), "f": pa.bool_()}
    columns = {name: pa.array(column, kinds[name]) for name, column in zip(kinds, zip(*rows, strict=True), strict=True)}
    made, _ = prepared(tmp_path, step, columns, 2)
    assert [c.type for c in made.columns] == list(kinds.values())
    records = [dict(zip(kinds, row, strict=True)) for row in rows]
    served = step.apply(from_records(records, {"n": "integer", "s": "category", "x": "number", "f": "boolean"}))
    assert to_records(served) == made.to_pylist()


def test_patterns_fill_and_a_value_of_another_type_is_refused(tmp_path: Path) -> None:
    made, _ = prepared(tmp_path, Fill(columns={"a_*": 0, "a_2": 9}), {"a_1": [None, 1.0], "a_2": [np.nan, 1.0]})
    assert made.to_pydict() == {"a_1": [0, 1], "a_2": [9, 1]}
    for column, value in (("n", "text"), ("n", 0.5), ("who", 1), ("flag", 1), ("x", True)):
        with pytest.raises(DataError, match=f"'{column}' holds .* cannot be filled"):
            prepared(tmp_path, Fill(columns={column: value}), sample())
    with pytest.raises(DataError, match="no column 'b_\\*' to fill"):
        prepared(tmp_path, Fill(columns={"b_*": 0}), {"a": [1]})


# Deduplicate and aggregate, against pandas

small_rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.none() | st.integers(0, 2), st.none() | st.floats(-1e3, 1e3)),
    min_size=1,
    max_size=20,
)


def small(rows: list[tuple[Any, ...]]) -> dict[str, pa.Array]:
    k, n, x = zip(*rows, strict=True)
    return {"k": pa.array(k, pa.string()), "n": pa.array(n, pa.int64()), "x": pa.array(x, pa.float64())}


@relaxed
@given(
    rows=small_rows, keep=st.sampled_from(["first", "last"]), by=st.sampled_from([None, "x"]), parts=st.integers(1, 3)
)
def test_one_row_of_each_key_is_left_as_pandas_leaves_it(
    tmp_path: Path, rows: list[tuple[Any, ...]], keep: Any, by: str | None, parts: int
) -> None:
    made, _ = prepared(tmp_path, Deduplicate(keys=("k", "n"), keep=keep, by=by), small(rows), parts)
    frame = pa.table(small(rows)).to_pandas()
    ordered = frame
    if by:
        place = "last" if keep == "first" else "first"
        ordered = frame.sort_values(by, kind="stable", na_position=place)
    expected = frame.loc[sorted(ordered.drop_duplicates(["k", "n"], keep=keep).index)]
    assert (
        made.to_pydict()
        == pa.Table.from_pandas(expected, pa.table(small(rows)).schema, preserve_index=False).to_pydict()
    )


def test_more_duplicates_than_declared_stop_with_samples(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"3 of 7 rows repeat a key.*0\.1.*who = a; who = b"):
        prepared(tmp_path, Deduplicate(keys=("who",), at_most=0.1), sample())


@relaxed
@given(rows=small_rows, parts=st.integers(1, 3))
def test_groups_have_the_numbers_of_pandas(tmp_path: Path, rows: list[tuple[Any, ...]], parts: int) -> None:
    functions = ["count", "sum", "mean", "min", "max", "std", "nunique", "first", "last"]
    step = Aggregate(by=("k", "n"), columns={"rows": "count()", **{f: f"{f}(x)" for f in functions}})
    made, _ = prepared(tmp_path, step, small(rows), parts)
    groups = pa.table(small(rows)).to_pandas().groupby(["k", "n"], dropna=False, sort=False)
    expected = groups["x"].agg(functions)
    expected["sum"] = groups["x"].sum(min_count=1)
    assert made["rows"].to_pylist() == groups.size().tolist()
    for name in functions:
        ours = made[name].to_numpy(zero_copy_only=False).astype(float)
        np.testing.assert_allclose(ours, expected[name].to_numpy(float), rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("text", ["x", "median(x)", "sum()", "sum(x) + 1", "x.sum()"])
def test_a_function_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Aggregate(by=("k",), columns={"y": text})


def test_a_sum_of_text_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'sum\(text\)' needs numbers, and the column holds string"):
        prepared(tmp_path, Aggregate(by=("who",), columns={"y": "sum(text)"}), sample())


# Join, against pandas

keyed = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.integers(0, 1)), min_size=1, max_size=12)


@relaxed
@given(left=keyed, right=keyed, how=st.sampled_from(["left", "inner"]), parts=st.integers(1, 3))
def test_matches_are_those_of_pandas_and_what_is_not_declared_stops(
    tmp_path: Path, left: list[tuple[Any, int]], right: list[tuple[Any, int]], how: Any, parts: int
) -> None:
    ours = {"k": pa.array([k for k, _ in left], pa.string()), "n": [n for _, n in left], "i": list(range(len(left)))}
    theirs = {
        "k": pa.array([k for k, _ in right], pa.string()),
        "m": [n for _, n in right],
        "j": list(range(len(right))),
    }
    a, b = (pa.table(t).to_pandas() for t in (ours, theirs))
    pairs = a.merge(b.dropna(), how=how, left_on=["k", "n"], right_on=["k", "m"])
    once = {
        "here": not a.dropna().duplicated(["k", "n"]).any(), "there": not b.dropna().duplicated(["k", "m"]).any()
    }  # fmt: skip
    needed: dict[Literal["one_to_one", "many_to_one", "one_to_many"], tuple[str, ...]]
    needed = {"one_to_one": ("here", "there"), "many_to_one": ("there",), "one_to_many": ("here",)}
    for cardinality, sides in needed.items():
        step = Join(table="other", keys={"k": "k", "n": "m"}, how=how, unmatched_at_most=1, cardinality=cardinality)
        if all(once[side] for side in sides) and len(pairs):
            made, logged = prepared(tmp_path, step, ours, parts, other=theirs)
            assert made["i"].to_pylist() == pairs["i"].tolist()
            assert made["j"].to_pylist() == [None if pd.isna(j) else j for j in pairs["j"]]
            said = logged["rows"]
            assert said["out"] == said["in"] - sum(said["dropped"].values()) + sum(said.get("added", {}).values())
        else:
            with pytest.raises(DataError, match="keys occur more than once|No row"):
                prepared(tmp_path, step, ours, parts, other=theirs)


def test_a_fan_out_or_a_loss_beyond_what_is_declared_stops_with_counts_and_keys(tmp_path: Path) -> None:
    twice = {"key": ["a", "b", "a"], "v": [1, 2, 3]}
    with pytest.raises(DataError, match="many_to_one, and 1 keys occur more than once in 'people', in 2 rows.*who = a"):
        prepared(tmp_path, Join(table="people", keys={"who": "key"}), sample(), people=twice)
    with pytest.raises(
        DataError, match=r"1 of 7 rows have no match in 'people', more than the share of 0.1.*who = None"
    ):
        prepared(tmp_path, Join(table="people", keys={"who": "key"}, unmatched_at_most=0.1), sample(), people=others())
    with pytest.raises(DataError, match="no table 'peple'.*Did you mean 'people'"):
        prepared(tmp_path, Join(table="peple", keys={"who": "key"}), sample(), people=others())
    with pytest.raises(DataError, match="Both tables have a column 'n'.*prefix"):
        prepared(tmp_path, Join(table="people", keys={"who": "key"}), sample(), people={**others(), "n": [1, 2, 3]})
    with pytest.raises(DataError, match="'who' is string in one table and int64 in the other"):
        prepared(tmp_path, Join(table="people", keys={"who": "key"}), sample(), people={"key": [1], "v": [2]})


timed = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 9)), min_size=1, max_size=12)


@relaxed
@given(left=timed, right=timed, delay=st.integers(0, 2), within=st.none() | st.integers(1, 5))
def test_an_as_of_join_is_that_of_pandas_and_sees_no_later_row(
    tmp_path: Path, left: list[tuple[str, int]], right: list[tuple[str, int]], delay: int, within: int | None
) -> None:
    day = np.timedelta64(1, "D")
    ours = {"k": [k for k, _ in left], "t": start + np.asarray([t for _, t in left]) * day}
    theirs = {"k": [k for k, _ in right], "s": start + np.asarray([t for _, t in right]) * day, "j": range(len(right))}
    theirs["j"] = list(theirs["j"])
    step = Join(table="other", keys={"k": "k"}, unmatched_at_most=1,
                as_of=AsOf(time="t", other="s", delay=delay, within=within))  # fmt: skip
    made, _ = prepared(tmp_path, step, ours, 2, other=theirs)
    a, b = pd.DataFrame(ours).reset_index(), pd.DataFrame(theirs)
    b["known"] = b["s"] + delay * day
    a, b = a.sort_values("t", kind="stable"), b.sort_values("known", kind="stable")
    tolerance = None if within is None else pd.Timedelta(days=within)
    found = pd.merge_asof(a, b, left_on="t", right_on="known", by="k", tolerance=tolerance)
    expected = found.sort_values("index")["j"]
    assert made["j"].to_pylist() == [None if pd.isna(j) else j for j in expected]
    for row in made.to_pylist():
        assert row["s"] is None or row["s"] + pd.Timedelta(days=delay) <= row["t"]
