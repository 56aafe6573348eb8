"""Suites of sources, preparers, checks and splitters: a tiny good component passes, rude ones are caught."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from modelway import (
    PHASES,
    Check,
    Columns,
    DataError,
    Finding,
    Findings,
    Preparer,
    RowPreparer,
    Run,
    Source,
    Split,
    Splitter,
    Table,
    knob,
    param,
)
from modelway.testing import CheckSuite, PreparerSuite, SourceSuite, SplitterSuite

_COUNTER = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Lines(Source, name="lines"):
    """Reads whole numbers, one a line."""

    path: str = param(..., "File.")

    def place(self, run: Run) -> Path:
        if not run.path(self.path).is_file():
            raise DataError("The file is not there", where=self.path)
        return run.path(self.path)

    def version(self, run: Run) -> str:
        return run.digest(self.place(run))

    def load(self, run: Run) -> Table:
        import numpy as np

        lines = self.place(run).read_text().split()
        return run.table([{"a": np.asarray(lines, dtype=int)}])


@dataclass(frozen=True, kw_only=True)
class LinesByName(Lines, name="lines_by_name"):
    """Takes the file's name for its version."""

    def version(self, run: Run) -> str:
        return self.path


@dataclass(frozen=True, kw_only=True)
class LinesByChance(Lines, name="lines_by_chance"):
    """Has another version each time."""

    def version(self, run: Run) -> str:
        super().version(run)
        return str(next(_COUNTER))


@dataclass(frozen=True, kw_only=True)
class LinesLoadedEarly(Lines, name="lines_loaded_early"):
    """Loads the rows to tell their version."""

    def version(self, run: Run) -> str:
        return self.load(run).parts[0].digest


@dataclass(frozen=True, kw_only=True)
class LinesInAnyOrder(Lines, name="lines_in_any_order"):
    """Has other rows each time."""

    def load(self, run: Run) -> Table:
        import numpy as np

        return run.table([{"a": np.asarray([next(_COUNTER)])}])


class LinesSuite(SourceSuite):
    __test__ = False
    source: type[Lines] = Lines

    def make(self, folder: Path) -> Lines:
        place = folder / "numbers.txt"
        if not place.exists():
            place.write_text("1\n2\n3\n")
        return self.source(path="numbers.txt")

    def change(self, folder: Path) -> bool:
        (folder / "numbers.txt").write_text("1\n2\n4\n")
        return True

    def absent(self, folder: Path) -> Lines:
        return self.source(path="absent.txt")


class TestLines(LinesSuite):
    __test__ = True


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        (LinesByName, "test_version_follows_the_data"),
        (LinesByName, "test_absent_data_is_explained"),
        (LinesByChance, "test_version_is_stable_and_loads_nothing"),
        (LinesLoadedEarly, "test_version_is_stable_and_loads_nothing"),
        (LinesLoadedEarly, "test_version_needs_no_heavy_library"),
        (LinesInAnyOrder, "test_loading_twice_gives_the_same_table"),
    ],
)
def test_a_rude_source_is_caught(caught: Any, source: type, rule: str) -> None:
    assert caught(LinesSuite, rule, source=source) == {rule}


@dataclass(frozen=True, kw_only=True)
class Double(RowPreparer, name="double"):
    """Doubles a column."""

    def apply(self, columns: Columns) -> Columns:
        return {**columns, "twice": columns["b"] * 2.0}  # type: ignore[dict-item, operator]


@dataclass(frozen=True, kw_only=True)
class DoubleInPlace(Double, name="double_in_place"):
    """Doubles a column where it stands."""

    def apply(self, columns: Columns) -> Columns:
        columns["b"] *= 2  # type: ignore[assignment, operator]
        return columns


@dataclass(frozen=True, kw_only=True)
class Centre(Double, name="centre"):
    """Takes the mean of whatever rows it is given."""

    def apply(self, columns: Columns) -> Columns:
        return {**columns, "centred": columns["b"] - columns["b"].mean()}  # type: ignore[operator, union-attr]


@dataclass(frozen=True, kw_only=True)
class DoubleByFrame(Double, name="double_by_frame"):
    """Doubles with a library that services do not have."""

    def apply(self, columns: Columns) -> Columns:
        import pandas as pd

        return {**columns, "twice": pd.Series(columns["b"]).to_numpy() * 2.0}  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Stamp(Preparer, name="stamp"):
    """Writes another number into the table each time."""

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        import numpy as np

        return run.table([{"a": np.asarray([next(_COUNTER)])}])


@dataclass(frozen=True, kw_only=True)
class FirstOfPart(Preparer, name="first_of_part"):
    """Keeps the first row of each part."""

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        return tables["table"].map(lambda batch: batch.slice(0, 1), run)


class TestDouble(PreparerSuite):
    component = Double()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (DoubleInPlace(), "test_a_row_step_gives_one_request_what_training_saw"),
        (Centre(), "test_a_row_step_gives_one_request_what_training_saw"),
        (DoubleByFrame(), "test_a_row_step_gives_one_request_what_training_saw"),
        (Stamp(), "test_preparing_twice_gives_the_same_table"),
        (FirstOfPart(), "test_rows_do_not_depend_on_how_the_table_is_cut"),
    ],
)
def test_a_rude_preparer_is_caught(caught: Any, component: Preparer, rule: str) -> None:
    assert caught(PreparerSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Unique(Check, name="unique"):
    """Finds values that occur twice."""

    def check(self, table: Table, run: Run) -> Findings:
        seen: set[Any] = set()
        twice: list[int] = []
        for row, value in enumerate(table.read(["a"])["a"].tolist()):  # type: ignore[union-attr]
            if value in seen:
                twice.append(row)
            seen.add(value)
        items = (Finding("unique", "a", len(twice), rows=tuple(twice[:3])),) if twice else ()
        return Findings(items, table.rows, 1)


@dataclass(frozen=True, kw_only=True)
class UniqueByPart(Unique, name="unique_by_part"):
    """Finds values that occur twice within a part."""

    def check(self, table: Table, run: Run) -> Findings:
        count = sum(part.rows - len(set(table.only([part]).read()["a"].tolist())) for part in table.parts)  # type: ignore[union-attr]
        return Findings((Finding("unique", "a", count),) if count else (), table.rows, 1)


@dataclass(frozen=True, kw_only=True)
class Blind(Unique, name="blind"):
    """Finds nothing."""

    def check(self, table: Table, run: Run) -> Findings:
        return Findings((), table.rows, 1)


@dataclass(frozen=True, kw_only=True)
class Nervous(Unique, name="nervous"):
    """Finds something everywhere."""

    def check(self, table: Table, run: Run) -> Findings:
        return Findings((Finding("unique", "a", 1, rows=(next(_COUNTER) % 3,)),), table.rows, 1)


class UniqueSuite(CheckSuite):
    __test__ = False
    config: ClassVar[Mapping[str, Any]] = {"columns": {"a": {"type": "integer", "unique": True}}}
    component = Unique()

    def sample(self) -> Mapping[str, Any]:
        return {"a": [1, 2, 3, 4, 5, 6, 7, 8]}

    def broken(self) -> Mapping[str, Any]:
        return {"a": [1, 2, 3, 4, 5, 5, 7, 1]}


class TestUnique(UniqueSuite):
    __test__ = True


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (UniqueByPart(), "test_findings_do_not_depend_on_how_the_table_is_cut"),
        (Blind(), "test_rows_that_break_a_rule_are_found_and_counted"),
        (Nervous(), "test_rows_that_keep_the_rules_pass"),
        (Nervous(), "test_findings_are_repeatable_and_can_be_kept"),
    ],
)
def test_a_rude_check_is_caught(caught: Any, component: Check, rule: str) -> None:
    assert caught(UniqueSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Half(Splitter, name="half"):
    """Trains on a random half, and tests on the others."""

    def codes(self, table: Table, run: Run) -> Any:
        import numpy as np

        return np.where(run.rng("half").permutation(table.rows) % 2 == 0, PHASES["train"], PHASES["test"])

    def split(self, table: Table, run: Run) -> Split:
        return Split.of(table, {"only": self.codes(table, run)}, run)


@dataclass(frozen=True, kw_only=True)
class HalfByChance(Half, name="half_by_chance"):
    """Draws numbers that are not the run's."""

    def codes(self, table: Table, run: Run) -> Any:
        import numpy as np

        return np.where(np.random.default_rng().permutation(table.rows) % 2 == 0, PHASES["train"], PHASES["test"])


@dataclass(frozen=True, kw_only=True)
class HalfOfPart(Half, name="half_of_part"):
    """Trains on the first half of each part."""

    def codes(self, table: Table, run: Run) -> Any:
        import numpy as np

        return np.concatenate([np.arange(part.rows) * 2 // part.rows * 2 + 1 for part in table.parts])


@dataclass(frozen=True, kw_only=True)
class HalfSecretly(Half, name="half_secretly"):
    """Says that the seed does not matter, and uses it."""

    seeded = False


@dataclass(frozen=True, kw_only=True)
class TestOnly(Half, name="test_only"):
    """Leaves nothing to train on."""

    __test__ = False

    def split(self, table: Table, run: Run) -> Split:
        split = super().split(table, run)
        labels = run.table([{"only": self.codes(table, run) * 0 + PHASES["test"]}])
        return Split(table, labels, ("only",), split.schema, split.task, "only")


@dataclass(frozen=True, kw_only=True)
class Mover(Half, name="mover"):
    """Sorts the rows."""

    def split(self, table: Table, run: Run) -> Split:
        return super().split(run.table([table.arrow().sort_by([("a", "descending")])]), run)


class TestHalf(SplitterSuite):
    component = Half()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (HalfByChance(), "test_the_same_seed_gives_the_same_labels"),
        (HalfOfPart(), "test_labels_do_not_depend_on_how_the_table_is_cut"),
        (HalfSecretly(), "test_says_whether_the_seed_matters"),
        (TestOnly(), "test_labels_every_row_and_leaves_rows_to_train_on"),
        (Mover(), "test_labels_every_row_and_leaves_rows_to_train_on"),
    ],
)
def test_a_rude_splitter_is_caught(caught: Any, component: Splitter, rule: str) -> None:
    assert caught(SplitterSuite, rule, component=component) == {rule}


def test_a_knob_that_changes_the_labels_is_caught(caught: Any) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Shifted(Half, name="shifted"):
        """Shifts the labels by something that it calls a knob."""

        threads: int = knob(0, "Threads.")

        def codes(self, table: Table, run: Run) -> Any:
            import numpy as np

            return np.roll(super().codes(table, run), self.threads)

    assert "test_knobs_do_not_change_the_labels" in caught(SplitterSuite, component=Shifted(), knobs={"threads": 1})
