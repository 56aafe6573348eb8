"""A plugin as a third party would write it: it imports ``modelway`` and nothing else of it."""

from __future__ import annotations

from collections.abc import Iterable

from modelway import Trainer, hookimpl
from modelway_majority.trainer import Majority


@hookimpl
def trainers() -> Iterable[type[Trainer]]:
    """Offer the trainer."""
    return [Majority]
