"""Diffs, drift from stored profiles, and the pages."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelway_profile import TableProfile, by_month, describe, diff, diff_page, over_time, page

from modelway import Category, ConfigError, Profile, take

BIKE = Path(__file__).parents[4] / "shared" / "data" / "bike_hour.parquet"


def profile(columns: Any, profiler: TableProfile | None = None) -> Profile:
    profiler = profiler or TableProfile()
    return profiler.finish(profiler.summarise(columns))


def bike() -> dict[str, Any]:
    if not BIKE.is_file():
        pytest.skip("the bike-sharing table is not beside the repository")
    import pyarrow.parquet as pq

    from modelway import from_arrow

    return from_arrow(pq.read_table(BIKE))


def test_a_year_against_the_next_has_its_known_psi_and_the_months_show_when_it_grew() -> None:
    columns = bike()
    year = columns["ts"].astype("M8[Y]")
    profiler = TableProfile(target="cnt")
    a, b = (profile(take(columns, year == np.datetime64(y)), profiler) for y in ("2011", "2012"))
    months = by_month(profiler, [take(columns, slice(i, i + 2000)) for i in range(0, 17379, 2000)], "ts")
    found = diff(a, b, months)
    known = {"cnt": 0.244, "registered": 0.311, "temp": 0.036, "windspeed": 0.004}
    assert {name: found["columns"][name]["psi"] for name in known} == pytest.approx(known, abs=0.01)
    assert [found["columns"][name]["verdict"] for name in ("registered", "cnt", "temp", "ts")] == [
        "far", "moved", "same", "passing",
    ]  # fmt: skip
    assert next(iter(months)) == "2011-01"
    assert len(months) == 24
    series = found["columns"]["registered"]["by_month"]
    before, after = [series[f"2011-{m:02}"] for m in range(4, 13)], [series[f"2012-{m:02}"] for m in range(4, 12)]
    assert max(before) < 0.25 < min(after)
    assert found["columns"]["yr"]["verdict"] == "far"
    quarters = [take(columns, (year == np.datetime64(y)) & (columns["mnth"] <= 3)) for y in ("2011", "2012")]
    first = diff(*(profile(q, profiler) for q in quarters))["columns"]
    assert first["cnt"]["psi"] == pytest.approx(0.651, abs=0.01)


def reference(rng: Any, rows: int = 8000) -> dict[str, Any]:
    return {
        "x": rng.normal(size=rows),
        "flag": (rng.random(rows) < 0.05).astype(np.int64),
        "city": Category.of(np.asarray(["bonn", "köln", "<b>"])[rng.integers(0, 3, rows)].tolist()),
        "gone": np.ones(rows),
        "kept": rng.integers(0, 50, rows),
    }


def test_what_changed_is_named_and_what_did_not_is_left_in_peace() -> None:
    rng = np.random.default_rng(1)
    a, b = reference(rng), reference(rng)
    b["x"] = np.where(rng.random(8000) < 0.3, np.nan, b["x"] * 100)
    b["flag"] = (rng.random(8000) < 0.5).astype(np.int64)
    b["city"] = Category.of(["bonn", "ulm"] * 4000)
    del b["gone"]
    b["fresh"] = np.ones(8000)
    found = diff(profile(a), profile(b))
    json.dumps(found, allow_nan=False)
    assert (found["added"], found["removed"]) == (["fresh"], ["gone"])
    assert {name: found["columns"][name]["verdict"] for name in ("x", "flag", "city", "kept")} == {
        "x": "far", "flag": "far", "city": "far", "kept": "same",
    }  # fmt: skip
    city = found["columns"]["city"]
    assert [v["value"] for v in city["new"]["values"]] == ["ulm"]
    assert {v["value"] for v in city["vanished"]["values"]} == {"köln", "<b>"}
    assert city["chi2"]["cramers_v"] > 0.5
    assert found["order"][-1] == "kept"
    assert all(diff(profile(a), profile(a))["columns"][name]["verdict"] == "same" for name in a)


def test_ks_from_sketches_is_that_of_the_rows() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=30_000), rng.normal(0.3, 1.2, size=30_000)
    points = np.concatenate([x, y])
    a, b = (np.searchsorted(np.sort(side), points, "right") / 30_000 for side in (x, y))
    found = over_time(profile({"x": x}), {"now": profile({"x": y})})
    both = diff(profile({"x": x}), profile({"x": y}))["columns"]["x"]
    assert both["ks"] == pytest.approx(np.abs(a - b).max(), abs=0.004)
    assert found["x"]["now"] == both["psi"]


class Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.asked += [v for k, v in attrs if v and k in ("src", "srcset", "data", "poster")]
        self.asked += [named["href"] or ""] if tag == "link" else []
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [named["href"] or ""] if tag == "a" else []
        if tag not in ("meta", "input", "col", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(text: str) -> Parts:
    parts = Parts()
    parts.feed(text)
    assert not parts.open
    assert not parts.asked, "The page asks for something from outside"
    assert not re.search(r"https?://|@import|url\(", text), "The page names an address"
    assert all(link[1:] in parts.ids for link in parts.links), "A link leads nowhere"
    return parts


def test_pages_are_whole_offline_and_escape_what_the_table_holds() -> None:
    rng = np.random.default_rng(4)
    columns = {
        **reference(rng, 900),
        "<script>alert(1)</script>": Category.of(["<img src=x onerror=alert(1)>"] * 900),
        "a b\"'&": rng.lognormal(0, 4, 900),
        "when": np.datetime64("2024-01-01", "us") + np.arange(900) * np.timedelta64(13, "h"),
        "void": np.full(900, np.nan),
        "inf": np.where(np.arange(900) == 3, np.inf, 1.0),
    }
    for target in ("", "flag", "city", "x"):
        made = profile(columns, TableProfile(target=target))
        text = page(made, "<Table>")
        check(text)
        assert "<script>alert" not in text
        assert "<img" not in text
        assert text == page(made, "<Table>")
    months = by_month(TableProfile(), [columns], "when")
    check(diff_page(profile(columns), profile(take(columns, slice(300, None))), "Changed", months))
    one_row = profile({name: column[:1] for name, column in columns.items()})
    check(page(one_row))
    check(diff_page(one_row, profile({"when": columns["when"]})))


def test_a_description_is_plain_json_with_the_worst_warning_first() -> None:
    rng = np.random.default_rng(4)
    columns = {"row": np.arange(500), "y": rng.random(500) < 0.5}
    columns["copy"] = columns["y"].astype(float)
    told = describe(profile(columns, TableProfile(target="y")))
    json.dumps(told, allow_nan=False)
    assert [(w["kind"], w["column"]) for w in told["warnings"]] == [("leak", "copy"), ("identifier", "row")]
    assert "state" not in told


def test_months_of_a_column_that_is_no_time_are_refused() -> None:
    with pytest.raises(ConfigError, match="'x' is not a time"):
        by_month(TableProfile(), [{"x": np.arange(3)}], "x")
    with pytest.raises(ConfigError, match="no column 'wen'"):
        by_month(TableProfile(), [{"when": np.arange(3)}], "wen")
