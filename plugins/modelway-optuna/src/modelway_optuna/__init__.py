"""Sweeps that Optuna steers."""

from __future__ import annotations

from modelway import Sweeper, hookimpl
from modelway_optuna.sweeper import Optuna


@hookimpl
def sweepers() -> list[type[Sweeper]]:
    """Offer ``optuna``."""
    return [Optuna]
