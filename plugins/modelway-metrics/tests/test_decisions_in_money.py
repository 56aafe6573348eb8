"""The metric business: values by outcome, the rule of the operating point, and the words for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_metrics.business import Business

from modelway import ConfigError, DataError, Predictions, Score
from modelway.testing import make_run

COSTS: dict[str, Any] = {"tp": "amount - 2", "fp": -5, "fn": "-amount", "tn": 0.25, "currency": "EUR", "bootstrap": 0}


def rows(label: Any, score: Any, amount: Any, phase: str = "valid", without: str = "", **more: Any) -> Predictions:
    """Make predictions; two rows a day."""
    size = len(label)
    columns = {
        "row": np.arange(size),
        "label": np.asarray(label, dtype=float),
        "score": np.asarray(score, dtype=float),
        "amount": np.asarray(amount, dtype=float),
        "time": np.datetime64("2024-01-01T12:00", "us") + np.arange(size) // 2 * np.timedelta64(1, "D"),
        **more,
    }
    kept = {name: column for name, column in columns.items() if name != without}
    return Predictions(None, "binary", (0, 1), "f", phase, kept)  # type: ignore[arg-type]  # no table is read


SMALL = rows([1, 0, 1, 0, 0, 1], [0.9, 0.8, 0.7, 0.4, 0.3, 0.1], [100, 10, 50, 10, 10, 3])


def measure(path: Path, predictions: Predictions = SMALL, chosen: Any = None, **fields: Any) -> dict[str, Score]:
    """Measure rows."""
    run = make_run(path, label="money", chosen=chosen or {})
    return {score.metric: score for score in Business(**{**COSTS, **fields}).measure(predictions, run).entries}


def by_hand(predictions: Predictions, threshold: Any, *, weight: Any = 1.0) -> float:
    """Add the outcomes up as declared."""
    amount: Any = predictions.columns["amount"]
    alert, bad = predictions.score >= threshold, predictions.label == 1
    each = np.where(bad, np.where(alert, amount - 2, -amount), np.where(alert, -5, 0.25))
    return float((each * weight).sum())


def test_the_highest_value_is_found_and_told_with_what_no_alert_would_give(tmp_path: Path) -> None:
    found = measure(tmp_path)
    point = found["value"].detail["operating_point"]
    assert found["value"].value == 98 - 5 + 48 + 0.25 * 2 - 3 == by_hand(SMALL, 0.7)
    assert found["saved"].value == found["value"].value - (-153 + 0.75)
    assert {name: found[name].value for name in ("threshold", "alerts_per_day", "contacts_per_detected")} == {
        "threshold": 0.7, "alerts_per_day": 1.0, "contacts_per_detected": 1.5,
    }  # fmt: skip
    assert point["reason"] == (
        "The highest value on the valid rows: EUR 138.50 at 0.7; without any alert it is EUR -152.25"
    )
    assert point["rule"] == {"choose": "cost"}


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 9999), size=st.integers(1, 60), ties=st.booleans(), weighted=st.booleans())
def test_no_threshold_is_worth_more_than_the_chosen_one(seed: int, size: int, ties: bool, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    score = rng.random(size).round(1 if ties else 16)
    weight = rng.integers(0, 3, size).astype(float) if weighted else np.ones(size)
    weight[0] = 1
    predictions = rows(rng.random(size) < 0.3, score, rng.integers(0, 99, size), weight=weight)
    metric = Business(**COSTS)
    run: Any = type("R", (), {"chosen": {}, "label": "m"})
    found: dict[str, Any] = {entry.metric: entry for entry in metric.measure(predictions, run).entries}
    every = {t: by_hand(predictions, t, weight=weight) for t in [*score.tolist(), 2.0]}
    value, saved, threshold = (found[name].value for name in ("value", "saved", "threshold"))
    assert value == pytest.approx(max(every.values()))
    assert value == pytest.approx(by_hand(predictions, threshold, weight=weight))
    assert saved == pytest.approx(value - every[2.0])
    assert saved >= 0
    for place, threshold in enumerate(found["value"].detail["table"]["threshold"]):
        value = found["value"].detail["table"]["value"][place]
        hand = [by_hand(predictions, near, weight=weight) for near in (threshold * 0.99999, threshold * 1.00001)]
        assert min(hand) - 1e-3 <= value <= max(hand) + 1e-3


def test_a_budget_and_a_floor_are_kept_and_told_with_what_they_cost(tmp_path: Path) -> None:
    found = measure(tmp_path, choose="budget", alerts_per_day=0.5)
    assert (found["threshold"].value, found["alerts_per_day"].value) == (0.9, 1 / 3)
    assert found["value"].detail["operating_point"]["reason"] == (
        "The highest value on the valid rows with at most 0.5 alerts a day: EUR 45.75 at 0.9 with 0.3333 alerts a day;"
        " without the bound EUR 138.50 at 0.7 with 1 alerts a day"
    )
    share = measure(tmp_path, choose="budget", alerts_share=0.4)
    assert share["threshold"].value in (0.8, 0.9)
    assert measure(tmp_path, choose="floor", precision_at_least=0.9)["threshold"].value == 0.9
    recall = measure(tmp_path, choose="floor", recall_at_least=1)
    assert (recall["threshold"].value, recall["recall"].value) == (0.1, 1.0)
    assert measure(tmp_path, choose="threshold", threshold=0.75)["value"].value == by_hand(SMALL, 0.75)


def test_a_floor_that_nothing_reaches_gives_no_value_and_says_so(tmp_path: Path) -> None:
    bad = rows([0, 0, 1], [0.9, 0.8, 0.1], [1, 1, 1])
    found = measure(tmp_path, bad, choose="floor", precision_at_least=0.9)
    assert all(score.value is None for score in found.values())
    assert "No threshold on the valid rows has at least precision 0.9" in found["value"].detail["note"]


def test_the_point_of_the_validation_rows_is_used_on_the_test_rows(tmp_path: Path) -> None:
    chosen = measure(tmp_path)["value"].detail["operating_point"]
    test = replace(rows([0, 0, 1], [0.95, 0.75, 0.6], [1, 1, 50]), phase="test")
    found = measure(tmp_path, test, chosen)
    assert (found["threshold"].value, found["value"].value) == (0.7, -60.0)
    point = found["value"].detail["operating_point"]
    assert point["phase"] == "valid"
    assert point["reason"].endswith("; on the test rows it gives EUR -60.00 at 0.7")
    alone = measure(tmp_path, test)["value"].detail["operating_point"]  # no validation rows were measured
    assert (alone["phase"], "on the test rows" in alone["reason"]) == ("test", True)


def test_money_has_an_interval_that_comes_out_the_same_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    label = rng.random(500) < 0.2
    predictions = rows(label, np.clip(label * 0.4 + rng.random(500) * 0.6, 0, 1), rng.gamma(2, 30, 500))
    one, two = (measure(tmp_path, predictions, bootstrap=100) for _ in range(2))
    assert one == two
    saved: Any = one["saved"]
    assert saved.low < saved.value < saved.high


def test_a_matrix_that_cannot_be_meant_is_refused_before_anything_runs() -> None:
    for fields, words in (
        ({"fn": "amount +"}, "does not parse"),
        ({"currency": "euro"}, "code of a currency"),
        ({"choose": "budget"}, "nothing says which"),
        ({"alerts_per_day": 5.0}, "does not read alerts_per_day"),
        ({"choose": "floor", "recall_at_least": 0.5, "threshold": 0.5}, "does not read threshold"),
    ):
        with pytest.raises(ConfigError, match=words):
            Business(**{**COSTS, **fields})


def test_a_role_that_a_value_needs_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs 'amount', and no column of the schema has that role"):
        measure(tmp_path, rows([1, 0], [0.1, 0.2], [1, 1], without="amount"))
    with pytest.raises(ConfigError, match="role 'time'"):
        measure(tmp_path, rows([1, 0], [0.1, 0.2], [1, 1], without="time"), choose="budget", alerts_per_day=1)
    found = measure(tmp_path, rows([1, 0], [0.1, 0.2], [1, 1], without="time"))["alerts_per_day"]
    assert (found.value, found.detail["note"]) == (None, "Not defined: no column has the role time")
    with pytest.raises(DataError, match=r"not a finite number in 1 rows \(first in row 1\)"):
        measure(tmp_path, rows([1, 0], [0.1, 0.2], [1, np.nan]))
