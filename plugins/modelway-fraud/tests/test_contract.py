"""Both metrics against the framework's conformance suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from modelway_fraud import metrics
from modelway_fraud.cards import CardPrecision
from modelway_fraud.metric import LOWER, Fraud

from modelway import Category, Predictions, Task
from modelway.testing import MetricSuite


class _Transactions(MetricSuite):
    def predictions(self, folder: Path, task: Task, **columns: Any) -> Predictions:
        rng = np.random.default_rng(5)
        bad = rng.permutation(20) < 8
        account = rng.integers(0, 20, 80)
        return super().predictions(
            folder,
            task,
            **{
                "entity": Category.of([f"card {number}" for number in account]),
                "time": (rng.integers(0, 40 * 86_400, 80) * 1_000_000).astype("M8[us]"),
                "label": (bad[account] & (rng.random(80) < 0.6)).astype(float),
                **columns,
            },
        )


class TestFraud(_Transactions):
    component = Fraud(thresholds=50)


class TestFraudAtABound(_Transactions):
    component = Fraud(afpr_at_most=2.0)


class TestCardPrecision(_Transactions):
    component = CardPrecision(k=3)


def test_ratios_of_good_to_bad_are_better_when_smaller(tmp_path: Path) -> None:
    suite = TestFraud()
    scores = suite.scores(tmp_path, suite.predictions(tmp_path, "binary"))
    assert {name for name, lower in scores.lower_is_better.items() if lower} == set(LOWER)
    assert {"adr", "vdr_0", "vdr_15"} <= set(scores.lower_is_better)


def test_both_metrics_are_offered() -> None:
    assert [metric.name for metric in metrics()] == ["fraud", "card_precision"]
