"""Each gate keeps to the contract."""

from __future__ import annotations

from modelway_gates import Floor, NoWorse

from modelway import Score, Scores
from modelway.testing import GateSuite


def good() -> Scores:
    return Scores((Score(0.9, low=0.85, high=0.95, metric="auc", phase="test"),), {"auc": False})


class TestFloor(GateSuite):
    """A limit that the interval must hold too."""

    component = Floor(metric="auc", at_least=0.8, at_most=1.0, interval=True)

    def scores(self) -> Scores:
        """Return scores that pass."""
        return good()


class TestNoWorse(GateSuite):
    """A comparison with an equal champion."""

    component = NoWorse(metric="auc", by=0.01)

    def scores(self) -> Scores:
        """Return scores that pass."""
        return good()
