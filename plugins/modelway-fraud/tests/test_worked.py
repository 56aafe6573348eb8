"""The worked table, value by value, and defects that published code has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelway_fraud.metric import Fraud
from modelway_fraud.table import ByThreshold, tabulate
from modelway_fraud.transactions import Transactions

from modelway import Category, ConfigError, DataError, Predictions, Score, build
from modelway.testing import make_run

#: Account, day, hour, amount, label, score.
WORKED = [
    ("A", 0, 0, 100, 1, 0.20), ("A", 0, 1, 200, 1, 0.90), ("A", 0, 2, 300, 1, 0.30),
    ("B", 0, 0, 50, 0, 0.10), ("B", 1, 0, 500, 1, 0.40),
    ("C", 0, 0, 10, 0, 0.60), ("C", 10, 0, 10, 0, 0.70), ("C", 45, 0, 10, 0, 0.95),
    ("D", 0, 0, 20, 0, 0.55), ("E", 0, 0, 30, 0, 0.05),
]  # fmt: skip
START = np.datetime64("2018-01-01T00:00:00", "us")


def predictions(rows: list[Any] = WORKED, phase: str = "test", **columns: Any) -> Predictions:
    """Make predictions of rows."""
    entity, day, hour, amount, label, score = (list(column) for column in zip(*rows, strict=True))
    made = {
        "row": np.arange(len(rows)),
        "label": np.array(label, dtype=np.float64),
        "score": np.array(score, dtype=np.float64),
        "entity": Category.of(entity),
        "time": START + np.array(day) * np.timedelta64(1, "D") + np.array(hour) * np.timedelta64(1, "h"),
        "amount": np.array(amount, dtype=np.float64),
        **columns,
    }
    kept = {name: column for name, column in made.items() if column is not None}
    return Predictions(None, "binary", (0, 1), "fold", phase, kept)  # type: ignore[arg-type]  # no table is read


def at(rows: list[Any], *thresholds: float, **fields: Any) -> ByThreshold:
    """Tabulate rows at some thresholds."""
    return tabulate(Transactions.of(predictions(rows), "fraud"), np.array(thresholds), **fields)


def measure(
    path: Path, rows: list[Any] = WORKED, *, chosen: Any = None, phase: str = "test", **f: Any
) -> dict[str, Score]:
    """Measure rows by the metric."""
    run = make_run(path, chosen=chosen or {})
    return {score.metric: score for score in Fraud(**f).measure(predictions(rows, phase), run).entries}


TABLE = {
    0.0: (1.0, 1100, 4, 2.0, 1.5),
    0.249: (1.0, 1000, 3, 1.5, 1.0),
    0.499: (0.5, 500, 3, 3.0, 2.0),
    0.649: (0.5, 500, 2, 2.0, 1.0),
    0.899: (0.5, 500, 1, 1.0, 1.0),
    0.949: (0.0, 0, 1, None, None),
}


@pytest.mark.parametrize("threshold", TABLE)
def test_the_worked_table_comes_out_exactly(threshold: float, tmp_path: Path) -> None:
    adr, saved, contacts, afpr, accounts = TABLE[threshold]
    found = measure(tmp_path, threshold=threshold)
    assert [found[name].value for name in ("adr", "vdr_0", "afpr", "afpr_accounts")] == [
        adr, saved / 1100, afpr, accounts,
    ]  # fmt: skip
    assert all(score.threshold == threshold for score in found.values())
    table = found["adr"].detail["table"]
    place = table["threshold"].index(threshold)
    assert [table[name][place] for name in ("adr", "contacts", "afpr", "afpr_accounts")] == [
        adr, contacts, afpr, accounts,
    ]  # fmt: skip
    assert table["vdr_0"][place] == pytest.approx(saved / 1100, abs=1e-6)


def test_the_other_columns_of_the_worked_rows_are_right(tmp_path: Path) -> None:
    found = measure(tmp_path, threshold=0.249)
    assert {name: found[name].value for name in ("tdr", "tfpr", "dol_frd", "dol_nf")} == {
        "tdr": 3 / 4, "tfpr": 4 / 3, "dol_frd": 1000 / 1100, "dol_nf": 50 / 130,
    }  # fmt: skip
    assert found["alerts_per_day"].value == (3 + 2) / 46
    detail = found["adr"].detail
    assert (detail["accounts"], detail["loss"], detail["days"]) == ({"fraud": 2, "good": 3}, 1100, 46)


def test_the_last_account_is_counted_like_every_other() -> None:
    last = [row for row in WORKED if row[0] in "CDE"] + [("Z", 0, 0, 70, 1, 0.8)]
    found = at(last, 0.0, 0.5)
    assert found.detected.tolist() == [1, 1]
    assert found.saved[0].tolist() == [1.0, 1.0]
    assert at(WORKED, 0.0).contacts.tolist() == [4]  # E, the last, among them


def test_savings_of_one_bin_add_up() -> None:
    """Two accounts whose alerts fall in one bin: neither's savings may take the other's place."""
    rows = [("A", 0, 0, 100, 1, 0.9), ("A", 0, 1, 200, 1, 0.1), ("B", 0, 0, 500, 1, 0.9), ("B", 1, 0, 200, 1, 0.1)]
    assert at(rows, 0.0, 0.899).saved[0].tolist() == [1.0, 1.0]
    assert at(WORKED, 0.899).saved[0].tolist() == [500 / 1100]  # and not 501 / 1100


def test_nothing_detected_is_no_number_and_nothing_is_added_to_denominators(tmp_path: Path) -> None:
    found = measure(tmp_path, threshold=0.949)
    assert found["afpr"].value is None
    assert "no fraud account is detected" in found["afpr"].detail["note"]
    assert measure(tmp_path, threshold=0.249)["afpr"].value == 1.5


def test_losses_are_all_fraud_and_not_what_the_lowest_threshold_saves() -> None:
    """Half of the loss comes before any alert, and cannot be saved at any threshold."""
    rows = [("A", 0, 0, 100, 1, 0.0), ("A", 1, 0, 100, 1, 0.5)]
    assert at(rows, 0.0).saved[0].tolist() == [0.5]


def test_sampling_corrects_ratios_of_good_to_bad_and_nothing_else(tmp_path: Path) -> None:
    plain = measure(tmp_path, threshold=0.249)
    found = measure(tmp_path, threshold=0.249, good_rate=0.1, fraud_rate=0.5)
    for name in ("adr", "vdr_0", "vdr_15", "tdr", "dol_frd", "dol_nf"):
        assert found[name].value == plain[name].value
    for name in ("afpr", "afpr_accounts", "tfpr"):
        assert found[name].value == pytest.approx(plain[name].value * 5)
    assert found["alerts_per_day"].value == pytest.approx((3 / 0.1 + 2 / 0.5) / 46)


def test_a_score_of_nothing_is_above_no_threshold() -> None:
    found = at([("A", 0, 0, 100, 1, 0.0), ("B", 0, 0, 100, 0, 0.0)], 0.0)
    assert (found.detected.tolist(), found.contacts.tolist()) == ([0], [0])


def test_switches_do_what_they_say() -> None:
    early = [("A", 0, 0, 9, 0, 0.9), ("A", 1, 0, 100, 1, 0.2), ("A", 2, 0, 300, 1, 0.6)]
    assert at(early, 0.8, detect_from="any").saved[0].tolist() == [1.0]
    late = at(early, 0.5, 0.8, detect_from="first_fraud")
    assert (late.detected.tolist(), late.saved[0].tolist()) == ([1, 0], [0.75, 0.0])
    assert at(early, 0.5, detect_from="first_fraud", include_trigger=False).saved[0].tolist() == [0.0]
    assert at(early, 0.1, detect_from="first_fraud", include_trigger=False).saved[0].tolist() == [0.75]
    one = [("A", 0, 0, 100, 1, 0.9)]
    assert at(one, 0.5).saved[0].tolist() == [1.0]
    assert at(one, 0.5, include_trigger=False).saved[0].tolist() == [0.0]


def test_a_delay_spends_what_comes_before_the_block() -> None:
    rows = [("A", 0, 0, 100, 1, 0.9), ("A", 0, 1, 200, 1, 0.1), ("A", 0, 2, 700, 1, 0.1)]
    found = at(rows, 0.5, delays=(0, 59, 60, 61, 120, 121)).saved
    assert [found[delay].tolist() for delay in found] == [[1.0], [0.9], [0.9], [0.7], [0.7], [0.0]]


def test_the_operating_point_is_chosen_on_one_phase_and_used_on_the_next(tmp_path: Path) -> None:
    valid = measure(tmp_path, phase="valid", afpr_at_most=1.5, thresholds=20)
    point = valid["adr"].detail["operating_point"]
    assert point["threshold"] == 0.05  # where E is left alone, and C and D are contacted
    assert valid["afpr"].value == 1.5
    assert "at most 1.5 contacts for each detected fraud account on the valid rows: 1.5" in point["reason"]
    changed = [row for row in WORKED if row[0] != "A"]
    found = measure(tmp_path, changed, chosen=point, afpr_at_most=1.5, thresholds=20)
    assert found["adr"].threshold == 0.05
    assert found["adr"].detail["operating_point"]["phase"] == "valid"
    assert found["adr"].detail["operating_point"]["reason"].endswith("on the test rows it gives 3")
    assert found["afpr"].value == 3.0


def test_a_bound_that_no_threshold_keeps_is_said_with_what_is_possible(tmp_path: Path) -> None:
    found = measure(tmp_path, afpr_at_most=0.5)["adr"]
    assert (found.value, found.threshold) == (None, None)
    assert "No threshold keeps 0.5" in found.detail["note"]
    assert "the fewest are 1, at 0.7" in found.detail["note"]
    assert measure(tmp_path, alerts_at_most=2 / 46)["alerts_per_day"].value == 2 / 46


def test_what_is_wrong_is_told_with_the_role_or_the_row(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for role in ("entity", "time", "amount"):
        with pytest.raises(ConfigError, match=f"role '{role}'"):
            Fraud().measure(predictions(**{role: None}), run)
    with pytest.raises(ConfigError, match="timestamp"):
        Fraud().measure(predictions(time=np.arange(10)), run)
    broken = [(*WORKED[0][:3], -1, *WORKED[0][4:]), *WORKED[1:]]
    with pytest.raises(DataError, match=r"1 of the 10 test rows have a missing or negative amount.*row 0"):
        Fraud().measure(predictions(broken), run)
    with pytest.raises(DataError, match="no account"):
        Fraud().measure(predictions([(None, *WORKED[0][1:]), *WORKED[1:]]), run)
    with pytest.raises(DataError, match="not between 0 and 1"):
        Fraud().measure(predictions(score=np.full(10, 1.5)), run)


def test_settings_that_cannot_be_meant_are_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="several rules"):
        Fraud(threshold=0.5, afpr_at_most=2)
    with pytest.raises(ConfigError, match="no delay"):
        Fraud(delays=())
    with pytest.raises(ConfigError, match=r"delays\[0\]"):
        build(Fraud, {"delays": [-1]})
