"""Offers the check ``pandera``, a table against its declared schema, and the step ``quarantine``."""

from __future__ import annotations

from collections.abc import Iterable

from modelway import Check, Preparer, hookimpl
from modelway_pandera.check import Pandera
from modelway_pandera.quarantine import Quarantine


@hookimpl
def checks() -> Iterable[type[Check]]:
    """Offer the check of a declared schema."""
    return [Pandera]


@hookimpl
def preparers() -> Iterable[type[Preparer]]:
    """Offer the step that takes out rows which break the schema."""
    return [Quarantine]
