"""Gradient-boosted trees by XGBoost."""

from __future__ import annotations

from modelway import Trainer, hookimpl
from modelway_xgboost.trainer import XGBoost


@hookimpl
def trainers() -> list[type[Trainer]]:
    """Offer the ``xgboost`` trainer."""
    return [XGBoost]
