"""What the expectations share: which table they look at, how severe they are, and a walk over the table's parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, TypeVar

from modelway import Check, ConfigError, DataError, Finding, Run, Table, nearest, param

S = TypeVar("S")

#: A part as a table of its own, and the position of its first row.
Piece = tuple[Table, int]


@dataclass(frozen=True, kw_only=True)
class Expectation(Check):
    """What is expected of a table."""

    table: str = param("", "Label of the source that is looked at; without it, the prepared table.")
    severity: Literal["stop", "warn"] = param("stop", "Whether data that is otherwise stops the run or only warns.")
    samples: int = param(5, "Rows and samples to show.", at_least=0)

    def finding(
        self,
        rule: str,
        column: str,
        count: int,
        text: str,
        *,
        unit: str = "rows",
        rows: Iterable[int] = (),
        samples: Iterable[Any] = (),
    ) -> Finding:
        """Make a finding, with the first few rows and samples only."""
        few, shown = tuple(map(int, rows))[: self.samples], tuple(samples)[: self.samples]
        return Finding(rule, column, int(count), self.severity, few, shown, text, unit)


def over(table: Table, run: Run, summarise: Callable[[Piece], S], merge: Callable[[S, S], S]) -> S | None:
    """Summarise each part on the run's compute, and merge the summaries in row order.

    Returns:
        None where the table has no rows.
    """
    starts = accumulate((part.rows for part in table.parts), initial=0)
    pieces = [(table.only([part]), start) for part, start in zip(table.parts, starts, strict=False) if part.rows]
    whole: S | None = None
    for done, found in enumerate(run.map(summarise, pieces), 1):
        whole = found if whole is None else merge(whole, found)
        run.progress("parts", done, len(pieces))
    return whole


def require(table: Table, names: Iterable[str], where: str, whose: str = "The table") -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: it does; the nearest name is proposed.
    """
    for name in names:
        if name not in table.names:
            raise DataError(f"{whose} has no column '{name}'", where=where, mend=nearest(name, table.names))


def time_column(column: str, table: Table, run: Run) -> str:
    """Return the column of times: the one that is named, or the schema's.

    Raises:
        ConfigError: none is named, and the schema has none.
        DataError: the table does not have it, or it holds something other than times.
    """
    name = column or run.schema.one("time")
    where = f"checks.{run.label}"
    if name is None:
        raise ConfigError(
            "There is no time to go by", where=where,
            mend="Name the 'column', or give a column of the schema 'role: time'",
        )  # fmt: skip
    require(table, [name], where)
    kind = dict(table.columns)[name]
    if not kind.startswith(("timestamp", "date")):
        raise DataError(
            f"Column '{name}' is held as {kind}, and holds no times", where=where,
            mend="Declare its type in the source's schema as 'timestamp' or 'date'",
        )  # fmt: skip
    return name


def other_table(label: str, tables: Mapping[str, Table], where: str) -> Table:
    """Return a source's table by its label.

    Raises:
        ConfigError: the project has no such source.
    """
    if label not in tables:
        raise ConfigError(f"There is no source '{label}'", where=where, mend=nearest(label, tables))
    return tables[label]
