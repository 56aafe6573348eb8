"""The metrics that fraud managers read: by account, by value saved, by contacts, and by card and day."""

from __future__ import annotations

from modelway import Metric, hookimpl
from modelway_fraud.cards import CardPrecision
from modelway_fraud.metric import Fraud


@hookimpl
def metrics() -> list[type[Metric]]:
    """Offer the metrics."""
    return [Fraud, CardPrecision]
