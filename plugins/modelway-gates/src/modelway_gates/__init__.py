"""Gates: limits of a metric, and comparison with the champion."""

from __future__ import annotations

from modelway import Gate, hookimpl
from modelway_gates.champion import NoWorse
from modelway_gates.floor import Floor


@hookimpl
def gates() -> list[type[Gate]]:
    """Offer ``floor`` and ``no_worse``."""
    return [Floor, NoWorse]
