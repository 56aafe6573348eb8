"""Splits that keep the shares of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import DataError, Run, Split, Splitter, Table, param
from modelway_splits.labels import column_name, cross_validation, fold_names, holdout, levels, share

if TYPE_CHECKING:
    import numpy as np

    from modelway_splits.labels import Array, Carve


@dataclass(frozen=True, kw_only=True)
class Stratified(Splitter, name="stratified"):
    """Hold out rows drawn at random, with each class in the same share everywhere.

    The count of a class in a phase is within one row of its exact share, and every class keeps a training row.
    """

    test: float = param(0.2, "Share of all rows to test on.", above=0, below=1)
    valid: float = param(0.0, "Share of the remaining rows to validate on, for early stopping.", at_least=0, below=1)
    column: str | None = param(None, "Column whose values keep their shares; null means the target.")

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: a class with too few rows, or a missing value.
        """
        codes, values = levels(table, column_name(self, "target", run, table))
        _enough(codes, values, 2, "to train and to test")
        test = _drawn(codes, self.test, "test", run.rng("split", "test"))
        return holdout(table, test, _by_class(codes, self.valid, run), run)


@dataclass(frozen=True, kw_only=True)
class StratifiedKFold(Splitter, name="stratified_kfold"):
    """Cross-validate on rows dealt at random into folds, with each class in the same share in every fold.

    Folds ``cv1`` to ``cvN`` each test on one share of the rows; the fold ``final`` trains on all. The counts of a class
    in two folds differ by one row at most, and so do the folds' sizes.
    """

    folds: int = param(5, "Number of folds.", at_least=2)
    valid: float = param(0.0, "Share of each fold's training rows to validate on.", at_least=0, below=1)
    column: str | None = param(None, "Column whose values keep their shares; null means the target.")

    def fold_names(self) -> tuple[str, ...]:
        """Return the names of the folds."""
        return fold_names(self.folds)

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: a class with fewer rows than folds, or a missing value.
        """
        import numpy as np

        codes, values = levels(table, column_name(self, "target", run, table))
        _enough(codes, values, self.folds, f"for {self.folds} folds")
        order = _by_class_then_chance(codes, run.rng("split", "folds"))
        tests = [np.sort(order[i :: self.folds]) for i in range(self.folds)]
        return cross_validation(table, tests, _by_class(codes, self.valid, run), run)


def _enough(codes: Array, values: Sequence[Any], fewest: int, why: str) -> None:
    import numpy as np

    counts = np.bincount(codes, minlength=len(values))
    rare = [f"{values[i]!r} ({counts[i]})" for i in np.flatnonzero(counts < fewest).tolist()]
    if rare:
        most = "Each value occurs once or so: is the column a number? " if len(rare) > 20 else ""
        raise DataError(
            f"{len(rare)} of {len(values)} classes have fewer than the {fewest} rows needed {why}:"
            f" {', '.join(rare[:5])}{', ...' if len(rare) > 5 else ''}",
            where="split.column",
            mend=f"{most}Merge or drop rare classes in prepare, or use a split that is not stratified",
        )


def _by_class_then_chance(codes: Array, rng: np.random.Generator) -> Array:
    import numpy as np

    drawn = rng.permutation(len(codes))
    return drawn[np.argsort(codes[drawn], kind="stable")]


def _drawn(codes: Array, part: float, what: str, rng: np.random.Generator) -> Array:
    """Draw a share by systematic sampling of the rows ordered by class: every 1/part-th row along that order."""
    import numpy as np

    share(len(codes), part, what)
    order = _by_class_then_chance(codes, rng)
    chosen = np.diff(np.floor(np.arange(len(codes) + 1) * part + 0.5)) > 0
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    whole = np.logical_and.reduceat(chosen, starts)
    chosen[starts[whole]] = False  # every class keeps a training row
    drawn: Array = order[chosen]
    return drawn


def _by_class(codes: Array, valid: float, run: Run) -> Carve:
    def carve(rows: Array, fold: str) -> Array:
        if not valid:
            return rows[:0]
        chosen: Array = rows[_drawn(codes[rows], valid, "validation", run.rng("split", "valid", fold))]
        return chosen

    return carve
