"""What carries the work: compute, and for sweeps launch and search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from modelway.component import Component
from modelway.context import Run, Workers
from modelway.search import Choices, Interval, Search


class Compute(Component, ABC):
    """compute: what carries the work."""

    stage: ClassVar[str] = "compute"

    def shape(self, run: Run) -> Mapping[str, Any]:
        """Return what a distributed result may depend on, before anything starts; empty in one process.

        Raises:
            ComputeError: nothing answers where the cluster should be.
        """
        return {}

    @abstractmethod
    def open(self, run: Run) -> AbstractContextManager[Workers]:
        """Start, or connect, and check that the workers can do the work.

        Raises:
            ComputeError: too few workers, or workers with other code or without the store.
        """


class Launcher(Component, ABC):
    """launch: where the trials of a sweep run."""

    stage: ClassVar[str] = "launch"
    #: Whether several trials go on at once in one process: then no trial has the process's cost for itself.
    together: ClassVar[bool] = False

    def width(self, run: Run) -> int:
        """Return how many trials go on at once."""
        return 1

    @abstractmethod
    def open(self, run: Run) -> AbstractContextManager[Executor]:
        """Start; the context's value is an executor of ``concurrent.futures``."""


class Sweeper(Component, ABC):
    """search: which trials a sweep makes."""

    stage: ClassVar[str] = "search"
    seeded: ClassVar[bool] = True

    @abstractmethod
    def search(
        self, space: Mapping[str, Choices | Interval], objectives: Mapping[str, bool], run: Run
    ) -> AbstractContextManager[Search]:
        """Begin a search, or go on with one of the same ``run.id``.

        Args:
            space: What each key may be.
            objectives: By name, as ``test.accuracy``, whether a smaller value is better.
            run: ``run.id`` names the sweep; ``run.workspace`` and ``run.scratch`` are at hand.

        Raises:
            ConfigError: a space that the sweeper cannot search.
        """
