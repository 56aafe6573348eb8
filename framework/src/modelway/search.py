"""Searching: the space that a sweep's trials come from, and how a sweeper proposes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choices:
    """A key's values, one of which a trial has.

    Attributes:
        values: As plain values.
        ordered: Whether they are steps of a scale, such as ``range(2, 9)``, rather than mere names.
    """

    values: tuple[Any, ...]
    ordered: bool = False


@dataclass(frozen=True)
class Interval:
    """A key's range of numbers, both ends included.

    Attributes:
        whole: Whether only whole numbers count.
        log: Whether to search evenly by ratio rather than by difference.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False


@dataclass(frozen=True)
class Point:
    """One proposal: the sweeper's own number of it, and a value for each key of the space."""

    number: int
    values: Mapping[str, Any]


class Search(ABC):
    """One search, going on."""

    @abstractmethod
    def ask(self, count: int) -> Sequence[Point]:
        """Propose at most ``count`` points; none when the search is over."""

    @abstractmethod
    def tell(self, point: Point, values: Sequence[float] | None, *, pruned: bool = False) -> None:
        """Take in a point's objective values, in the objectives' order; None where the trial failed or was pruned."""

    def watch(self, point: Point) -> Callable[[int, Mapping[str, float]], bool] | None:
        """Return what is asked after each training round whether to go on; it can be pickled. None: never prune."""
        return None

    def importances(self) -> Mapping[str, float]:
        """Return each key's share of what moved the first objective; empty where the sweeper has no view."""
        return {}
