"""Every metric against the framework's conformance suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modelway_metrics import metrics

from modelway import Category, Predictions, Task
from modelway.testing import MetricSuite

FIELDS: dict[str, dict[str, Any]] = {
    "confusion": {},
    "by_group": {"of": {"accuracy": {"bootstrap": 20}}, "smallest": 5},
    "business": {"fn": "-amount", "fp": -5, "tp": "amount - 2", "currency": "EUR", "bootstrap": 20},
}


@pytest.mark.parametrize("metric", metrics(), ids=lambda metric: metric.name, scope="class")
class TestMetric(MetricSuite):
    @pytest.fixture(autouse=True)
    def _component(self, metric: Any) -> None:
        self.component = metric(**FIELDS.get(metric.name, {"bootstrap": 20}))  # type: ignore[misc]  # the suite has it by class

    def predictions(self, folder: Path, task: Task, **columns: Any) -> Predictions:
        groups = Category.of([("north", "south", "east")[number % 3] for number in range(80)])
        return super().predictions(folder, task, **{"group": groups, **columns})
