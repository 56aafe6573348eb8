"""Splits by chance alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway import DataError, Run, Split, Splitter, Table, param
from modelway_splits.labels import cross_validation, fold_names, holdout, share

if TYPE_CHECKING:
    from modelway_splits.labels import Array, Carve


@dataclass(frozen=True, kw_only=True)
class Random(Splitter, name="random"):
    """Hold out rows drawn at random.

    Right for rows that have nothing to do with each other; where several belong to one person, machine or day, a model
    would be tested on what it has seen: use ``group`` or ``time``.
    """

    test: float = param(0.2, "Share of all rows to test on.", above=0, below=1)
    valid: float = param(0.0, "Share of the remaining rows to validate on, for early stopping.", at_least=0, below=1)

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: too few rows for the shares.
        """
        drawn = run.rng("split", "test").permutation(table.rows)
        return holdout(table, drawn[: share(table.rows, self.test, "test")], at_random(self.valid, run), run)


@dataclass(frozen=True, kw_only=True)
class KFold(Splitter, name="kfold"):
    """Cross-validate on rows dealt at random into folds of equal size.

    Folds ``cv1`` to ``cvN`` each test on one share of the rows; the fold ``final`` trains on all.
    """

    folds: int = param(5, "Number of folds.", at_least=2)
    valid: float = param(0.0, "Share of each fold's training rows to validate on.", at_least=0, below=1)

    def fold_names(self) -> tuple[str, ...]:
        """Return the names of the folds."""
        return fold_names(self.folds)

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: fewer rows than folds.
        """
        if table.rows < self.folds:
            raise DataError(f"{table.rows} rows cannot make {self.folds} folds", where="split.folds")
        drawn = run.rng("split", "folds").permutation(table.rows)
        tests = [drawn[i :: self.folds] for i in range(self.folds)]
        return cross_validation(table, tests, at_random(self.valid, run), run)


def at_random(valid: float, run: Run) -> Carve:
    """Return what takes validation rows at random."""

    def carve(rows: Array, fold: str) -> Array:
        if not valid:
            return rows[:0]
        drawn = run.rng("split", "valid", fold).permutation(len(rows))
        return rows[drawn[: share(len(rows), valid, "validation")]]

    return carve
