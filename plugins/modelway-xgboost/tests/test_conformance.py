"""The trainer keeps to the contract, held in memory and streamed, with and without early stopping."""

from __future__ import annotations

from typing import ClassVar

from modelway_xgboost import XGBoost

from modelway.testing import TrainerSuite


class TestXGBoost(TrainerSuite):
    """As most people use it."""

    component = XGBoost(rounds=10)
    knobs: ClassVar[dict[str, object]] = {"memory": 0, "watch_train": True, "watch_valid": True}


class TestXGBoostStreamed(TrainerSuite):
    """Sampled, stopped early, and read as a stream."""

    component = XGBoost(rounds=30, early_stopping=3, subsample=0.7, memory=0)
    knobs: ClassVar[dict[str, object]] = {"memory": 256}
