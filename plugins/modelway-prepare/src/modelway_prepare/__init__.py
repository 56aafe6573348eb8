"""Preparers: steps between the loaded and the prepared table."""

from __future__ import annotations

from modelway import Preparer, hookimpl
from modelway_prepare.aggregate import Aggregate
from modelway_prepare.cast import Cast
from modelway_prepare.deduplicate import Deduplicate
from modelway_prepare.derive import Derive
from modelway_prepare.fill import Fill
from modelway_prepare.filter import Filter
from modelway_prepare.join import Join
from modelway_prepare.rename import Rename
from modelway_prepare.windows import Windows


@hookimpl
def preparers() -> list[type[Preparer]]:
    """Offer the steps, from those of a row alone to those that need other rows."""
    return [Derive, Rename, Cast, Fill, Filter, Deduplicate, Join, Aggregate, Windows]
