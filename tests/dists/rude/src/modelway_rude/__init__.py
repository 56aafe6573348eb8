"""A plugin that breaks what it can: its observers raise, and its trainer has the name of another's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from modelway import DataError, Event, Model, Run, Split, Trainer, hookimpl


@dataclass(frozen=True, kw_only=True)
class Usurper(Trainer, name="majority"):
    """A trainer that never trains."""

    model: ClassVar[type[Model]] = Model

    def fit(self, split: Split, run: Run) -> Model:
        """Refuse."""
        raise DataError("The usurper trains nothing")


@hookimpl
def trainers() -> Iterable[type[Trainer]]:
    """Offer a name that is taken."""
    return [Usurper]


@hookimpl
def run_started(event: Event) -> None:
    """Raise."""
    raise RuntimeError("the observer has had enough")


@hookimpl
def step_finished(event: Event) -> None:
    """Raise."""
    raise RuntimeError("the observer has had enough")
