"""Offers the packager ``bentoml``: a model, its code and its locked environment as a bento that serves it."""

from __future__ import annotations

from collections.abc import Iterable

from modelway import Packager, hookimpl
from modelway_bentoml.packager import BentoML


@hookimpl
def packagers() -> Iterable[type[Packager]]:
    """Offer the packager of bentos."""
    return [BentoML]
