"""What the framework itself offers, through the same hooks as any plugin: inline compute, and a plain sweep."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from modelway.component import knob
from modelway.context import Run, Workers
from modelway.errors import ConfigError
from modelway.hookspecs import hookimpl
from modelway.search import Choices, Interval, Point, Search
from modelway.stages import Compute, Launcher, Sweeper

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class Inline(Compute, name="inline"):
    """In this process, at once, part by part: small work never pays for a cluster."""

    def open(self, run: Run) -> AbstractContextManager[Workers]:
        """Return Python's own ``map``."""
        return nullcontext(Workers())


class _Here(Executor):
    """Does each task when it is submitted."""

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call the function."""
        done: Future[T] = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


@dataclass(frozen=True, kw_only=True)
class Basic(Launcher, name="basic"):
    """One trial after the other, in this process; trials share in memory what they have in common."""

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        """Return an executor that needs no start."""
        return _Here()


@dataclass(frozen=True, kw_only=True)
class Threads(Launcher, name="threads"):
    """Several trials side by side in this process, each on its share of the cores, over data that they share.

    For trainings that one core does about as well as several: the rows are read, encoded and quantised once, and no
    process has to start. The cost on record of a trial is then that of its own thread.
    """

    together = True

    trials: int = knob(0, "Trials that go on at once; 0 means one for each core.", at_least=0)

    def width(self, run: Run) -> int:
        """Return the number of trials at once."""
        return self.trials or run.threads or cores()

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        """Return a pool of threads."""
        return ThreadPoolExecutor(self.width(run), thread_name_prefix="modelway-trial")


class _Grid(Search):
    def __init__(self, points: Iterator[Point]) -> None:
        self.points = points

    def ask(self, count: int) -> Sequence[Point]:
        return list(itertools.islice(self.points, count))

    def tell(self, point: Point, values: Sequence[float] | None, *, pruned: bool = False) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class Grid(Sweeper, name="basic"):
    """Every combination of the listed values, in Hydra's order: the last key varies fastest."""

    seeded = False

    def search(
        self, space: Mapping[str, Choices | Interval], objectives: Mapping[str, bool], run: Run
    ) -> AbstractContextManager[Search]:
        """Begin with the first combination.

        Raises:
            ConfigError: a key with an interval, which has no end of values.
        """
        values = []
        for key, choices in space.items():
            if isinstance(choices, Interval):
                raise ConfigError(
                    f"The values of '{key}' are an interval, and a grid needs a list of them", where=f"override {key}",
                    mend="Write key=1,2,3 or key=range(1,4), or add hydra/sweeper=optuna",
                )  # fmt: skip
            values.append(choices.values)
        combinations = itertools.product(*values)
        points = (Point(i, dict(zip(space, found, strict=True))) for i, found in enumerate(combinations))
        return nullcontext(_Grid(points))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@hookimpl
def computes() -> Iterable[type[Compute]]:
    """Offer the inline compute."""
    return [Inline]


@hookimpl
def launchers() -> Iterable[type[Launcher]]:
    """Offer the plain launcher, and threads."""
    return [Basic, Threads]


@hookimpl
def sweepers() -> Iterable[type[Sweeper]]:
    """Offer the grid."""
    return [Grid]
