"""Offers checks of what a schema cannot say: of a table as a whole, of its days, and of tables with one another."""

from __future__ import annotations

from collections.abc import Iterable

from modelway import Check, hookimpl
from modelway_expectations.categories import Categories
from modelway_expectations.distribution import Distribution
from modelway_expectations.foreign_key import ForeignKey
from modelway_expectations.freshness import Freshness
from modelway_expectations.totals import Totals
from modelway_expectations.volume import Volume


@hookimpl
def checks() -> Iterable[type[Check]]:
    """Offer the expectations."""
    return [Freshness, Volume, Categories, Distribution, ForeignKey, Totals]
