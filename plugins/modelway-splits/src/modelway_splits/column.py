"""Splits that somebody else has made, and written into a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelway import PHASES, ConfigError, DataError, Run, Split, Splitter, Table, nearest, param
from modelway_splits.chance import at_random
from modelway_splits.labels import column_name, cross_validation, fold_names, holdout, levels

Phase = Literal["train", "valid", "test", "unused"]


@dataclass(frozen=True, kw_only=True)
class Column(Splitter, name="column"):
    """Split by a column whose values say what each row is for, such as an official split."""

    column: str | None = param(None, "Column to go by; null means the one with the role fold.")
    values: dict[str, Phase] = param(
        {"train": "train", "valid": "valid", "test": "test"}, "What the rows of each value are for."
    )
    valid: float = param(
        0.0, "Share of the training rows to validate on, drawn at random, besides declared ones.", at_least=0, below=1
    )

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: a value that ``values`` does not map, or no row to test or train on.
        """
        import numpy as np

        codes, found = levels(table, column_name(self, "fold", run, table))
        strange = [str(value) for value in found if str(value) not in self.values]
        if strange:
            raise DataError(
                f"Column '{column_name(self, 'fold', run, table)}' holds {', '.join(map(repr, strange[:5]))},"
                " and split.values does not say what those rows are for",
                where="split.values",
                mend="Map each to train, valid, test or unused",
            )
        phase = np.asarray([PHASES[self.values[str(value)]] for value in found], dtype=np.int8)[codes]
        for need in ("train", "test"):
            if not (phase == PHASES[need]).any():
                raise DataError(f"No row is there to {need} {'on ' if need == 'test' else ''}", where="split.values")
        carve = at_random(self.valid, run)
        declared = np.flatnonzero(phase == PHASES["valid"])
        return holdout(
            table,
            np.flatnonzero(phase == PHASES["test"]),
            lambda rows, fold: np.append(declared, carve(np.setdiff1d(rows, declared, assume_unique=True), fold)),
            run,
            unused=np.flatnonzero(phase == PHASES["unused"]),
        )


@dataclass(frozen=True, kw_only=True)
class ColumnKFold(Splitter, name="column_kfold"):
    """Cross-validate on a column's values: each is a fold.

    Fold ``cv1`` tests on the rows of the first of ``values``, and so on; the fold ``final`` trains on all rows. The
    values are declared, since a plan knows its folds before any data is read.
    """

    values: tuple[str | int, ...] = param(..., "Values of the column, one for each fold, in the order of the folds.")
    column: str | None = param(None, "Column to go by; null means the one with the role fold.")
    valid: float = param(
        0.0, "Share of each fold's training rows to validate on, drawn at random.", at_least=0, below=1
    )

    def fold_names(self) -> tuple[str, ...]:
        """Return the names of the folds."""
        return fold_names(len(self.values))

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            ConfigError: fewer than two values, or one twice.
            DataError: a value that is not declared, or one that no row has.
        """
        import numpy as np

        wanted = [str(value) for value in self.values]
        if len(wanted) < 2 or len(set(wanted)) < len(wanted):
            raise ConfigError("Folds need at least two values, each once", where="split.values")
        name = column_name(self, "fold", run, table)
        codes, values = levels(table, name)
        found = [str(value) for value in values]
        odd = sorted(set(found) ^ set(wanted))
        if odd:
            which = "is in the table and not in split.values" if odd[0] in found else "has no row in the table"
            raise DataError(
                f"The value {odd[0]!r} of column '{name}' {which}",
                where="split.values",
                mend=nearest(odd[0], wanted if odd[0] in found else found),
            )
        tests = [np.flatnonzero(codes == found.index(value)) for value in wanted]
        return cross_validation(table, tests, at_random(self.valid, run), run)
