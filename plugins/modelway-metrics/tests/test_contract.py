"""Every metric against the framework's conformance suite."""

from __future__ import annotations

from typing import Any

import pytest
from modelway_metrics import metrics

from modelway.testing import MetricSuite


@pytest.mark.parametrize("metric", metrics(), ids=lambda metric: metric.name, scope="class")
class TestMetric(MetricSuite):
    @pytest.fixture(autouse=True)
    def _component(self, metric: Any) -> None:
        fields = {} if metric.name == "confusion" else {"bootstrap": 20}
        self.component = metric(**fields)  # type: ignore[misc]
