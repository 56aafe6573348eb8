"""Every threshold at once against a scan of each by itself, and what must hold for any rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_fraud.cards import CardPrecision
from modelway_fraud.table import ByThreshold, tabulate
from modelway_fraud.transactions import DAY, MINUTE, Transactions

from modelway import Predictions

GRID = np.arange(20) / 20


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Draw transactions of a few accounts: whole minutes or days apart, ties in time and score among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 60))
    unit = draw(st.sampled_from([MINUTE, DAY // 2, 20 * DAY]))
    accounts = rng.integers(0, draw(st.integers(1, 8)), size)
    bad = rng.random(9) < draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    scores = rng.random(size) ** draw(st.integers(1, 4))
    return {
        "row": rng.permutation(size),
        "entity": accounts * 7 + 3,
        "time": (rng.integers(0, 30, size) * unit).astype("M8[us]"),
        "amount": rng.integers(0, 1000, size).astype(float),
        "label": (bad[accounts] & (rng.random(size) < 0.5)).astype(float),
        "score": scores.round(draw(st.sampled_from([1, 2, 16]))),
    }


def rows_of(columns: dict[str, Any]) -> Transactions:
    """Order rows."""
    return Transactions.of(Predictions(None, "binary", (0, 1), "f", "test", columns), "fraud")  # type: ignore[arg-type]  # no table is read


def slowly(
    columns: dict[str, Any], threshold: float, delay: int, period: float | None, detect_from: str, trigger: bool
) -> dict[str, float]:
    """Measure one threshold as the definitions read: account by account, row by row."""
    ordered = sorted(range(len(columns["row"])), key=lambda i: (columns["time"][i], columns["row"][i]))
    accounts: dict[int, list[int]] = {}
    for i in ordered:
        accounts.setdefault(int(columns["entity"][i]), []).append(i)
    out = {"detected": 0, "contacts": 0, "contacted": 0, "saved": 0.0, "frauds": 0, "goods": 0}
    for rows in accounts.values():
        time = [int(columns["time"][i].astype("M8[us]").astype(np.int64)) for i in rows]
        bad = [columns["label"][i] == 1 for i in rows]
        above = [columns["score"][i] > threshold for i in rows]
        out["frauds"] += sum(a and b for a, b in zip(above, bad, strict=True))
        out["goods"] += sum(a and not b for a, b in zip(above, bad, strict=True))
        if any(bad):
            since = time[bad.index(True)] if detect_from == "first_fraud" else time[0]
            alerts = [j for j in range(len(rows)) if above[j] and time[j] >= since]
            if alerts:
                out["detected"] += 1
                blocked = time[alerts[0]] + delay * MINUTE
                for j, i in enumerate(rows):
                    later = time[j] >= blocked and (trigger or j > alerts[0])
                    out["saved"] += columns["amount"][i] * (bad[j] and later)
        else:
            last = None
            for j in range(len(rows)):
                if above[j] and (last is None or (period is not None and time[j] - last >= period * DAY)):
                    out["contacts"] += 1
                    last = time[j]
            out["contacted"] += any(above)
    return out


@settings(max_examples=150, deadline=None)
@given(
    columns=tables(),
    delays=st.lists(st.sampled_from([0, 1, 5, 720]), min_size=1, max_size=3, unique=True),
    period=st.sampled_from([None, 0.0, 0.5, 1.0, 30.0]),
    detect_from=st.sampled_from(["any", "first_fraud"]),
    trigger=st.booleans(),
)
def test_all_thresholds_at_once_are_those_of_a_scan_of_each(
    columns: dict[str, Any], delays: list[int], period: float | None, detect_from: str, trigger: bool
) -> None:
    found = tabulate(
        rows_of(columns), GRID, delays=delays, contact_period=period, detect_from=detect_from, include_trigger=trigger
    )
    loss = float(columns["amount"][columns["label"] == 1].sum())
    for place, threshold in enumerate(GRID):
        for delay in delays:
            wanted = slowly(columns, threshold, delay, period, detect_from, trigger)
            saved = wanted.pop("saved")
            assert {name: getattr(found, name)[place] for name in wanted} == wanted
            if loss:
                assert found.saved[delay][place] * loss == pytest.approx(saved, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(columns=tables(), detect_from=st.sampled_from(["any", "first_fraud"]), trigger=st.booleans())
def test_what_is_detected_and_saved_falls_with_the_threshold_and_the_delay(
    columns: dict[str, Any], detect_from: str, trigger: bool
) -> None:
    columns["score"] = np.maximum(columns["score"], 0.01)
    found = tabulate(
        rows_of(columns), GRID, delays=(0, 1, 5, 720), detect_from=detect_from, include_trigger=trigger
    )  # fmt: skip
    table = found.columns()
    if not found.accounts:
        assert np.isnan(table["adr"]).all()
        return
    assert (np.diff(table["adr"]) <= 0).all()
    assert table["adr"][0] == 1
    multiple = found.detected[found.detected > 0] * table["afpr"][found.detected > 0]
    assert multiple == pytest.approx(multiple.round(), abs=1e-9)
    if not found.loss:
        return
    for delay in (0, 1, 5, 720):
        assert (np.diff(table[f"vdr_{delay}"]) <= 0).all()
    assert (np.diff([table[f"vdr_{delay}"] for delay in (0, 1, 5, 720)], axis=0) <= 1e-12).all()
    if trigger:
        assert table["vdr_0"][0] == 1


@settings(max_examples=60, deadline=None)
@given(columns=tables(), seed=st.integers(0, 99))
def test_names_of_accounts_and_the_order_of_rows_change_nothing(columns: dict[str, Any], seed: int) -> None:
    """Parts are read one after another, so that rows of an account that straddles parts come in any order."""
    rng = np.random.default_rng(seed)
    before = tabulate(rows_of(columns), GRID, delays=(0, 5))
    turned = rng.permutation(len(columns["row"]))
    changed = {name: column[turned] for name, column in columns.items()}
    changed["entity"] = rng.permutation(100)[changed["entity"]]
    _same(before, tabulate(rows_of(changed), GRID, delays=(0, 5)))


def _same(a: ByThreshold, b: ByThreshold) -> None:
    for name, column in a.columns().items():
        assert np.allclose(column, b.columns()[name], rtol=1e-12, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(columns=tables())
def test_without_a_contact_period_rows_count_and_with_an_endless_one_accounts(columns: dict[str, Any]) -> None:
    rows = rows_of(columns)
    bad = set(columns["entity"][columns["label"] == 1])
    good = np.array([entity not in bad for entity in columns["entity"]])
    for period in (0.0, None):
        found = tabulate(rows, GRID, contact_period=period).contacts
        for place, threshold in enumerate(GRID):
            above = good & (columns["score"] > threshold)
            wanted = above.sum() if period == 0 else len(set(columns["entity"][above]))
            assert found[place] == wanted


@settings(max_examples=80, deadline=None)
@given(columns=tables(), k=st.integers(1, 5), remove=st.booleans())
def test_cards_are_checked_day_by_day_as_defined(columns: dict[str, Any], k: int, remove: bool) -> None:
    predictions = Predictions(None, "binary", (0, 1), "f", "test", columns)  # type: ignore[arg-type]  # no table is read
    no_run: Any = None
    (found,) = CardPrecision(k=k, remove_detected=remove).measure(predictions, no_run).entries
    days = columns["time"].astype("M8[D]")
    known: set[int] = set()
    shares = []
    for day in sorted(set(days)):
        cards: dict[int, list[float]] = {}
        for i in np.flatnonzero(days == day):
            card = int(columns["entity"][i])
            if card not in known:
                score, bad = cards.get(card, (0.0, 0.0))
                cards[card] = [max(score, columns["score"][i]), max(bad, columns["label"][i])]
        top = sorted(cards, key=lambda card: (-cards[card][0], card))[:k]
        hits = [card for card in top if cards[card][1]]
        known |= set(hits) if remove else set()
        shares.append(len(hits) / k)
    assert found.value == pytest.approx(np.mean(shares))
    assert found.value <= found.detail["best"] + 1e-12
