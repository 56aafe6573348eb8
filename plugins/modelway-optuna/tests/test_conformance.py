"""The framework's own checks of sweepers, on ways of searching that differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from modelway_optuna.sweeper import Optuna

from modelway import Choices, Interval
from modelway.testing import SweeperSuite


class TestTpe(SweeperSuite):
    component = Optuna(trials=8, startup=4)
    space: ClassVar[Mapping[str, Choices | Interval]] = {
        "model.rate": Interval(0.001, 0.3, log=True),
        "model.depth": Interval(2, 9, whole=True),
        "model.share": Choices((0.1, 0.2, 0.3, 0.4), ordered=True),
        "model.kind": Choices(("hist", "exact")),
    }


class TestGridWithPruning(SweeperSuite):
    component = Optuna(trials=7, sampler="grid", pruner="median", startup=2, warmup=0)


class TestNsga2(SweeperSuite):
    component = Optuna(trials=8, sampler="nsga2", population=4)
    space: ClassVar[Mapping[str, Choices | Interval]] = {
        "a": Interval(0.0, 1.0),
        "b": Interval(1, 64, whole=True, log=True),
    }
    objectives: ClassVar[Mapping[str, bool]] = {"test.error": True, "test.auc": False}
