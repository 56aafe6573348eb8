"""Expectations as a user meets them: what is found, what is not, and in which words."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_expectations import moments
from modelway_expectations.categories import Categories
from modelway_expectations.distribution import Bounds, Distribution
from modelway_expectations.foreign_key import ForeignKey
from modelway_expectations.freshness import Freshness
from modelway_expectations.summing import Summary, buckets_of, value_of
from modelway_expectations.totals import Totals
from modelway_expectations.volume import Volume

from modelway import Check, ConfigError, DataError, Finding, Findings, Workers
from modelway.testing import CheckSuite, make_run, make_table
from modelway.testing.suite import ComponentSuite

SCHEMA: dict[str, Any] = {"columns": {"when": {"type": "timestamp", "role": "time"}, "c": {"type": "category"}}}
Columns = Mapping[str, Any]


def hours(count: int, start: str = "2024-03-04", step: int = 1) -> np.ndarray[Any, Any]:
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(step, "h")


class Suite(CheckSuite):
    config: ClassVar[Mapping[str, Any]] = SCHEMA
    good: ClassVar[Columns]
    bad: ClassVar[Columns]
    others: ClassVar[Mapping[str, Columns]] = {}

    def sample(self) -> Columns:
        return self.good

    def broken(self) -> Columns:
        return self.bad

    def run(self, folder: Path, **more: Any) -> Any:
        run = ComponentSuite.run(self, folder, **more)
        return replace(run, tables={name: make_table(run, columns, 2) for name, columns in self.others.items()})


WEEK = {"when": hours(24 * 7), "c": ["a", "b"] * 84}


class TestFreshness(Suite):
    component = Freshness(within="2d", as_of="2024-03-12")
    good: ClassVar[Columns] = WEEK
    bad: ClassVar[Columns] = {"when": hours(48), "c": ["a"] * 48}


class TestVolume(Suite):
    component = Volume(at_least=20, within=0.3)
    good: ClassVar[Columns] = WEEK
    bad: ClassVar[Columns] = {"when": WEEK["when"][np.r_[0:30, 40:48, 72:168]], "c": ["a"] * 134}


class TestCategories(Suite):
    component = Categories(column="c", values=("a", "b"), at_least_share=0.1)
    good: ClassVar[Columns] = WEEK
    bad: ClassVar[Columns] = {**WEEK, "c": ["a"] * 100 + ["z"] * 60 + ["y"] * 7 + ["b"]}


class TestDistribution(Suite):
    component = Distribution(
        column="x", per="day", mean=Bounds(about=50.0, within=0.3), median=Bounds(at_least=10.0, at_most=100.0),
        quantiles={"0.9": Bounds(at_most=100.0)}, missing_at_most=0.2, distinct_at_least=5,
    )  # fmt: skip
    config: ClassVar[Mapping[str, Any]] = {"columns": {**SCHEMA["columns"], "x": {"type": "number", "nullable": True}}}
    good: ClassVar[Columns] = {**WEEK, "x": np.linspace(40, 60, 168)}
    bad: ClassVar[Columns] = {
        **WEEK, "x": np.r_[np.linspace(40, 60, 72), np.linspace(4000, 6000, 24), [np.nan] * 20, np.full(52, 50.0)]
    }  # fmt: skip


class TestForeignKey(Suite):
    component = ForeignKey(other="things", keys={"c": "id"})
    good: ClassVar[Columns] = WEEK
    bad: ClassVar[Columns] = {**WEEK, "c": ["a", "b", "z", "q"] * 42}
    others: ClassVar[Mapping[str, Columns]] = {"things": {"id": ["b", "a", "c", "d"]}}


class TestTotals(Suite):
    component = Totals(column="x", other="things", keys={"c": "id"}, equals="sum", tolerance=0.01)
    config: ClassVar[Mapping[str, Any]] = {"columns": {**SCHEMA["columns"], "x": {"type": "number"}}}
    good: ClassVar[Columns] = {**WEEK, "x": [0.1, 0.2] * 84}
    bad: ClassVar[Columns] = {**WEEK, "x": [0.1, 0.2] * 83 + [0.1, 0.5]}
    others: ClassVar[Mapping[str, Columns]] = {"things": {"id": ["b", "a", "c"], "sum": [16.8, 8.4, 0.0]}}


def found(
    folder: Path, check: Check, columns: Columns, parts: int = 1, schema: Any = None, others: Any = None, **more: Any
) -> Findings:
    run = make_run(folder, schema=SCHEMA if schema is None else schema, label="it", **more)
    run = replace(run, tables={name: make_table(run, held) for name, held in (others or {}).items()})
    return check.check(make_table(run, columns, parts), run)


def one(folder: Path, check: Check, columns: Columns, **more: Any) -> Finding:
    items = found(folder, check, columns, **more).items
    assert len(items) == 1, [(item.rule, item.text) for item in items]
    return items[0]


# Freshness


def test_a_late_table_is_named_with_its_newest_row_and_a_row_of_the_future_does_not_hide_it(tmp_path: Path) -> None:
    times = np.r_[hours(48), [np.datetime64("NaT"), np.datetime64("2199-01-01", "us")], hours(5)]
    late = one(tmp_path, Freshness(within=2, as_of="2024-03-09"), {"when": times}, parts=3)
    assert (late.rows, late.samples) == ((47,), ("2024-03-05 23:00",))
    assert "2 days old as of 2024-03-09; it is of 2024-03-05 23:00, 1 day too old" in late.text
    assert found(tmp_path, Freshness(within=4, as_of="2024-03-09"), {"when": times}).passed


def test_rows_of_the_day_itself_are_fresh(tmp_path: Path) -> None:
    assert found(tmp_path, Freshness(within="1h", as_of="2024-03-04"), {"when": hours(20)}).passed
    assert not found(tmp_path, Freshness(within="1h", as_of="2024-03-04T22"), {"when": hours(20)}).passed


def test_the_day_is_part_of_the_fingerprint_and_a_declared_date_is_not(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert Freshness(within="2d").version(run) == moments.today()
    assert Freshness(within="36h").version(run) == moments.today(hourly=True)
    assert Freshness(within="2d", as_of="2024-03-09").version(run) == ""
    assert Volume().version(run) == ""
    assert Volume(as_of="today").version(run) == moments.today()


def test_a_table_as_of_today_is_judged_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelway_expectations.freshness.today", lambda hourly: "2024-03-07")
    assert found(tmp_path, Freshness(within=2), {"when": hours(48)}).passed
    monkeypatch.setattr("modelway_expectations.freshness.today", lambda hourly: "2024-03-09")
    assert not found(tmp_path, Freshness(within=2), {"when": hours(48)}).passed


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Freshness(within="2 moons"), "no duration"),
        (lambda: Freshness(within=2, as_of="yesterday"), "no moment"),
        (lambda: Categories(column="c", values=("a",), file="a.txt"), "one may"),
        (lambda: Distribution(column="x"), "expects nothing"),
        (lambda: Distribution(column="x", quantiles={"90": Bounds(at_most=1)}), "no quantile"),
        (lambda: Bounds(within=0.2), "Bounds need"),
        (lambda: ForeignKey(other="b", keys={}), "no key"),
    ],
)
def test_what_can_never_work_is_refused_when_it_is_declared(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make()


def test_a_column_that_is_absent_or_holds_no_times_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'whn'.*'when'"):
        found(tmp_path, Volume(column="whn"), WEEK)
    with pytest.raises(DataError, match="holds no times"):
        found(tmp_path, Volume(column="c"), WEEK)
    with pytest.raises(ConfigError, match="no time to go by"):
        found(tmp_path, Volume(), WEEK, schema={})
    with pytest.raises(DataError, match="holds no numbers"):
        found(tmp_path, Distribution(column="c", mean=Bounds(at_least=0)), WEEK)


# Volume


def test_missing_days_are_named_as_spans_also_up_to_the_declared_date(tmp_path: Path) -> None:
    times = WEEK["when"][np.r_[0:24, 72:120]]
    gap = one(tmp_path, Volume(), {"when": times}, parts=2)
    assert (gap.rule, gap.count, gap.unit, gap.samples) == ("missing", 2, "days", ("2024-03-05 to 2024-03-06",))
    gap = one(tmp_path, Volume(as_of="2024-03-11"), {"when": times})
    assert gap.samples == ("2024-03-05 to 2024-03-06", "2024-03-09 to 2024-03-10")


def test_days_of_the_week_that_are_not_looked_at_may_be_empty(tmp_path: Path) -> None:
    times = hours(24 * 14)
    monday = (times.astype("M8[D]").astype(int) + 3) % 7 == 0
    assert found(tmp_path, Volume(weekdays=("tue", "wed", "thu", "fri", "sat", "sun")), {"when": times[~monday]}).passed
    assert one(tmp_path, Volume(), {"when": times[~monday]}).samples == ("2024-03-11",)


def test_a_halved_day_is_found_against_the_median_with_its_first_row(tmp_path: Path) -> None:
    times = WEEK["when"][np.r_[0:36, 48:168]]
    low = one(tmp_path, Volume(within=0.4), {"when": times}, parts=3)
    assert (low.rule, low.count, low.rows, low.samples) == ("within", 1, (24,), ("2024-03-05: 12 rows",))
    assert "14.4 to 33.6 rows, the median being 24" in low.text


def test_a_last_day_that_is_cut_off_may_be_left_aside(tmp_path: Path) -> None:
    times = {"when": hours(24 * 3 + 5)}
    assert one(tmp_path, Volume(at_least=24), times).samples == ("2024-03-07: 5 rows",)
    assert found(tmp_path, Volume(at_least=24, edges=False), times).passed
    assert found(tmp_path, Volume(at_least=24, as_of="2024-03-07"), times).passed


def test_too_many_rows_an_hour_are_found(tmp_path: Path) -> None:
    high = one(tmp_path, Volume(per="hour", at_most=2), {"when": np.repeat(hours(6), [1, 1, 3, 1, 1, 2])})
    assert high.samples == ("2024-03-04 02h: 3 rows",)


# Categories


def test_new_vanished_and_rare_values_are_told_apart(tmp_path: Path) -> None:
    check = Categories(column="c", values=("a", "b", "gone"), at_least_share={"b": 0.2}, severity="warn")
    items = {i.rule: i for i in found(tmp_path, check, {"c": ["a"] * 18 + ["b", "z", None]}, parts=2).items}
    assert items.keys() == {"new_values", "vanished_values", "at_least_share"}
    new = items["new_values"]
    assert (new.count, new.rows, new.samples, new.severity) == (1, (19,), ("z",), "warn")
    assert items["vanished_values"].samples == ("gone",)
    assert items["at_least_share"].samples == ("b: 0.05",)


def test_a_stored_list_is_read_and_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for name, text in (("list.txt", "1\n2\n\n"), ("list.json", json.dumps([1, 2]))):
        (tmp_path / name).write_text(text)
        check = Categories(column="n", file=name)
        assert one(tmp_path, check, {"n": [1, 2, 3]}).samples == (3,)
        before = check.version(run)
        (tmp_path / name).write_text(text.replace("2", "3"))
        assert check.version(run) != before
    with pytest.raises(DataError, match=r"'nowhere.txt' is not there"):
        Categories(column="n", file="nowhere.txt").version(run)
    (tmp_path / "list.txt").write_bytes("caf\u00e9".encode("latin-1"))
    with pytest.raises(DataError, match=r"not UTF-8.*list\.txt"):
        found(tmp_path, Categories(column="n", file="list.txt"), {"n": [1]})


def test_the_schemas_values_are_expected_where_none_are_listed(tmp_path: Path) -> None:
    schema = {"columns": {"c": {"type": "category", "values": ["a", "b"]}}}
    assert one(tmp_path, Categories(column="c"), {"c": ["a"]}, schema=schema).samples == ("b",)
    with pytest.raises(ConfigError, match="Nothing says which values"):
        found(tmp_path, Categories(column="c"), {"c": ["a"]})


# Distribution


def test_cents_for_euros_are_found_on_the_day_they_come_and_called_a_change_of_unit(tmp_path: Path) -> None:
    x = np.linspace(40, 60, 168)
    x[48:72] *= 100
    odd = one(tmp_path, Distribution(column="x", per="day", median=Bounds(about=50, within=0.5)), {**WEEK, "x": x})
    assert (odd.count, odd.unit, odd.rows) == (1, "days", (48,))
    assert "100 times that: another unit (cents, or percent)?" in odd.text
    assert odd.samples[0].startswith("2024-03-06: 4")


def test_missing_values_and_few_distinct_ones_are_found(tmp_path: Path) -> None:
    columns = {"c": ["a", None, "b", "a", None, "a", "a", "b", "a", "a"]}
    assert found(tmp_path, Distribution(column="c", missing_at_most=0.2, distinct_at_least=2), columns).passed
    check = Distribution(column="c", missing_at_most=0.1, distinct_at_least=3)
    items = {item.rule: item for item in found(tmp_path, check, columns, parts=3).items}
    assert (items["missing_at_most"].count, items["missing_at_most"].rows) == (2, (1, 4))
    assert items["distinct_at_least"].samples == ("2",)


def test_a_column_without_any_value_is_no_good_mean(tmp_path: Path) -> None:
    check = Distribution(column="x", mean=Bounds(at_least=0))
    assert "there is no value" in one(tmp_path, check, {"x": np.full(4, np.nan)}).text


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, width=64), min_size=1, max_size=60),
    cut=st.integers(0, 60), q=st.floats(0, 1),
)  # fmt: skip
def test_a_quantile_is_within_its_bound_however_the_rows_are_cut(values: list[float], cut: int, q: float) -> None:
    def summary(some: list[float]) -> Summary:
        buckets, counts = np.unique(buckets_of(np.array(some, dtype=float)), return_counts=True)
        return Summary(len(some), buckets=dict(zip(buckets.tolist(), counts.tolist(), strict=True)))

    whole = summary(values).quantile(q)
    assert whole == summary(values[:cut]).plus(summary(values[cut:]), 5, 0).quantile(q)
    exact = sorted(values)[max(int(np.ceil(q * len(values))), 1) - 1]
    if np.isfinite(exact) and abs(exact) > 1e-300:
        assert abs(whole - exact) <= abs(exact) / 4096
    assert abs(whole) <= abs(exact)


def test_whole_numbers_are_read_exactly() -> None:
    numbers = np.arange(-8192, 8193)
    assert [value_of(bucket) for bucket in buckets_of(numbers).tolist()] == numbers.tolist()


# Between tables


def test_orphans_are_counted_by_rows_with_sample_keys_and_missing_keys_pass(tmp_path: Path) -> None:
    columns = {"a": [1, 2, None, 9, 9, 1], "b": ["x", "x", "x", "x", "x", "q"]}
    others = {"parents": {"k": np.array([1.0, 2.0, 9.0]), "b": ["x", "x", "y"]}}
    orphan = one(tmp_path, ForeignKey(other="parents", keys={"a": "k", "b": "b"}), columns, parts=3, others=others)
    assert (orphan.count, orphan.rows, orphan.column) == (3, (3, 5), "a, b")
    assert orphan.samples == ("a 9.0, b x", "a 1.0, b q")
    assert "2 are not" in orphan.text


def test_keys_that_can_never_be_equal_and_sources_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="never equal"):
        found(tmp_path, ForeignKey(other="p", keys={"a": "k"}), {"a": [1]}, others={"p": {"k": ["1"]}})
    with pytest.raises(ConfigError, match="no source 'q'"):
        found(tmp_path, ForeignKey(other="q", keys={"a": "k"}), {"a": [1]}, others={"p": {"k": [1]}})
    with pytest.raises(DataError, match="source 'p' has no column 'j'"):
        found(tmp_path, ForeignKey(other="p", keys={"a": "j"}), {"a": [1]}, others={"p": {"k": [1]}})


def test_totals_name_the_key_and_both_numbers_and_leave_orphans_to_the_foreign_key(tmp_path: Path) -> None:
    columns = {"order": [1, 1, 2, 7], "amount": [1.5, 2.5, 3.0, 99.0]}
    others = {"orders": {"id": [1, 2, 3, 4, 5], "total": [4.0, 3.5, 0.0, 8.0, None]}}
    check = Totals(column="amount", other="orders", keys={"order": "id"}, equals="total")
    odd = one(tmp_path, check, columns, others=others)
    assert (odd.count, odd.unit, odd.rows) == (2, "keys", (2,))
    assert odd.samples == ("order 2: 3, not 3.5", "order 4: 0, not 8")
    assert found(tmp_path, replace(check, tolerance=8), columns, others=others).passed


def test_totals_per_day_take_a_time_and_a_date_together(tmp_path: Path) -> None:
    days = np.arange("2024-03-04", "2024-03-11", dtype="M8[D]")
    columns = {"when": WEEK["when"], "n": np.ones(168)}
    others = {"days": {"day": days, "rows": [24, 24, 23, 24, 24, 24, 24]}}
    odd = one(tmp_path, Totals(column="n", other="days", keys={"when": "day"}, equals="rows"), columns, others=others)
    assert odd.samples == ("when 2024-03-06: 24, not 23",)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 4))
def test_orphans_and_totals_agree_with_a_plain_count(tmp_path: Path, seed: int, parts: int) -> None:
    draw = np.random.default_rng(seed)
    keys, amounts = draw.integers(0, 30, 50), draw.integers(-5, 5, 50)
    held = draw.permutation(30)[:20]
    totals = draw.integers(-3, 3, 20)
    others = {"p": {"k": held, "t": totals}}
    columns = {"k": keys, "x": amounts}
    orphans = found(tmp_path, ForeignKey(other="p", keys={"k": "k"}, samples=0), columns, parts, others=others)
    assert sum(i.count for i in orphans.items) == int((~np.isin(keys, held)).sum())
    wrong = sum(amounts[keys == key].sum() != total for key, total in zip(held, totals, strict=True))
    check = Totals(column="x", other="p", keys={"k": "k"}, equals="t")
    assert sum(i.count for i in found(tmp_path, check, columns, parts, others=others).items) == wrong


# On any compute


def apart(function: Any, items: Any) -> Iterator[Any]:
    """Map as a cluster would: everything that goes there and comes back is pickled."""
    for item in items:
        yield pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(function))(pickle.loads(pickle.dumps(item)))))


@pytest.mark.parametrize(
    "suite", [TestFreshness, TestVolume, TestCategories, TestDistribution, TestForeignKey, TestTotals]
)
def test_findings_are_the_same_on_workers_of_other_processes(tmp_path: Path, suite: type[Suite]) -> None:
    told = {}
    for name, workers in (("here", Workers()), ("there", Workers(map=apart))):
        run = suite().run(tmp_path, workers=workers)
        for parts in (1, 3):
            told[name, parts] = suite.component.check(make_table(run, suite.bad, parts), run)
    assert len({repr(findings) for findings in told.values()}) == 1
    assert next(iter(told.values())).items


def test_a_table_without_rows_has_none_of_what_is_expected(tmp_path: Path) -> None:
    empty = {"when": hours(0), "x": np.array([], float)}
    for check in (Freshness(within=1, as_of="2024-01-01"), Volume(), Distribution(column="x", mean=Bounds(at_least=0))):
        assert not found(tmp_path, check, empty).passed
    assert found(tmp_path, ForeignKey(other="p", keys={"x": "k"}), empty, others={"p": {"k": [1]}}).passed
