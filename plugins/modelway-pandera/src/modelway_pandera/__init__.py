"""Offers the check ``pandera``: a table against its declared schema."""

from __future__ import annotations

from collections.abc import Iterable

from modelway import Check, hookimpl
from modelway_pandera.check import Pandera


@hookimpl
def checks() -> Iterable[type[Check]]:
    """Offer the check of a declared schema."""
    return [Pandera]
