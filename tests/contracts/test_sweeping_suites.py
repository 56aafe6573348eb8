"""Suites of launchers and sweepers: what the framework offers passes, rude ones are caught."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from modelway import Choices, ConfigError, Interval, Launcher, Point, Run, Search, Sweeper, param
from modelway.builtin import Basic, Grid
from modelway.testing import LauncherSuite, SweeperSuite

_COUNTER = itertools.count()


class TestBasic(LauncherSuite):
    component = Basic()


@dataclass(frozen=True, kw_only=True)
class Threads(Launcher, name="threads"):
    """Threads of this process."""

    workers: int = param(2, "Threads.")

    def width(self, run: Run) -> int:
        return self.workers

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        return ThreadPoolExecutor(self.workers)


class TestThreads(LauncherSuite):
    component = Threads()


@dataclass(frozen=True, kw_only=True)
class Nowhere(Threads, name="nowhere"):
    """Has no room."""

    def width(self, run: Run) -> int:
        return 0


@dataclass(frozen=True, kw_only=True)
class Abrupt(Threads, name="abrupt"):
    """Leaves while work goes on."""

    @contextmanager
    def open(self, run: Run) -> Iterator[Executor]:  # type: ignore[override]  # @contextmanager hides what is returned
        pool = ThreadPoolExecutor(1)
        yield pool
        pool.shutdown(wait=False, cancel_futures=True)


class _Eager(Executor):
    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*args, **kwargs))
        return done


class _Deaf(Executor):
    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*args))
        return done


class _Retelling(Executor):
    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except Exception as error:
            done.set_exception(RuntimeError(str(error)))
        return done


@dataclass(frozen=True, kw_only=True)
class Eager(Threads, name="eager"):
    """Raises where work is handed over."""

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        return _Eager()


@dataclass(frozen=True, kw_only=True)
class Deaf(Threads, name="deaf"):
    """Drops arguments by name."""

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        return _Deaf()


@dataclass(frozen=True, kw_only=True)
class Retelling(Threads, name="retelling"):
    """Tells failures in words of its own."""

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        return _Retelling()


@dataclass(frozen=True, kw_only=True)
class Once(Threads, name="once"):
    """Can be opened once."""

    def open(self, run: Run) -> AbstractContextManager[Executor]:
        (run.scratch / "opened").mkdir()
        return super().open(run)


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Nowhere(), "test_says_how_many_trials_go_on_at_once"),
        (Deaf(), "test_every_task_is_answered"),
        (Eager(), "test_a_failed_task_leaves_the_others_alone"),
        (Retelling(), "test_a_failed_task_leaves_the_others_alone"),
        (Abrupt(), "test_closing_waits_for_the_work"),
        (Once(), "test_can_be_opened_again"),
    ],
)
def test_a_rude_launcher_is_caught(caught: Any, component: Launcher, rule: str) -> None:
    assert caught(LauncherSuite, rule, component=component) == {rule}


class TestGrid(SweeperSuite):
    component = Grid()


class _Listed(Search):
    """Proposes a list of points, and says about them what its sweeper wants it to."""

    def __init__(self, sweeper: Listed, points: Iterator[Point]) -> None:
        self.sweeper, self.points = sweeper, points

    def ask(self, count: int) -> Sequence[Point]:
        return self.sweeper.asked(self.points, count)

    def tell(self, point: Point, values: Sequence[float] | None, *, pruned: bool = False) -> None:
        self.sweeper.told(values)

    def watch(self, point: Point) -> Callable[[int, Mapping[str, float]], bool] | None:
        return self.sweeper.watching

    def importances(self) -> Mapping[str, float]:
        return self.sweeper.shares


@dataclass(frozen=True, kw_only=True)
class Listed(Sweeper, name="listed"):
    """Every combination, in order."""

    watching: ClassVar[Any] = None
    shares: Any = param({}, "What it says of importances.")

    def search(
        self, space: Mapping[str, Choices | Interval], objectives: Mapping[str, bool], run: Run
    ) -> AbstractContextManager[Search]:
        return self.searching(self.listed(space, run))

    @contextmanager
    def searching(self, points: Iterator[Point]) -> Iterator[Search]:
        yield _Listed(self, points)

    def listed(self, space: Mapping[str, Any], run: Run) -> Iterator[Point]:
        for number, values in enumerate(itertools.product(*(held.values for held in space.values()))):
            yield self.point(number, dict(zip(space, values, strict=True)))

    def point(self, number: int, values: dict[str, Any]) -> Point:
        return Point(number, values)

    def asked(self, points: Iterator[Point], count: int) -> Sequence[Point]:
        return list(itertools.islice(points, count))

    def told(self, values: Sequence[float] | None) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class Texts(Listed, name="texts"):
    """Turns values into text."""

    def point(self, number: int, values: dict[str, Any]) -> Point:
        return Point(number, {key: str(value) for key, value in values.items()})


@dataclass(frozen=True, kw_only=True)
class Nameless(Listed, name="nameless"):
    """Numbers nothing."""

    def point(self, number: int, values: dict[str, Any]) -> Point:
        return Point(0, values)


@dataclass(frozen=True, kw_only=True)
class Generous(Listed, name="generous"):
    """Gives all at once."""

    def asked(self, points: Iterator[Point], count: int) -> Sequence[Point]:
        return list(points)


@dataclass(frozen=True, kw_only=True)
class Endless(Listed, name="endless"):
    """Begins anew."""

    def listed(self, space: Mapping[str, Any], run: Run) -> Iterator[Point]:
        found = list(super().listed(space, run))
        return (Point(number, found[number % len(found)].values) for number in itertools.count())


@dataclass(frozen=True, kw_only=True)
class Moody(Listed, name="moody"):
    """Proposes others each time."""

    def listed(self, space: Mapping[str, Any], run: Run) -> Iterator[Point]:
        found = list(super().listed(space, run))
        return iter(random.Random(next(_COUNTER)).sample(found, 4))


@dataclass(frozen=True, kw_only=True)
class Tender(Listed, name="tender"):
    """Gives up at the first failure."""

    def told(self, values: Sequence[float] | None) -> None:
        if values is None:
            raise ValueError("No values")


@dataclass(frozen=True, kw_only=True)
class Forgetful(Listed, name="forgetful"):
    """Takes what it asked for once as made."""

    def listed(self, space: Mapping[str, Any], run: Run) -> Iterator[Point]:
        place = run.workspace / f"{run.id}.txt"
        for point in super().listed(space, run):
            made = place.read_text().split() if place.exists() else []
            if str(point.number) not in made:
                place.write_text(" ".join([*made, str(point.number)]))
                yield point


@dataclass(frozen=True, kw_only=True)
class Mixing(Listed, name="mixing"):
    """Keeps one list for all sweeps."""

    def listed(self, space: Mapping[str, Any], run: Run) -> Iterator[Point]:
        place = run.workspace / "all.txt"
        made = place.read_text().splitlines() if place.exists() else []
        place.write_text("\n".join([*made, run.id]))
        return itertools.islice(super().listed(space, run), len(set(made)), None)


@dataclass(frozen=True, kw_only=True)
class Bound(Listed, name="bound"):
    """Watches from this process alone."""

    watching: ClassVar[Any] = staticmethod(lambda round, scores: True)


@dataclass(frozen=True, kw_only=True)
class FirstOnly(Listed, name="first_only"):
    """Trips over several objectives."""

    def told(self, values: Sequence[float] | None) -> None:
        if values is not None and len(values) > 1:
            raise ValueError("Too many values")


@dataclass(frozen=True, kw_only=True)
class OneObjective(Listed, name="one_objective"):
    """Refuses several objectives, and says so."""

    def search(
        self, space: Mapping[str, Choices | Interval], objectives: Mapping[str, bool], run: Run
    ) -> AbstractContextManager[Search]:
        if len(objectives) > 1:
            raise ConfigError("It takes one objective", mend="Name one")
        return super().search(space, objectives, run)


class TestOneObjective(SweeperSuite):
    component = OneObjective()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Texts(), "test_proposes_what_the_space_holds"),
        (Nameless(), "test_proposes_what_the_space_holds"),
        (Generous(), "test_gives_no_more_than_it_is_asked_for"),
        (Endless(), "test_comes_to_an_end"),
        (Moody(), "test_equal_seeds_give_equal_points"),
        (Tender(), "test_failed_and_pruned_trials_do_not_stop_it"),
        (Forgetful(), "test_a_search_cut_short_goes_on"),
        (Mixing(), "test_sweeps_do_not_mix"),
        (Bound(), "test_what_watches_a_trial_can_be_sent_to_it"),
        (Listed(shares={"a.depth": 1.5}), "test_importances_are_shares"),
        (Listed(shares={"elsewhere": 0.5}), "test_importances_are_shares"),
        (FirstOnly(), "test_several_objectives_are_searched_or_refused"),
    ],
)
def test_a_rude_sweeper_is_caught(caught: Any, component: Sweeper, rule: str) -> None:
    assert caught(SweeperSuite, rule, component=component) == {rule}
