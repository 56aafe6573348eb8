"""Suites of what merges: the half that profilers and features share, and profilers themselves."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

from modelway.testing.suite import ComponentSuite, agree, cuts, freeze, plain_column, strict
from modelway.values import Category, Columns, Profile, length, take


class SummarySuite(ComponentSuite):
    """What profilers and features share: summaries that merge."""

    def sample(self) -> Columns:
        """Return the columns to summarise."""
        return sample_columns()

    def seen(self, component: Any) -> Columns:
        """Return the columns of the sample that the component reads."""
        return self.sample()

    def finished(self, component: Any, summary: Any) -> Any:
        """Return the finished form of a summary, as plain JSON."""
        return strict(component.finish(summary), "What finish() returns")

    def folded(self, component: Any, columns: Columns, pieces: list[slice]) -> Any:
        """Summarise batch by batch, and merge in the rows' order."""
        summary, *rest = [component.summarise(take(columns, piece)) for piece in pieces]
        for later in rest:
            summary = component.merge(summary, later)
        return summary

    def test_summaries_do_not_depend_on_how_rows_are_cut(self, tmp_path: Path) -> None:
        """One process, many workers and the serving log must all find the same."""
        component = self.make(tmp_path)
        columns = self.seen(component)
        expected = self.finished(component, component.summarise(columns))
        for pieces in cuts(length(columns)):
            found = self.finished(component, self.folded(component, columns, pieces))
            assert agree(found, expected, self.tolerance), f"Cut into {len(pieces)}, {found} is not {expected}"

    def test_merging_is_associative(self, tmp_path: Path) -> None:
        """Workers merge in the rows' order, but not from the left."""
        component = self.make(tmp_path)
        columns = self.seen(component)
        third = length(columns) // 3
        ends = (slice(0, third), slice(third, 2 * third), slice(2 * third, None))
        a, b, c = (component.summarise(take(columns, end)) for end in ends)
        right = self.finished(component, component.merge(a, component.merge(b, c)))
        a, b, c = (component.summarise(take(columns, end)) for end in ends)
        left = self.finished(component, component.merge(component.merge(a, b), c))
        assert agree(left, right, self.tolerance), f"(a + b) + c is {left}, and a + (b + c) is {right}"

    def test_summarising_and_merging_change_nothing(self, tmp_path: Path) -> None:
        """A worker's result may be merged again after a failure, and columns share memory with the table."""
        component = self.make(tmp_path)
        columns = freeze(self.seen(component))
        half = length(columns) // 2
        a, b = component.summarise(take(columns, slice(0, half))), component.summarise(take(columns, slice(half, None)))
        kept = copy.deepcopy((a, b))
        merged = self.finished(component, component.merge(a, b))
        expected = self.finished(component, component.merge(*kept))
        again = self.finished(component, component.merge(a, b))
        assert merged == expected == again, "merge() changes the summaries that it merges"

    def test_summaries_travel_between_processes(self, tmp_path: Path) -> None:
        """Workers send their summaries."""
        component = self.make(tmp_path)
        summary = component.summarise(self.seen(component))
        there = self.finished(component, pickle.loads(pickle.dumps(summary)))
        assert there == self.finished(component, summary), "A summary is another after pickling"


class ProfilerSuite(SummarySuite):
    """Checks of a profiler; ``tolerance`` may be wider where it uses sketches."""

    def finished(self, component: Any, summary: Any) -> Any:
        """Return the profile's body."""
        profile = component.finish(summary)
        assert isinstance(profile, Profile), f"finish() returns {type(profile).__name__}, not a Profile"
        return strict(profile.body, "The profile")

    def test_names_the_columns_it_saw(self, tmp_path: Path) -> None:
        """A profile without the columns describes nothing."""
        profiler = self.make(tmp_path)
        body = str(self.finished(profiler, profiler.summarise(self.sample())))
        absent = [name for name in self.sample() if name not in body]
        assert not absent, f"The profile does not mention {', '.join(absent)}"


def sample_columns() -> Columns:
    """Return 60 rows of every kind of column: numbers, whole numbers, text, booleans and times, some missing."""
    import numpy as np

    rng = np.random.default_rng(7)
    a = np.round(rng.normal(3.0, 2.0, 60), 3)
    a[[4, 31]] = np.nan
    when = np.datetime64("2024-02-27T22:00", "us") + np.arange(60) * np.timedelta64(431, "m")
    words = [("red", "green", "blue", "grey")[k] for k in rng.integers(0, 4, 60).tolist()]
    return {
        "a": a,
        "b": rng.integers(1, 50, 60),
        "c": Category.of(None if i in (9, 40) else word for i, word in enumerate(words)),
        "flag": rng.integers(0, 2, 60).astype(bool),
        "when": when,
    }


def by_row(apply: Any, columns: Columns, tolerance: float) -> None:
    """Check that applying to all rows, to each alone and to none gives the same columns, inputs left alone.

    Raises:
        AssertionError: they differ.
    """
    rows = length(columns)
    frozen = freeze(columns)
    try:
        whole = apply(frozen)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise AssertionError(f"apply() changes the columns that it was given: {error}") from None
    for name, column in frozen.items():
        assert agree(plain_column(column), plain_column(columns[name]), 0.0), f"apply() changes column '{name}'"
    for name, column in whole.items():
        assert len(column) == rows, f"Output '{name}' has {len(column)} rows of {rows}"
        assert isinstance(column, Category) or column.ndim == 1, f"Output '{name}' is not one column"
    for row in range(rows):
        alone = {
            name: Category.of(column[[row]].objects()) if isinstance(column, Category) else column[[row]]
            for name, column in columns.items()
        }
        made = apply(alone)
        assert list(made) == list(whole), f"Row {row} alone gives columns {list(made)}, and all rows {list(whole)}"
        for name, column in whole.items():
            a, b = plain_column(column[[row]]), plain_column(made[name])
            assert agree(a, b, tolerance), f"Column '{name}' of row {row} is {b} alone and {a} among all"
    none = apply({name: column[:0] for name, column in columns.items()})
    assert list(none) == list(whole), f"No rows give columns {list(none)}, and some rows {list(whole)}"
    assert length(none) == 0, "No rows in, some rows out"
