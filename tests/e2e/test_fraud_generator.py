"""The generated payments of the project fraud: the same everywhere, at any size, with the frauds that it tells of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelway import ConfigError, Table
from modelway.plugins import Plugins
from modelway.testing import make_run

PLUGIN = Path(__file__).parents[2] / "projects" / "fraud" / "plugin.py"
SMALL = {"customers": 200, "terminals": 300, "days": 42}


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins(only=[], inline=PLUGIN)


def load(plugins: Plugins, folder: Path, use: str = "transactions", seed: int = 7, **more: Any) -> Table:
    source = plugins.component("acquire", use, {**(SMALL if use == "transactions" else {}), **more})
    table: Table = source.load(make_run(folder, seed=seed))
    return table


def test_a_seed_gives_the_same_bytes_and_another_seed_another_town(plugins: Plugins, tmp_path: Path) -> None:
    first = load(plugins, tmp_path / "a")
    assert load(plugins, tmp_path / "b") == first
    assert load(plugins, tmp_path / "c", seed=8) != first


def test_more_days_leave_the_days_before_them_as_they_were(plugins: Plugins, tmp_path: Path) -> None:
    short, long = load(plugins, tmp_path), load(plugins, tmp_path, days=56)
    assert long.parts[: len(short.parts)] == short.parts
    days = load(plugins, tmp_path, part_days=1)
    assert len(days.parts) == 42
    assert days.arrow() == short.arrow()


def test_rows_come_in_order_of_time_each_with_its_own_number(plugins: Plugins, tmp_path: Path) -> None:
    rows: Any = load(plugins, tmp_path).read()
    assert (np.diff(rows["time"]) >= np.timedelta64(0)).all()
    assert len(np.unique(rows["transaction_id"])) == len(rows["time"])
    assert (rows["amount"] >= 0.5).all()
    span = rows["time"].min().astype("M8[D]"), rows["time"].max().astype("M8[D]")
    assert span == (np.datetime64("2026-01-01"), np.datetime64("2026-02-11"))


def test_each_scenario_is_what_it_says(plugins: Plugins, tmp_path: Path) -> None:
    rows: Any = load(plugins, tmp_path, customers=1500, terminals=1500, days=60).read()
    scenario, amount, time = rows["fraud_scenario"], rows["amount"], rows["time"]
    assert ((scenario > 0) == rows["fraud"]).all()
    assert 0.002 < rows["fraud"].mean() < 0.03
    assert set(np.unique(scenario)) == {0, 1, 2, 3}
    assert amount[scenario == 1].min() > 220
    usual = np.median(amount[scenario == 0])
    assert 3 < np.median(amount[scenario == 3]) / usual < 7
    assert 0.8 < np.median(amount[scenario == 2]) / usual < 1.25, "leaked cards are not told by their amounts"
    for what, entity, last in ((2, "terminal_id", 28), (3, "customer_id", 14)):
        chosen = scenario == what
        span = [np.ptp(time[chosen & (rows[entity] == one)]) for one in np.unique(rows[entity][chosen])]
        assert np.mean(np.asarray(span) < np.timedelta64(last, "D")) > 0.9, what  # a few are struck twice


@pytest.mark.parametrize("kind", ["amounts", "habits", "scenario"])
def test_a_drift_changes_the_days_from_its_own_on(plugins: Plugins, tmp_path: Path, kind: str) -> None:
    calm: Any = load(plugins, tmp_path).read()
    moved: Any = load(plugins, tmp_path, drift=[kind], drift_from=28).read()
    edge = np.datetime64("2026-01-29")
    before = calm["time"] < edge
    for name, column in calm.items():
        assert (column[before] == moved[name][: before.sum()]).all(), f"{name} changes before the drift"
    after = calm["time"] >= edge, moved["time"] >= edge
    if kind == "amounts":
        ratio = np.median(moved["amount"][after[1]]) / np.median(calm["amount"][after[0]])
        assert 1.3 < ratio < 1.5
    elif kind == "habits":
        assert (calm["terminal_id"][after[0]] == moved["terminal_id"][after[1]]).mean() < 0.1
    else:
        tries = moved["fraud_scenario"] == 4
        assert tries[after[1]].any()
        assert moved["amount"][tries].max() <= 6
        assert (moved["time"][tries].astype("M8[h]").astype(int) % 24 < 5).all()


def test_every_payment_finds_its_customer_and_its_terminal(plugins: Plugins, tmp_path: Path) -> None:
    rows: Any = load(plugins, tmp_path).read()
    for use, key in (("customers", "customer_id"), ("terminals", "terminal_id")):
        other: Any = load(plugins, tmp_path, use, customers=200, terminals=300).read()
        assert len(np.unique(other[key])) == len(other[key])
        assert np.isin(rows[key], other[key]).all()


def test_the_smallest_town_is_a_town(plugins: Plugins, tmp_path: Path) -> None:
    assert load(plugins, tmp_path, customers=1, terminals=1, days=30, drift=["amounts", "habits", "scenario"]).rows > 0


def test_a_start_that_is_no_day_is_explained(plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'soon' is no day"):
        load(plugins, tmp_path, start="soon")
