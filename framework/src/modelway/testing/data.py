"""Suites of the stages that make and look at tables: sources, preparers, checks, splitters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from modelway.stages import RowPreparer
from modelway.testing.make import make_table
from modelway.testing.suite import ComponentSuite, NoBlobs, agree, heavy_after_call, refused, rows_of, saved
from modelway.testing.summaries import by_row, sample_columns
from modelway.values import PHASES, Findings, Split, Table


class SourceSuite(ComponentSuite):
    """Checks of a source. Override ``make`` to lay its data below the folder; see ``change`` and ``absent`` too."""

    def change(self, folder: Path) -> bool:
        """Change a value of the data that ``make`` laid down; return whether that was possible."""
        return False

    def absent(self, folder: Path) -> Any:
        """Return a component whose data is not there, or None."""
        return None

    def test_version_is_stable_and_loads_nothing(self, tmp_path: Path) -> None:
        """A plan asks for versions: it must be quick, and twice the same."""
        source, run = self.make(tmp_path), self.run(tmp_path)
        quiet = replace(run, blobs=NoBlobs())
        first = source.version(quiet)
        assert isinstance(first, str), f"version() returns {type(first).__name__}, not text"
        assert first, "version() is empty"
        assert source.version(quiet) == first, "version() changes although the data does not"

    def test_version_needs_no_heavy_library(self, tmp_path: Path) -> None:
        """A run that finds everything cached asks for versions, and must answer in half a second."""
        heavy = heavy_after_call(self.built(tmp_path), "version", self.run(tmp_path))
        assert not heavy, f"version() imports {', '.join(heavy)}"

    def test_loading_twice_gives_the_same_table(self, tmp_path: Path) -> None:
        """Otherwise every step after it runs again."""
        source, run = self.make(tmp_path), self.run(tmp_path)
        first, second = source.load(run), source.load(run)
        assert isinstance(first, Table), f"load() returns {type(first).__name__}, not a Table"
        assert first == second, "load() gives other parts the second time"
        assert first.rows > 0, "load() gives no rows; the data should be refused, or the sample have some"
        assert sum(batch.num_rows for batch in first.scan()) == first.rows, "The parts hold other rows than declared"

    def test_version_follows_the_data(self, tmp_path: Path) -> None:
        """Equal text must mean equal rows, or a changed file would go unseen."""
        source, run = self.make(tmp_path), self.run(tmp_path)
        before, rows = source.version(run), rows_of(source.load(run))
        if self.change(tmp_path):
            assert rows_of(source.load(run)) != rows, "change() changed no row"
            assert source.version(run) != before, "version() stays although the rows changed"

    def test_absent_data_is_explained(self, tmp_path: Path) -> None:
        """A user who mistypes a path reads one paragraph, not a stack trace."""
        source, run = self.absent(tmp_path), self.run(tmp_path)
        if source is not None:
            assert refused(source.version, run), "version() of absent data raises no DataError"
            assert refused(source.load, run), "load() of absent data raises no DataError"


class PreparerSuite(ComponentSuite):
    """Checks of a preparer; override ``sample``, and ``others`` where the step joins tables."""

    def sample(self) -> Mapping[str, Any]:
        """Return the columns of the table that the step before made."""
        return sample_columns()

    def others(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the columns of further tables by label."""
        return {}

    def _prepare(self, tmp_path: Path, parts: int) -> Table:
        step, run = self.make(tmp_path), self.run(tmp_path)
        tables = {label: make_table(run, columns) for label, columns in self.others().items()}
        tables["table"] = make_table(run, self.sample(), parts)
        before = dict(tables)
        made = step.prepare(tables, run)
        assert isinstance(made, Table), f"prepare() returns {type(made).__name__}, not a Table"
        assert tables == before, "prepare() changes the tables that it was given"
        return made

    def test_preparing_twice_gives_the_same_table(self, tmp_path: Path) -> None:
        """Otherwise every step after it runs again."""
        assert self._prepare(tmp_path, 2) == self._prepare(tmp_path, 2), "prepare() gives other parts the second time"

    def test_rows_do_not_depend_on_how_the_table_is_cut(self, tmp_path: Path) -> None:
        """The same configuration must give the same rows at any size."""
        whole = rows_of(self._prepare(tmp_path, 1))
        for parts in (2, 5):
            assert agree(rows_of(self._prepare(tmp_path, parts)), whole, self.tolerance), f"Other rows in {parts} parts"

    def test_a_row_step_gives_one_request_what_training_saw(self, tmp_path: Path) -> None:
        """A row step runs in the service, on one row at a time."""
        step = self.make(tmp_path)
        if not step.row:
            return
        assert isinstance(step, RowPreparer), "The step says that it works by row, and is no RowPreparer"
        columns = make_table(self.run(tmp_path), self.sample()).read()
        by_row(step.apply, columns, self.tolerance)
        heavy = heavy_after_call(self.built(tmp_path), "apply", columns)
        assert not heavy, f"apply() imports {', '.join(heavy)}, and services have numpy only"


class CheckSuite(ComponentSuite):
    """Checks of a check; override ``config`` (the schema), ``sample`` and ``broken``."""

    def sample(self) -> Mapping[str, Any]:
        """Return columns that pass."""
        return sample_columns()

    def broken(self) -> Mapping[str, Any]:
        """Return columns that break at least one rule."""
        raise NotImplementedError(f"{type(self).__name__} needs broken(): columns that break a rule")

    def _check(self, tmp_path: Path, columns: Mapping[str, Any], parts: int) -> Findings:
        run = self.run(tmp_path)
        table = make_table(run, columns, parts)
        found = self.make(tmp_path).check(table, replace(run, schema=run.schema.expand(table.names)))
        assert isinstance(found, Findings), f"check() returns {type(found).__name__}, not Findings"
        assert found.rows == table.rows, f"check() says that it saw {found.rows} rows of {table.rows}"
        return found

    def test_rows_that_keep_the_rules_pass(self, tmp_path: Path) -> None:
        """A check that cries wolf is switched off."""
        found = self._check(tmp_path, self.sample(), 2)
        assert found.passed, f"check() finds {[(i.rule, i.column) for i in found.items]} in rows that pass"

    def test_rows_that_break_a_rule_are_found_and_counted(self, tmp_path: Path) -> None:
        """A check that finds nothing lets a broken table into training."""
        found = self._check(tmp_path, self.broken(), 2)
        assert found.items, "check() finds nothing in broken rows"
        for item in found.items:
            assert item.count > 0, f"Rule '{item.rule}' is reported with no row that breaks it"
            assert item.severity in ("stop", "warn"), f"Rule '{item.rule}' has severity {item.severity!r}"
            assert all(0 <= row < max(found.rows, 1) for row in item.rows), f"Rule '{item.rule}' names absent rows"

    def test_findings_do_not_depend_on_how_the_table_is_cut(self, tmp_path: Path) -> None:
        """A duplicate whose twin lies in another part is still a duplicate."""
        expected = _counted(self._check(tmp_path, self.broken(), 1))
        for parts in (2, 4):
            assert _counted(self._check(tmp_path, self.broken(), parts)) == expected, f"Other findings in {parts} parts"

    def test_findings_are_repeatable_and_can_be_kept(self, tmp_path: Path) -> None:
        """Findings are committed like every result."""
        first, second = (self._check(tmp_path, self.broken(), 3) for _ in range(2))
        files = [saved(found, tmp_path / str(i)) for i, found in enumerate((first, second))]
        assert files[0] == files[1], "The same rows give other findings the second time"


def _counted(found: Findings) -> dict[tuple[str, str, str], int]:
    return {(item.rule, item.column, item.severity): item.count for item in found.items}


class SplitterSuite(ComponentSuite):
    """Checks of a splitter; override ``config`` and ``sample`` where it needs columns of its own."""

    config: ClassVar[Mapping[str, Any]] = {
        "columns": {
            "a": {"type": "number", "nullable": True},
            "when": {"type": "timestamp", "role": "time"},
            "who": {"type": "category", "role": "group"},
            "y": {"type": "integer", "role": "target", "values": [0, 1]},
        }
    }

    def sample(self) -> Mapping[str, Any]:
        """Return the columns of a table that can be split."""
        import numpy as np

        rows = 120
        return {
            "a": np.arange(rows, dtype=float),
            "when": np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h"),
            "who": [f"g{i // 6}" for i in range(rows)],
            "y": [int(i % 3 == 0) for i in range(rows)],
        }

    def _codes(self, tmp_path: Path, parts: int = 1, component: Any = None, **more: Any) -> dict[str, list[int]]:
        run = self.run(tmp_path, **more)
        table = make_table(run, self.sample(), parts)
        split = (component or self.make(tmp_path)).split(table, run)
        assert isinstance(split, Split), f"split() returns {type(split).__name__}, not a Split"
        assert split.table == table, "split() moves data: its table is another"
        return {fold: split.codes(fold).tolist() for fold in split.folds}

    def test_labels_every_row_and_leaves_rows_to_train_on(self, tmp_path: Path) -> None:
        """A fold without training rows fails hours later; a code out of range loses rows."""
        rows = len(next(iter(self.sample().values())))
        for fold, codes in self._codes(tmp_path).items():
            assert len(codes) == rows, f"Fold '{fold}' labels {len(codes)} rows of {rows}"
            assert set(codes) <= set(PHASES.values()), f"Fold '{fold}' uses codes that are none of {PHASES}"
            assert PHASES["train"] in codes, f"Fold '{fold}' has no training rows"

    def test_the_same_seed_gives_the_same_labels(self, tmp_path: Path) -> None:
        """Otherwise a repeated run compares models on other rows."""
        assert self._codes(tmp_path, seed=5) == self._codes(tmp_path, seed=5), "The same seed gives other labels"

    def test_labels_do_not_depend_on_how_the_table_is_cut(self, tmp_path: Path) -> None:
        """The same rows must be tested on at any size."""
        expected = self._codes(tmp_path)
        for parts in (2, 5):
            assert self._codes(tmp_path, parts) == expected, f"Other labels in {parts} parts"

    def test_says_whether_the_seed_matters(self, tmp_path: Path) -> None:
        """The seed enters the fingerprint only where the component says that it is used."""
        if not self.make(tmp_path).seeded:
            assert self._codes(tmp_path, seed=1) == self._codes(tmp_path, seed=2), "It uses the seed: seeded = True"

    def test_knobs_do_not_change_the_labels(self, tmp_path: Path) -> None:
        """Knobs stay outside the fingerprint."""
        other = replace(self.make(tmp_path), **self.knobs)
        assert self._codes(tmp_path, component=other) == self._codes(tmp_path), f"{dict(self.knobs)} changes the labels"
