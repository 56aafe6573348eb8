"""Suites of what makes a sweep: launchers of its trials, and sweepers that propose them."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from modelway.errors import DataError, ModelwayError
from modelway.search import Choices, Interval, Point, Search
from modelway.testing.suite import ComponentSuite

#: Points after which a search that goes on counts as endless.
MANY = 500


class LauncherSuite(ComponentSuite):
    """Checks of a launcher.

    Attributes:
        patience: Seconds after which work that was handed over counts as lost.
    """

    patience: ClassVar[float] = 60.0

    def test_says_how_many_trials_go_on_at_once(self, tmp_path: Path) -> None:
        """A sweeper is asked for as many points as there is room for."""
        launcher, run = self.make(tmp_path), self.run(tmp_path)
        width = launcher.width(run)
        assert type(width) is int, f"width() is {width!r}, not a whole number"
        assert width >= 1, f"width() is {width}: no trial would ever start"
        assert launcher.width(run) == width, "width() says something else the second time"

    def test_every_task_is_answered(self, tmp_path: Path) -> None:
        """A trial without an answer holds up the sweep for good."""
        with self.make(tmp_path).open(self.run(tmp_path)) as executor:
            assert isinstance(executor, Executor), f"open() gives {type(executor).__name__}, not an Executor"
            futures = [executor.submit(_square, n, add=1) for n in range(9)]
            assert all(isinstance(future, Future) for future in futures), "submit() returns something else than futures"
            late = wait(futures, self.patience).not_done
            assert not late, f"{len(late)} of 9 tasks have no answer after {self.patience:.0f} s"
            assert [future.result() for future in futures] == [n * n + 1 for n in range(9)], "Answers are mixed up"

    def test_a_failed_task_leaves_the_others_alone(self, tmp_path: Path) -> None:
        """A failed trial is recorded with its own error, and the others go on."""
        with self.make(tmp_path).open(self.run(tmp_path)) as executor:
            try:
                futures = [executor.submit(partial(_even, n)) for n in range(4)]
            except Exception as error:
                raise AssertionError(f"submit() raises what belongs to the future: {error}") from error
            wait(futures, self.patience)
            told = [future.exception(0) for future in futures]
            assert [error is None for error in told] == [True, False, True, False], f"It tells of {told}"
            odd = told[1]
            assert isinstance(odd, DataError), f"The work's error arrives as {type(odd).__name__}"
            words = (odd.what, odd.where, odd.mend)
            assert words == ("1 is odd", "p1.csv", "Mend it"), f"The work's error arrives as {words}"
            assert [futures[n].result(0) for n in (0, 2)] == [0, 2], "The others' answers are lost"

    def test_closing_waits_for_the_work(self, tmp_path: Path) -> None:
        """What goes on after the sweep said that it was over is on no record."""
        with self.make(tmp_path).open(self.run(tmp_path)) as executor:
            futures = [executor.submit(_slow, n) for n in range(3)]
        assert all(future.done() for future in futures), "Work goes on after the launcher was closed"
        assert [future.result(0) for future in futures if not future.cancelled()] == [0, 1, 2], "Work was dropped"

    def test_can_be_opened_again(self, tmp_path: Path) -> None:
        """A process may sweep more than once."""
        component = self.make(tmp_path)
        for _ in range(2):
            with component.open(self.run(tmp_path)) as executor:
                assert executor.submit(_square, 3).result(self.patience) == 9, "It cannot be opened twice"


def _square(number: int, add: int = 0) -> int:
    return number * number + add


def _even(number: int) -> int:
    if number % 2:
        raise DataError(f"{number} is odd", where=f"p{number}.csv", mend="Mend it")
    return number


def _slow(number: int) -> int:
    import time

    time.sleep(0.05)
    return number


class SweeperSuite(ComponentSuite):
    """Checks of a sweeper; a trial is the sum of its point's numbers, so that a search costs nothing.

    Attributes:
        space: What the sweeper can search.
        objectives: By name, whether a smaller value is better.
    """

    space: ClassVar[Mapping[str, Choices | Interval]] = {
        "a.depth": Choices((2, 3, 4), ordered=True),
        "a.kind": Choices(("x", "y")),
        "a.on": Choices((True, False)),
    }
    objectives: ClassVar[Mapping[str, bool]] = {"test.error": True}

    def sweep(
        self, folder: Path, *, id: str = "s1", most: int = MANY, width: int = 1, seed: int = 0, **tells: Any
    ) -> list[Point]:
        """Search, each trial being told before the next ``width`` are asked for, until ``most`` points were told.

        Args:
            folder: The test's.
            id: The sweep's id.
            most: Points after which to stop, as if the process had died.
            width: Points to ask for at once.
            seed: The run's seed.
            **tells: ``failed`` or ``pruned``, the positions of the points that end so.
        """
        points: list[Point] = []
        with self.open(folder, id, seed) as search:
            while len(points) < most:
                asked = search.ask(min(width, most - len(points)))
                if not asked:
                    break
                for point in asked:
                    place, values = len(points), self.values(point)
                    points.append(point)
                    if place in tells.get("pruned", ()):
                        search.tell(point, None, pruned=True)
                    else:
                        search.tell(point, None if place in tells.get("failed", ()) else values)
        return points

    def open(self, folder: Path, id: str = "s1", seed: int = 0) -> Any:
        """Return the context manager of a search."""
        return self.make(folder).search(self.space, self.objectives, replace(self.run(folder, seed=seed), id=id))

    def values(self, point: Point) -> list[float]:
        """Return what a trial's objectives come to."""
        total = sum(float(v) if isinstance(v, (int, float)) else len(str(v)) / 7 for v in point.values.values())
        return [total / (1 + i) for i in range(len(self.objectives))]

    def test_proposes_what_the_space_holds(self, tmp_path: Path) -> None:
        """A value from elsewhere is refused by the configuration, or names a trial that was never asked for."""
        points = self.sweep(tmp_path)
        assert points, "It proposes nothing"
        for point in points:
            assert isinstance(point, Point), f"ask() gives {type(point).__name__}, not points"
            assert set(point.values) == set(self.space), f"A point's keys are {sorted(point.values)}"
            for key, value in point.values.items():
                assert type(value) in (bool, int, float, str, type(None), list, dict), (
                    f"'{key}' is {type(value).__name__}"
                )
                assert _within(value, self.space[key]), f"'{key}' is {value!r}, which its space does not hold"
        assert len({point.number for point in points}) == len(points), "Two points have one number"

    def test_gives_no_more_than_it_is_asked_for(self, tmp_path: Path) -> None:
        """There are as many places as there are workers."""
        with self.open(tmp_path) as search:
            asked = search.ask(2)
        assert 1 <= len(asked) <= 2, f"It gives {len(asked)} points for 2"
        points = self.sweep(tmp_path, id="s2", width=3)
        assert points, "It proposes nothing when it is asked for three"

    def test_comes_to_an_end(self, tmp_path: Path) -> None:
        """A sweep must end by itself."""
        with self.open(tmp_path) as search:
            for _ in range(MANY):
                asked = search.ask(1)
                if not asked:
                    break
                search.tell(asked[0], self.values(asked[0]))
            else:
                raise AssertionError(f"It still proposes points after {MANY} trials")
            assert not search.ask(1), "It goes on after it was over"

    def test_equal_seeds_give_equal_points(self, tmp_path: Path) -> None:
        """A sweep that is repeated elsewhere must make the same trials."""
        one, two = ([_content(p) for p in self.sweep(tmp_path / str(i))] for i in range(2))
        assert one == two, "The same seed gives other points"

    def test_failed_and_pruned_trials_do_not_stop_it(self, tmp_path: Path) -> None:
        """The others go on."""
        expected = len(self.sweep(tmp_path / "whole"))
        found = len(self.sweep(tmp_path / "hurt", failed={0, 2}, pruned={1}))
        assert found == expected, f"It proposes {found} points where some fail, and {expected} where none does"

    def test_a_search_cut_short_goes_on(self, tmp_path: Path) -> None:
        """A killed sweep continues with what is missing, and the trial in hand is made after all."""
        whole = {_content(p) for p in self.sweep(tmp_path / "whole")}
        cut = tmp_path / "cut"
        made = {_content(p) for p in self.sweep(cut, most=max(1, len(whole) // 2))}
        with self.open(cut) as search:
            lost = [_content(p) for p in search.ask(1)]
        rest = {_content(p) for p in self.sweep(cut)}
        assert set(lost) <= rest, "A point that was asked for and never told is lost"
        assert made | rest == whole, (
            f"It makes {len(made | rest)} trials in two parts, and others than {len(whole)} in one"
        )

    def test_sweeps_do_not_mix(self, tmp_path: Path) -> None:
        """Another sweep begins at its own beginning."""
        one = [_content(p) for p in self.sweep(tmp_path, id="s1")]
        assert [_content(p) for p in self.sweep(tmp_path, id="s2")] == one, "A sweep depends on another one's trials"

    def test_what_watches_a_trial_can_be_sent_to_it(self, tmp_path: Path) -> None:
        """Trials run in other processes."""
        with self.open(tmp_path) as search:
            (point,) = search.ask(1)
            watch = search.watch(point)
            if watch is None:
                return
            for round in range(3):
                told = pickle.loads(pickle.dumps(watch))(round, {"train_error": 0.5, "valid_error": 0.5 - round / 10})
                assert isinstance(told, bool), f"It answers {told!r}, neither yes nor no"
            search.tell(point, self.values(point))

    def test_importances_are_shares(self, tmp_path: Path) -> None:
        """They are drawn as bars of one whole."""
        with self.open(tmp_path) as search:
            self._shares(search)
            while points := search.ask(1):
                search.tell(points[0], self.values(points[0]))
            self._shares(search)

    def _shares(self, search: Search) -> None:
        found = search.importances()
        assert set(found) <= set(self.space), f"It rates {sorted(set(found) - set(self.space))}, which nobody searches"
        assert all(0 <= share <= 1 for share in found.values()), f"Shares are from 0 to 1, and these are {dict(found)}"
        assert sum(found.values()) <= 1 + 1e-9, f"The shares come to {sum(found.values())}"

    def test_several_objectives_are_searched_or_refused(self, tmp_path: Path) -> None:
        """A sweeper that looks at the first one only must say so."""
        objectives = {"test.error": True, "test.auc": False}
        run = replace(self.run(tmp_path), id="s3")
        try:
            with self.make(tmp_path).search(self.space, objectives, run) as search:
                while points := search.ask(1):
                    search.tell(points[0], [1.0, 0.5])
        except ModelwayError:
            return


def _within(value: Any, held: Choices | Interval) -> bool:
    if isinstance(held, Choices):
        return any(type(value) is type(one) and value == one for one in held.values)
    kinds: Sequence[type] = (int,) if held.whole else (int, float)
    return type(value) in kinds and math.isfinite(value) and held.low <= value <= held.high


def _content(point: Point) -> str:
    return repr(sorted(point.values.items()))
