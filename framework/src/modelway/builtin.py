"""What the framework itself offers, through the same hooks as any plugin: the inline compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from modelway.context import Run
from modelway.hookspecs import hookimpl
from modelway.stages import Compute


@dataclass(frozen=True, kw_only=True)
class Inline(Compute, name="inline"):
    """In this process, at once, part by part: small work never pays for a cluster."""

    def open(self, run: Run) -> AbstractContextManager[Callable[..., Iterator[Any]]]:
        """Return Python's own ``map``."""
        return nullcontext(map)


@hookimpl
def computes() -> Iterable[type[Compute]]:
    """Offer the inline compute."""
    return [Inline]
