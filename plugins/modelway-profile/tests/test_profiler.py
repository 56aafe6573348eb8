"""The profiler: what merges, what is exact, how far sketches may be off, and what it warns about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_profile import TableProfile, merged, with_bytes

from modelway import Category, ConfigError, DataError, Directory, Profile, Schema, take
from modelway.testing import ProfilerSuite


class TestTableProfile(ProfilerSuite):
    component = TableProfile()
    tolerance = 1e-9


class TestTableProfileOfATarget(ProfilerSuite):
    component = TableProfile(target="b", time="when", max_categories=10)
    tolerance = 1e-9


class TestTableProfileOfClasses(ProfilerSuite):
    component = TableProfile(target="flag")
    tolerance = 1e-9


def profile(columns: Any, profiler: TableProfile | None = None) -> Profile:
    profiler = profiler or TableProfile()
    return profiler.finish(profiler.summarise(columns))


def kinds(profile: Profile, kind: str) -> list[str]:
    return [n for n, c in profile.body["columns"].items() if any(w["kind"] == kind for w in c["warnings"])]


numbers = st.one_of(
    st.floats(width=64, allow_nan=True, allow_infinity=True),
    st.integers(-(10**6), 10**6).map(float),
    st.sampled_from([0.0, -0.0, 1.5, 1e-310, -5e-324, 1e300, -1e300]),
)


def table(values: list[float], words: list[str | None], labels: list[int], days: list[int]) -> dict[str, Any]:
    return {
        "x": np.asarray(values, dtype=float),
        "word": Category.of(words),
        "y": np.asarray(labels, dtype=np.int64),
        "when": np.asarray(days, dtype="M8[D]"),
    }


@st.composite
def tables(draw: Any) -> tuple[dict[str, Any], int]:
    rows = draw(st.integers(2, 60))
    lists = [
        draw(st.lists(items, min_size=rows, max_size=rows))
        for items in (numbers, st.sampled_from(["a", "b", "é", "", None]), st.integers(0, 2), st.integers(-900, 900))
    ]
    return table(*lists), draw(st.integers(1, rows - 1))


EXACT = ("rows", "missing", "infinite", "zeros", "negatives", "low", "high", "distinct", "tally", "days", "per_day")


@settings(max_examples=60, deadline=None)
@given(tables())
def test_a_union_holds_exactly_what_its_parts_hold(drawn: tuple[dict[str, Any], int]) -> None:
    columns, cut = drawn
    profiler = TableProfile(target="y").bound(Schema.of({"columns": {}}), "multiclass")
    parts = [profile(take(columns, piece), profiler) for piece in (slice(0, cut), slice(cut, None))]
    both, whole = merged(*parts), profile(columns, profiler)
    json.dumps(whole.body, allow_nan=False)
    json.dumps(both.body, allow_nan=False)
    both, whole = both.body["state"], whole.body["state"]
    for name in ("x", "when"):
        for key in EXACT:
            assert both[name][key] == whole[name][key], (name, key)
        for grid in ("even", "digits"):
            assert both[name][grid] == whole[name][grid], (name, grid)
    word = {key: value for key, value in whole["word"].items() if key != "target"}
    assert {key: both["word"][key] for key in word} == word


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["normal", "lognormal", "sorted", "ties", "reversed"]),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=6),
)
def test_quantiles_are_within_the_rank_error_that_they_state(seed: int, shape: str, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    rows = sum(sizes)
    x = rng.lognormal(size=rows) if shape == "lognormal" else rng.normal(size=rows)
    x = {"sorted": np.sort(x), "reversed": np.sort(x)[::-1], "ties": np.where(x > 0, 0.0, x)}.get(shape, x)
    profiler, summary, at = TableProfile(), None, 0
    for size in sizes:
        made = profiler.summarise({"x": x[at : at + size].copy()})
        summary, at = made if summary is None else profiler.merge(summary, made), at + size
    facts = profiler.finish(summary).body["columns"]["x"]
    ordered, bound = np.sort(x), facts["rank_error"] * rows + 1
    assert facts["rank_error"] < 0.01
    for share, value in facts["quantiles"].items():
        low, high = np.searchsorted(ordered, value, "left"), np.searchsorted(ordered, value, "right")
        rank = float(share) * (rows - 1)
        assert low - bound <= rank <= high + bound, (share, value)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200_000))
def test_distinct_values_are_told_within_five_standard_errors(seed: int, wanted: int) -> None:
    values = np.random.default_rng(seed).permutation(np.arange(wanted) * 7919 - 10**9)
    whole = profile({"x": values, "t": values.astype(float) + 0.25})
    cut = wanted // 3
    for name in ("x", "t"):
        found = whole.body["columns"][name]
        assert abs(found["distinct"] - wanted) <= max(5 * found["distinct_error"] * wanted, 0)
    parts = [profile({"x": v, "t": v.astype(float) + 0.25}) for v in (values[:cut], values[cut:]) if len(v)]
    if len(parts) == 2:
        assert merged(*parts).body["state"]["x"]["distinct"] == whole.body["state"]["x"]["distinct"]


def test_frequent_values_are_found_among_many_and_their_counts_bounded() -> None:
    rng = np.random.default_rng(3)
    x = np.where(rng.random(60_000) < 0.05, 7.25, rng.normal(size=60_000))
    words = [f"w{n}" if n else "often" for n in np.where(rng.random(60_000) < 0.05, 0, rng.integers(1, 50_000, 60_000))]
    profiler = TableProfile(max_categories=500)
    made = [
        profiler.summarise({"x": x[i : i + 10_000], "w": Category.of(words[i : i + 10_000])})
        for i in range(0, 60_000, 10_000)
    ]
    summary = made[0]
    for later in made[1:]:
        summary = profiler.merge(summary, later)
    columns = profiler.finish(summary).body["columns"]
    for name, value, true in (("x", 7.25, int((x == 7.25).sum())), ("w", "often", words.count("often"))):
        first, error = columns[name]["top"][0], columns[name]["top_error"]
        assert first["value"] == value
        assert first["rows"] <= true <= first["rows"] + error
        assert error <= 60_000 / 500


def test_figures_equal_numpy_s() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(3, 2, 4000), rng.normal(size=4000)
    x[::7] = np.nan
    y += np.where(np.isnan(x), 0, x)
    facts = profile({"x": x, "y": y}, TableProfile(target="y")).body["columns"]["x"]
    held = x[~np.isnan(x)]
    assert facts["missing"] == int(np.isnan(x).sum())
    assert facts["mean"] == pytest.approx(held.mean())
    assert facts["std"] == pytest.approx(held.std(ddof=1))
    assert facts["target"]["pearson"] == pytest.approx(np.corrcoef(held, y[~np.isnan(x)])[0, 1])
    assert sum(facts["histogram"]["rows"]) == len(held)
    binary = profile({"x": x, "y": y > 3}, TableProfile(target="y")).body["columns"]["x"]["target"]
    assert binary["pearson"] == pytest.approx(np.corrcoef(held, (y > 3)[~np.isnan(x)])[0, 1])


def test_a_leak_put_on_purpose_is_named_and_honest_columns_are_not() -> None:
    rng = np.random.default_rng(11)
    rows = 6000
    label = rng.random(rows) < 0.03
    columns = {
        "amount": rng.lognormal(3, 1, rows) * (1 + label),
        "leak": np.where(label, rng.lognormal(12, 2, rows), rng.lognormal(2, 2, rows)),
        "middle": np.where(label, 0.5, np.where(rng.random(rows) < 0.5, 0.0, 1.0)) + rng.normal(0, 0.01, rows),
        "chargeback": Category.of(np.where(label, "yes", "no").tolist()),
        "shop": Category.of(f"s{n}" for n in rng.integers(0, 900, rows)),
        "card": Category.of(f"c{n}" for n in range(rows)),
        "row": np.arange(rows),
        "label": label,
    }
    found = profile(columns, TableProfile(target="label"))
    assert kinds(found, "leak") == ["leak", "middle", "chargeback"]
    assert kinds(found, "identifier") == ["card", "row"]
    total = rng.normal(size=rows)
    of_numbers = {
        "exp": np.exp(3 * total),
        "near": total + rng.normal(0, 0.2, rows),
        "weak": total + rng.normal(0, 2, rows),
        "card": columns["card"],
        "total": total,
    }
    assert kinds(profile(of_numbers, TableProfile(target="total")), "leak") == ["exp", "near"]


def test_the_schema_says_what_is_the_target_the_time_and_no_input() -> None:
    rows = 200
    declared = Schema.of(
        {
            "columns": {
                "id": {"type": "integer", "role": "id"},
                "at": {"type": "timestamp", "role": "time"},
                "kind": {"type": "category"},
                "y": {"type": "string", "role": "target", "values": ["bad", "good"], "positive": "bad"},
            }
        }
    )
    columns = {
        "id": np.arange(rows),
        "at": np.datetime64("2024-01-01T06:00", "us") + np.arange(rows) * np.timedelta64(6, "h"),
        "kind": np.arange(rows) % 2,
        "y": Category.of(["good" if i % 2 else "bad" for i in range(rows)]),
    }
    columns["at"][40:60] = columns["at"][39]  # four days without a row of their own
    found = profile(columns, TableProfile().bound(declared, "binary"))
    table = found.body["table"]
    assert (table["target"], table["positive"], table["time"]) == ("y", "bad", "at")
    assert table["volume"]["gaps"] == 4
    assert table["volume"]["last"] == "2024-02-20"
    assert [w["kind"] for w in table["warnings"]] == ["gap"]
    assert kinds(found, "identifier") == []
    assert kinds(found, "leak") == ["kind"]
    assert found.body["columns"]["kind"]["target"]["pearson"] == pytest.approx(-1.0)


def test_a_profile_that_was_read_back_says_and_merges_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    profiler = TableProfile(target="y")
    parts = [
        profile(
            {"x": rng.normal(size=5000), "w": Category.of("abc"[i % 3] for i in range(5000)), "y": rng.random(5000)}
        )
        for _ in range(2)
    ]
    parts = [with_bytes(part, 100) for part in parts]
    for i, part in enumerate(parts):
        part.save(Directory(tmp_path / str(i)))
    back = [Profile.load(Directory(tmp_path / str(i))) for i in range(2)]
    assert back[0].body == json.loads(json.dumps(parts[0].body))
    assert merged(*back).body == merged(*parts).body
    assert merged(*back).body["table"]["bytes"] == 200
    assert profiler.config() != merged(*back).body["profiler"]["settings"]


def test_whole_numbers_with_missing_values_and_large_identifiers_keep_their_type() -> None:
    big = 2**60 + np.arange(300)
    found = profile({"big": big, "gap": np.asarray([1.0, np.nan] * 150), "f": np.asarray([1.0, 2.5] * 150)}).body[
        "columns"
    ]
    assert [found[name]["type"] for name in ("big", "gap", "f")] == ["integer", "integer", "number"]
    assert (found["big"]["min"], found["big"]["max"]) == (2**60, 2**60 + 299)
    assert found["big"]["distinct"] == 300


def test_a_part_that_lacks_a_column_or_changes_its_type_is_refused_by_name() -> None:
    profiler = TableProfile()
    a = profiler.summarise({"x": np.arange(3), "w": np.arange(3)})
    with pytest.raises(DataError, match="x"):
        profiler.merge(a, profiler.summarise({"w": np.arange(3)}))
    with pytest.raises(DataError, match="'w' holds numbers in one part of the table and texts"):
        profiler.merge(a, profiler.summarise({"x": np.arange(1), "w": Category.of(["a"])}))
    empty = profiler.merge(a, profiler.summarise({"x": np.arange(2), "w": Category.of([None, None])}))
    assert profiler.finish(empty).body["columns"]["w"]["missing"] == 2
    with pytest.raises(ConfigError, match="targat"):
        TableProfile(target="targat").summarise({"target": np.arange(3)})
