"""The summary of a table: a summary for each column, which merge in the order of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from modelway import Category, DataError
from modelway_profile.numeric import NumberColumn
from modelway_profile.texts import TextColumn

if TYPE_CHECKING:
    from modelway import Column, Columns
    from modelway_profile.target import Target


@dataclass(frozen=True)
class Summary:
    """What one pass keeps of a table."""

    rows: int
    columns: Mapping[str, NumberColumn | TextColumn]

    @classmethod
    def of(cls, columns: Columns, target: Target | None, target_name: str, capacity: int) -> Self:
        """Summarise a batch."""
        made = {
            name: _summarised(name, column, None if name == target_name else target, capacity)
            for name, column in columns.items()
        }
        return cls(len(next(iter(columns.values()))) if columns else 0, made)

    def merge(self, later: Summary) -> Summary:
        """Return the summary of both.

        Raises:
            DataError: one lacks a column of the other, or holds texts where the other holds numbers.
        """
        if self.columns.keys() != later.columns.keys():
            lacking = sorted(self.columns.keys() ^ later.columns.keys())
            raise DataError(
                f"Two parts of the table have different columns: {', '.join(lacking)}",
                mend="Give every part the same columns in prepare",
            )
        made = {name: _merged(name, a, later.columns[name]) for name, a in self.columns.items()}
        return Summary(self.rows + later.rows, made)

    def plain(self) -> dict[str, Any]:
        """Return plain JSON that ``restore`` reads back."""
        return {name: column.plain() for name, column in self.columns.items()}

    @classmethod
    def restore(cls, rows: int, body: Mapping[str, Any]) -> Self:
        """Read what ``plain`` wrote."""
        return cls(rows, {name: restored(column) for name, column in body.items()})


def restored(body: dict[str, Any]) -> NumberColumn | TextColumn:
    """Read a column's summary back."""
    body = dict(body)
    form = body.pop("form")
    return NumberColumn.restore(body) if form == "numbers" else TextColumn.restore(body)


def _summarised(name: str, column: Column, target: Target | None, capacity: int) -> NumberColumn | TextColumn:
    if not isinstance(column, Category):
        if column.dtype.kind in "biufM":
            return NumberColumn.of(column, target)
        if column.dtype.kind not in "OUS":
            raise DataError(f"Values of type {column.dtype} cannot be profiled", where=f"column {name}")
        column = Category.of(None if item is None else str(item) for item in column.tolist())
    return TextColumn.of(column, target, capacity)


def _merged(name: str, a: NumberColumn | TextColumn, b: NumberColumn | TextColumn) -> NumberColumn | TextColumn:
    if isinstance(a, NumberColumn) and isinstance(b, NumberColumn):
        return a.merge(b)
    if isinstance(a, TextColumn) and isinstance(b, TextColumn):
        return a.merge(b)
    for one, other in ((a, b), (b, a)):  # a part without any value has no type
        if one.missing == one.rows:
            return other.more_missing(one.rows)
    numbers, words = ("numbers", "texts") if isinstance(a, NumberColumn) else ("texts", "numbers")
    raise DataError(
        f"Column '{name}' holds {numbers} in one part of the table and {words} in a later one",
        where=f"column {name}",
        mend="Cast the column in prepare",
    )
