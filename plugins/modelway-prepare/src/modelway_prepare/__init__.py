"""Preparers: steps between the loaded and the prepared table."""

from __future__ import annotations

from modelway import Preparer, hookimpl
from modelway_prepare.derive import Derive
from modelway_prepare.filter import Filter


@hookimpl
def preparers() -> list[type[Preparer]]:
    """Offer ``derive`` and ``filter``."""
    return [Derive, Filter]
