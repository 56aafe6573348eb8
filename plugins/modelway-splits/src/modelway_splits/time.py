"""Splits along time: what is tested on comes after what was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import PHASES, Category, ConfigError, DataError, Run, Split, Splitter, Table, missing, param
from modelway_splits.known import Known, duration
from modelway_splits.labels import column_name, fold_names, share

if TYPE_CHECKING:
    from modelway_splits.labels import Array


@dataclass(frozen=True, kw_only=True)
class Time(Splitter, name="time"):
    """Hold out the latest rows.

    Rows of one moment stay together: test rows are all those at or after the moment where the share begins. The table
    need not be sorted. Validation rows are the latest of what remains, with the same gap before them. ``known`` leaves
    out the rows that nobody would score, such as those of a card that is known to be stolen by then.
    """

    seeded = False

    test: float = param(0.2, "Share of all rows to test on, the latest ones.", above=0, below=1)
    valid: float = param(0.0, "Share of the remaining rows to validate on, the latest ones.", at_least=0, below=1)
    gap: int | str = param(0, "Left unused before test and validation rows: a number of rows, or a duration (48h, 7d).")
    column: str | None = param(None, "Column of times or numbers; null means the one with the role time.")
    known: Known | None = param(
        None, "Leave out of testing and validation the entities that are known positive by then."
    )

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: too few rows, one moment only, or times that are missing or no times.
        """
        import numpy as np

        line = _Line(self, run, table)
        start = line.moment(table.rows - share(table.rows, self.test, "test"))
        if not start:
            raise DataError(
                f"The share of test rows begins at the first moment of column '{line.name}', {line.times[0]}",
                where="split.test",
                mend="Set a smaller test share, or go by a finer time",
            )
        codes = np.full(table.rows, PHASES["unused"], dtype=np.int8)
        codes[start:] = PHASES["test"]
        line.train(codes, line.before(start, self.gap), self.gap, self.valid)
        placed = line.in_table_order(codes)
        if self.known is not None:
            held = np.isin(placed, (PHASES["test"], PHASES["valid"]))
            out = held & self.known.rows(table, line.in_table_order(line.times), run)
            if (out == held).all():
                raise DataError(
                    "Every row to test or validate on is of an entity that is known by then",
                    where="split.known",
                    mend="Set split.known.within, the time after which a known entity counts again",
                )
            placed[out] = PHASES["unused"]
            run.log("known", int(out.sum()))
        return Split.of(table, {"holdout": placed}, run)


@dataclass(frozen=True, kw_only=True)
class Rolling(Splitter, name="rolling"):
    """Cross-validate with a rolling origin: each fold tests on the rows that follow its training rows.

    Rows are those of scikit-learn's ``TimeSeriesSplit`` with the same numbers of folds, gap, training and test
    rows, once they are in order of time; the table itself need not be sorted. The fold ``final`` trains on all
    rows, or on the latest ``max_train``, so that the model that is kept is made like those that were tested. Validation
    rows are the latest training rows, with the same gap before them.
    """

    seeded = False

    folds: int = param(5, "Number of folds.", at_least=2)
    gap: int | str = param(0, "Left unused before test and validation rows: a number of rows, or a duration (48h, 7d).")
    max_train: int | None = param(None, "Most training rows of a fold, with validation; null means all.", at_least=1)
    test_size: int | None = param(None, "Test rows of a fold; null means rows / (folds + 1).", at_least=1)
    valid: float = param(0.0, "Share of each fold's training rows to validate on, the latest.", at_least=0, below=1)
    column: str | None = param(None, "Column of times or numbers; null means the one with the role time.")

    def fold_names(self) -> tuple[str, ...]:
        """Return the names of the folds."""
        return fold_names(self.folds)

    def split(self, table: Table, run: Run) -> Split:
        """Label the rows.

        Raises:
            DataError: too few rows for the folds, or times that are missing or no times.
        """
        import numpy as np

        line, rows = _Line(self, run, table), table.rows
        size = self.test_size or rows // (self.folds + 1)
        first = rows - self.folds * size
        if size < 1 or line.before(first, self.gap) < 1:
            raise DataError(
                f"{rows} rows cannot make {self.folds} folds of {max(size, 1)} test rows with gap {self.gap}:"
                " the first would have no training row",
                where="split",
                mend="Ask for fewer folds, a smaller test_size, or a smaller gap",
            )
        labels = {}
        for i in range(self.folds):
            start = first + i * size
            codes = np.full(rows, PHASES["unused"], dtype=np.int8)
            codes[start : start + size] = PHASES["test"]
            line.train(codes, line.before(start, self.gap), self.gap, self.valid, self.max_train)
            labels[f"cv{i + 1}"] = line.in_table_order(codes)
        final = np.full(rows, PHASES["unused"], dtype=np.int8)
        line.train(final, rows, self.gap, self.valid, self.max_train)
        return Split.of(table, labels | {"final": line.in_table_order(final)}, run)


class _Line:
    """The rows in order of time; rows of one moment in the table's order.

    Args:
        splitter: Names the column.
        run: The run.
        table: The rows.
    """

    def __init__(self, splitter: Any, run: Run, table: Table) -> None:
        import numpy as np

        self.name = column_name(splitter, "time", run, table)
        times = _times(table, self.name)
        self.order = np.argsort(times, kind="stable")
        self.times = times[self.order]

    def moment(self, place: int) -> int:
        """Return the first place that has the moment of ``place``."""
        return int(self.times.searchsorted(self.times[place], "left"))

    def before(self, start: int, gap: int | str) -> int:
        """Return how many rows lie before the gap that ends at place ``start``.

        Raises:
            ConfigError: a gap that is no duration, or a duration where the column holds numbers.
        """
        import numpy as np

        if isinstance(gap, int):
            if gap < 0:
                raise ConfigError(f"A gap is not negative, and this is {gap}", where="split.gap")
            return max(start - gap, 0)
        span = duration(gap, "split.gap", "Write a number of rows, or a duration such as")
        if self.times.dtype.kind != "M":
            raise ConfigError(
                f"The gap '{gap}' is a duration, and column '{self.name}' holds numbers",
                where="split.gap",
                mend="Give the gap in rows",
            )
        return int(self.times.searchsorted(self.times[start] - np.timedelta64(span, "s"), "left"))

    def train(self, codes: Array, stop: int, gap: int | str, valid: float, most: int | None = None) -> None:
        """Mark the training rows before ``stop``, at most ``most``, and the latest of them as validation rows.

        Raises:
            DataError: no training row is left.
        """
        begin = max(stop - most, 0) if most else 0
        if stop <= 0:
            raise DataError(f"The gap {gap} leaves no training row", where="split.gap", mend="Set a smaller gap")
        codes[begin:stop] = PHASES["train"]
        if valid:
            origin = self.moment(stop - share(stop - begin, valid, "validation"))
            end = self.before(origin, gap)
            if end <= begin:
                raise DataError(
                    "Validation rows and the gap before them leave no training row",
                    where="split.valid",
                    mend="Set a smaller validation share or gap, or go by a finer time",
                )
            codes[end:origin] = PHASES["unused"]
            codes[origin:stop] = PHASES["valid"]

    def in_table_order(self, codes: Array) -> Array:
        """Return codes in order of time as codes of the table's rows."""
        import numpy as np

        placed = np.empty_like(codes)
        placed[self.order] = codes
        return placed


def _times(table: Table, name: str) -> Array:
    import numpy as np

    column = table.read([name])[name]
    gone = np.flatnonzero(missing(column))
    if len(gone):
        raise DataError(
            f"The time '{name}' is missing in {len(gone)} rows",
            where=f"row {gone[0]}",
            mend="Drop those rows in prepare",
        )
    if isinstance(column, Category):
        try:
            return np.asarray(column.values, dtype="M8[us]")[column.codes]
        except (TypeError, ValueError):
            raise DataError(
                f"Column '{name}' is to give the order of time, and holds text that is no ISO time,"
                f" such as {column.values[0]!r}",
                where="split.column",
                mend="Declare it as a timestamp, or name another column",
            ) from None
    return column
