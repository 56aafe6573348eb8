"""Vocabularies: which values a column holds, counted exactly, and where each stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway import Category, Columns, ConfigError, Graph, Wire, param
from modelway_features.columnwise import Columnwise, TooManyValuesError

if TYPE_CHECKING:
    from modelway_features.columnwise import Array

Item: TypeAlias = "str | int | float | bool"

#: Distinct values up to which a column is counted, exactly; beyond, the column is refused.
DISTINCT = 200_000


@dataclass(frozen=True)
class Counts:
    """How often each value of a column occurs; exact, up to ``DISTINCT`` values."""

    counts: Mapping[Any, int]

    def merge(self, later: Counts) -> Counts:
        """Return the summary of both.

        Raises:
            TooManyValuesError: there are more than ``DISTINCT`` values.
        """
        counts = dict(self.counts)
        for value, count in later.counts.items():
            counts[value] = counts.get(value, 0) + count
        if len(counts) > DISTINCT:
            raise TooManyValuesError(
                f"it has more than {DISTINCT:,} distinct values",
                mend="It looks like an identifier or a measurement: drop it, or put it into 'bins' first",
            )
        return Counts(counts)


def as_category(column: Any) -> Category:
    """Return a column as categories; numbers and booleans become whole numbers where they are whole."""
    import numpy as np

    if isinstance(column, Category):
        return column
    if column.dtype.kind == "f":
        gone = np.isnan(column)
        if gone.any():
            codes = np.full(len(column), -1, dtype=np.int32)
            held = as_category(column[~gone])
            codes[~gone] = held.codes
            return Category(codes, held.values)
    if len(column) == 1:
        return Category(np.zeros(1, dtype=np.int32), (_whole(column[0].item()),))
    distinct, inverse = np.unique(column, return_inverse=True)
    return Category(inverse.astype(np.int32), [_whole(value) for value in distinct.tolist()])


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()) else value


def ordered(values: Any) -> list[Any]:
    """Sort values: numbers before text."""
    return sorted(values, key=lambda value: (isinstance(value, str), value))


_PLACES: dict[int, tuple[Sequence[Any], dict[Any, int]]] = {}


def places(values: Sequence[Any]) -> dict[Any, int]:
    """Return each value's position; kept for a fitted list, since a service asks on every request."""
    held = _PLACES.get(id(values))
    if held is None or held[0] is not values:
        if len(_PLACES) >= 256:
            _PLACES.clear()
        held = _PLACES[id(values)] = (values, {value: i for i, value in enumerate(values)})
    return held[1]


@dataclass(frozen=True, kw_only=True)
class Encoder(Columnwise):
    """A feature with a vocabulary per column, fitted on training rows or declared.

    Fitted vocabularies are sorted, numbers before text. ``min_count`` and ``max_categories`` leave rare values out;
    those are then treated as unseen ones are. A column of more than 200,000 distinct values is refused.
    """

    columns: tuple[str, ...] = param((), "Names or patterns of columns; by default all of text or categories.")
    values: tuple[Item, ...] | None = param(None, "The vocabulary, in order; by default that of the training rows.")
    min_count: int = param(1, "Fewest training rows that a value needs to be in the vocabulary.", at_least=1)
    max_categories: int | None = param(None, "Most values kept, the most frequent ones; by default all.", at_least=1)
    other: str = param("other", "Name of the category of unseen values, where 'unseen' is 'other'.")

    def __post_init__(self) -> None:
        """Refuse fields that contradict each other.

        Raises:
            ConfigError: rare values are left out, and unseen ones are an error.
        """
        if getattr(self, "unseen", "") == "error" and (self.min_count > 1 or self.max_categories):
            raise ConfigError(
                f"Feature '{self.name}' leaves rare values out and refuses unseen ones: training rows would be refused",
                mend="Set unseen to another answer, or leave out min_count and max_categories",
            )
        if self.values is not None and len(set(self.values)) < len(self.values):
            raise ConfigError(f"Feature '{self.name}' declares a value twice", mend="List each of 'values' once")

    def inputs(self, available: Columns) -> tuple[str, ...]:
        """Return the columns to change: the declared ones, or all that hold text or categories."""
        if self.columns:
            return super().inputs(available)
        return tuple(name for name, column in available.items() if isinstance(column, Category))

    def observe(self, name: str, column: Any) -> Counts:
        """Count the values of one column.

        Raises:
            DataError: the column holds times, or too many values.
        """
        return observe(self, name, column) if self.values is None else Counts({})

    def vocabulary(self, summary: Counts) -> list[Any]:
        """Return the column's vocabulary."""
        if self.values is not None:
            return [int(value) if isinstance(value, bool) else value for value in self.values]
        kept = ordered(value for value, count in summary.counts.items() if count >= self.min_count)
        if self.max_categories is not None:
            kept = ordered(sorted(kept, key=lambda value: -summary.counts[value])[: self.max_categories])
        return kept

    def look_up(self, name: str, column: Any, values: Sequence[Any], unseen: Any, gone: Any, dtype: str) -> Array:
        """Return each row's position in a vocabulary, shape (rows,).

        Args:
            name: The column's name.
            column: The column.
            values: The fitted vocabulary.
            unseen: What stands for a value that is not in it; None to refuse one.
            gone: What stands for a missing value.
            dtype: Type of the result.

        Raises:
            DataError: a value is unseen, and that is to be refused.
        """
        import numpy as np

        held, known = as_category(column), places(values)
        table = [known.get(value, unseen) for value in held.values]
        if unseen is None and None in table:
            strange = np.flatnonzero(np.asarray([place is None for place in table] + [False])[held.codes])
            if len(strange):
                row = int(strange[0])
                raise self.error(
                    name,
                    f"{held.values[held.codes[row]]!r} did not occur in the training rows",
                    row=row,
                    mend="Set the feature's 'unseen' to what should happen",
                )
            table = [gone if place is None else place for place in table]
        return np.asarray([*table, gone], dtype=dtype)[held.codes]

    def known(self, name: str, wire: Wire, values: Sequence[Any], graph: Graph, missing: float = nan) -> str:
        """Write positions into a graph that refuses unseen values; returns float64, shape (rows, 1)."""
        found = graph.look_up(wire, places(values), unseen=-2.0, missing=missing)
        strange = graph.add("Equal", found, graph.constant([-2.0]))
        graph.refuse(strange, f"'{name}' holds a category that did not occur in the training rows")
        return found


def observe(feature: Columnwise, name: str, column: Any) -> Counts:
    """Count the values of one column for a feature.

    Raises:
        DataError: the column holds times, or too many values.
    """
    if not isinstance(column, Category) and column.dtype.kind not in "fiub":
        raise feature.error(name, "it holds times, and categories are needed", mend="Use 'dateparts' for times")
    try:
        return Counts({}).merge(Counts(as_category(column).counts()))
    except TooManyValuesError as error:
        raise feature.error(name, error.what, mend=error.mend) from None
