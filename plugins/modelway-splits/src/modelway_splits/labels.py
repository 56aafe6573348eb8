"""What all splits share: phase codes, the folds' names, and the column that a split goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from modelway import PHASES, Category, ConfigError, DataError, Run, Split, Table, missing, nearest

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

#: Roles that name a column which a split goes by.
Role: TypeAlias = Literal["target", "group", "time", "fold", "entity"]
#: Takes validation rows from a fold's training rows: (training row positions, fold) -> validation row positions.
Carve: TypeAlias = "Callable[[Array, str], Array]"


def holdout(table: Table, test: Array, carve: Carve, run: Run, *, unused: Array | None = None) -> Split:
    """Return the split of one fold, ``holdout``.

    Args:
        table: The rows.
        test: Positions of the test rows.
        carve: Takes the validation rows.
        run: The run.
        unused: Positions of rows that are for nothing.
    """
    return Split.of(table, {"holdout": label(table.rows, "holdout", test, carve, unused)}, run)


def cross_validation(table: Table, tests: Sequence[Array], carve: Carve, run: Run) -> Split:
    """Return the split of the folds ``cv1`` to ``cvN``, one per set of test rows, and ``final`` that tests on none."""
    import numpy as np

    nothing = np.empty(0, dtype=np.int64)
    folds = dict(zip(fold_names(len(tests)), [*tests, nothing], strict=True))
    return Split.of(table, {fold: label(table.rows, fold, test, carve) for fold, test in folds.items()}, run)


def fold_names(count: int) -> tuple[str, ...]:
    """Return the names of cross-validation's folds: ``cv1`` to ``cvN``, and last ``final``."""
    return (*(f"cv{i}" for i in range(1, count + 1)), "final")


def label(rows: int, fold: str, test: Array, carve: Carve, unused: Array | None = None) -> Array:
    """Return the code of every row: test and unused rows as given, the others train, and those carved validate."""
    import numpy as np

    codes = np.full(rows, PHASES["train"], dtype=np.int8)
    codes[test] = PHASES["test"]
    if unused is not None:
        codes[unused] = PHASES["unused"]
    codes[carve(np.flatnonzero(codes == PHASES["train"]), fold)] = PHASES["valid"]
    return codes


def share(rows: int, part: float, what: str, left: str = "training") -> int:
    """Return how many rows a share is, so that neither it nor what is left is empty.

    Raises:
        DataError: too few rows for both.
    """
    count = round(rows * part)
    if not 0 < count < rows:
        raise DataError(
            f"A share of {part:g} of {rows} rows leaves no {what if count <= 0 else left} row",
            mend="Change the share, or split more rows",
        )
    return count


def column_name(splitter: Any, role: Role, run: Run, table: Table) -> str:
    """Return the column that a split goes by: the one it names, or the one with a role.

    Raises:
        ConfigError: neither is declared.
        DataError: the table does not have the column.
    """
    return column_of(splitter.column, role, run, table, f"The split '{splitter.name}' goes", "split.column")


def column_of(name: str | None, role: Role, run: Run, table: Table, goes: str, where: str) -> str:
    """Return the column of a name, or without one that of a role.

    Args:
        name: Name of the column, or None.
        role: Role that the schema gives it.
        run: The run.
        table: The rows.
        goes: What goes by the column, with its verb, for messages.
        where: The key that names it.

    Raises:
        ConfigError: neither is declared.
        DataError: the table does not have the column.
    """
    name = name or run.schema.one(role)
    if name is None:
        raise ConfigError(
            f"{goes} by a column, and none is named",
            where=where,
            mend=f"Set {where}, or give one column of the schema 'role: {role}'",
        )
    if name not in table.names:
        raise DataError(
            f"{goes} by column '{name}', which the table does not have",
            where=where,
            mend=nearest(name, table.names),
        )
    return str(name)


def levels(table: Table, name: str) -> tuple[Array, list[Any]]:
    """Return a column as numbers: the distinct values, sorted by their text, and each row's place among them.

    Raises:
        DataError: a row whose value is missing.
    """
    import numpy as np

    column = table.read([name])[name]
    if isinstance(column, Category):
        codes, values = column.codes, list(column.values)
    else:
        distinct, codes = np.unique(column, return_inverse=True)
        values = distinct.tolist()
    gone = np.flatnonzero(missing(column))
    if len(gone):
        raise DataError(
            f"Column '{name}', which the split goes by, is missing in {len(gone)} rows",
            where=f"row {gone[0]}",
            mend="Fill the column or drop those rows in prepare",
        )
    held = np.flatnonzero(np.bincount(codes, minlength=len(values)))
    order = sorted(held.tolist(), key=lambda code: str(values[code])) if isinstance(column, Category) else held.tolist()
    place = np.full(len(values), -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[codes], [values[code] for code in order]
