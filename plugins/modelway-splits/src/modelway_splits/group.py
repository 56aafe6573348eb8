"""Splits that keep groups whole: all rows of a person, machine or document are on one side."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway import DataError, Run, Split, Splitter, Table, param
from modelway_splits.labels import column_name, cross_validation, fold_names, holdout, levels

if TYPE_CHECKING:
    import numpy as np

    from modelway_splits.labels import Array, Carve


@dataclass(frozen=True, kw_only=True)
class Group(Splitter, name="group"):
    """Hold out whole groups, drawn at random until they hold about the declared share of the rows."""

    test: float = param(0.2, "Share of all rows to test on, as nearly as whole groups allow.", above=0, below=1)
    valid: float = param(0.0, "Share of the remaining rows to validate on.", at_least=0, below=1)
    column: str | None = param(None, "Column of groups; null means the one with the role group.")

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: too few groups, or a row without a group.
        """
        groups, _ = levels(table, column_name(self, "group", run, table))
        test = _drawn(groups, self.test, run.rng("split", "test"), leave=2 if self.valid else 1)
        return holdout(table, test, _whole_groups(groups, self.valid, run), run)


@dataclass(frozen=True, kw_only=True)
class GroupKFold(Splitter, name="group_kfold"):
    """Cross-validate on whole groups, dealt into folds of about equal numbers of rows.

    Folds ``cv1`` to ``cvN`` each test on some groups; the fold ``final`` trains on all. Groups go, the largest first
    and equal ones in random order, each to the fold that has the fewest rows so far.
    """

    folds: int = param(5, "Number of folds.", at_least=2)
    valid: float = param(0.0, "Share of each fold's training rows to validate on.", at_least=0, below=1)
    column: str | None = param(None, "Column of groups; null means the one with the role group.")

    def fold_names(self) -> tuple[str, ...]:
        """Return the names of the folds."""
        return fold_names(self.folds)

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: fewer groups than folds, or a row without a group.
        """
        import numpy as np

        groups, values = levels(table, column_name(self, "group", run, table))
        if len(values) < self.folds:
            raise DataError(
                f"{len(values)} groups cannot make {self.folds} folds",
                where="split.folds",
                mend=f"Set split.folds to {len(values)} or fewer",
            )
        sizes = np.bincount(groups)
        drawn = run.rng("split", "folds").permutation(len(values))
        largest_first = drawn[np.argsort(-sizes[drawn], kind="stable")]
        fold_of = np.empty(len(values), dtype=np.int64)
        loads = [(0, fold) for fold in range(self.folds)]
        for group in largest_first.tolist():
            rows, fold = loads[0]
            fold_of[group] = fold
            heapq.heapreplace(loads, (rows + int(sizes[group]), fold))
        fold_of_row = fold_of[groups]
        tests = [np.flatnonzero(fold_of_row == fold) for fold in range(self.folds)]
        return cross_validation(table, tests, _whole_groups(groups, self.valid, run), run)


def _drawn(groups: Array, part: float, rng: np.random.Generator, *, leave: int = 1) -> Array:
    """Draw whole groups that hold about a share of the rows, leaving at least ``leave`` groups."""
    import numpy as np

    present, groups = np.unique(groups, return_inverse=True)
    if len(present) <= leave:
        raise DataError(
            f"{leave + 1} phases need {leave + 1} groups or more, and there {'is' if len(present) == 1 else 'are'}"
            f" {len(present)} to split",
            where="split.column",
            mend="Name a column of finer groups, or leave out the validation share",
        )
    drawn = rng.permutation(len(present))
    held = np.cumsum(np.bincount(groups)[drawn])[:-leave]
    count = int(np.argmin(np.abs(held - part * len(groups)))) + 1
    return np.flatnonzero(np.isin(groups, drawn[:count]))


def _whole_groups(groups: Array, valid: float, run: Run) -> Carve:
    def carve(rows: Array, fold: str) -> Array:
        if not valid:
            return rows[:0]
        return rows[_drawn(groups[rows], valid, run.rng("split", "valid", fold))]

    return carve
