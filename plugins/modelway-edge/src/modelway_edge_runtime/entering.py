"""Entering: rows that are held to the schema and become the graph's tensors.

A row that keeps every rule is recognised by few operations on all of its numbers at once, and by the values of its
categories having been seen before; whatever else is looked at value by value, which tells what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from modelway_edge_runtime.errors import Problem, RefusedError
from modelway_edge_runtime.fields import Field

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

#: Problems that an error lists; all of them are counted.
LISTED = 100
#: Values of a category column that are remembered as fine.
_REMEMBERED = 100_000
#: Up to so many rows are checked value by value, which is faster then.
_FEW = 4
_NONE = type(None)
_LARGEST = float(np.finfo(np.float64).max)


class Numbers:
    """The fields that enter the graph as numbers, checked all at once."""

    dtype: Any = np.float64

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.kinds = [frozenset(f.python | ({_NONE} if f.nullable else set())) for f in fields]
        self.whole = [i for i, f in enumerate(fields) if f.type == "integer"]
        self.listed = [(i, f.values) for i, f in enumerate(fields) if f.values is not None]
        self.fast = not any(f.pattern for f in fields)
        ends = [((-(2.0**63), np.nextafter(2.0**63, 0)) if f.type == "integer" else (-_LARGEST, _LARGEST))
                for f in fields]  # fmt: skip
        self.low = np.array([a if f.low is None else max(a, f.low) for f, (a, _) in zip(fields, ends, strict=True)])
        self.high = np.array([b if f.high is None else min(b, f.high) for f, (_, b) in zip(fields, ends, strict=True)])
        self.bounds = list(zip(self.kinds, self.low.tolist(), self.high.tolist(), strict=True))

    def matrix(self, rows: Sequence[Sequence[Any]]) -> Array | None:
        """Return rows as float64, missing as NaN, or None where a value may break a rule."""
        if not self.fast:
            return None
        missing, few = 0, len(rows) <= _FEW
        for row in rows:
            if few:
                for item, (kinds, low, high) in zip(row, self.bounds, strict=True):
                    if type(item) not in kinds or (item is not None and not low <= item <= high):
                        return None
            elif any(type(item) not in kinds for item, kinds in zip(row, self.kinds, strict=True)):
                return None
            for i in self.whole:
                if type(row[i]) is float and not row[i].is_integer():
                    return None
            for i, values in self.listed:
                if row[i] not in values and row[i] is not None:
                    return None
            missing += row.count(None)
        try:
            made = np.array(rows, dtype=np.float64)
        except OverflowError:
            return None
        if few:
            return made
        fine = (made >= self.low) & (made <= self.high)
        if missing == 0:
            return made if fine.all() else None
        gone = np.isnan(made)
        return made if int(gone.sum()) == missing and (fine | gone).all() else None


class Others:
    """The fields that enter the graph as text or as times."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.kinds = [frozenset(f.python | ({_NONE} if f.nullable else set())) for f in fields]
        self.known: list[dict[Any, Any]] = [{} for _ in fields]
        self.dtype: Any = object if fields and fields[0].enters == "texts" else np.int64

    def matrix(self, rows: Sequence[Sequence[Any]]) -> Array | None:
        """Return rows as the graph takes them, or None where a value breaks a rule."""
        made = [self._row(row) for row in rows]
        return None if None in made else np.array(made, dtype=self.dtype)

    def _row(self, row: Sequence[Any]) -> list[Any] | None:
        made = []
        for item, kinds, known, field in zip(row, self.kinds, self.known, self.fields, strict=True):
            if type(item) not in kinds:
                return None
            entered = known.get(item)
            if entered is None:
                if next(field.faults(item), None) is not None:
                    return None
                if len(known) >= _REMEMBERED:
                    known.clear()
                entered = known[item] = field.entered([item])[0]
            made.append(entered)
        return made


class Entrance:
    """Turns rows into the graph's tensors.

    Args:
        fields: The fields by name, in the order in which the graph takes them.
        extra: ``refuse`` where a field that is not declared refuses its row.
    """

    def __init__(self, fields: Mapping[str, Field], extra: str) -> None:
        self.names, self.extra = frozenset(fields), extra
        self.groups: dict[str, Numbers | Others] = {}
        self.pick: dict[str, Callable[[Mapping[str, Any]], Sequence[Any]]] = {}
        for kind in ("numbers", "texts", "times"):
            held = [field for field in fields.values() if field.enters == kind]
            if held:
                self.groups[kind] = Numbers(held) if kind == "numbers" else Others(held)
                self.pick[kind] = _picker([field.name for field in held])

    def tensors(self, rows: Sequence[Mapping[str, Any]], first: int = 0) -> dict[str, Array]:
        """Return the graph's inputs.

        Args:
            rows: At least one row.
            first: Number of the first of them, for messages.

        Raises:
            RefusedError: a row breaks the schema.
        """
        made: dict[str, Array] = {}
        fine = self.extra != "refuse" or all(row.keys() <= self.names for row in rows)
        for kind, group in self.groups.items():
            pick = self.pick[kind]
            matrix = group.matrix([pick(row) for row in rows])
            if matrix is None:
                fine = False
                break
            made[kind] = matrix
        return made if fine else self._slowly(rows, first)

    def _slowly(self, rows: Sequence[Mapping[str, Any]], first: int) -> dict[str, Array]:
        problems: list[Problem] = []
        count = 0
        for number, row in enumerate(rows, first):
            for field, rule, message in self._faults(row):
                count += 1
                if len(problems) < LISTED:
                    problems.append(Problem(number, field, rule, f"'{field}' {message}"))
        if problems:
            raise RefusedError(problems, count)
        made = {}
        for kind, group in self.groups.items():  # what is left breaks rules that only warn
            columns = [field.entered([row.get(field.name) for row in rows]) for field in group.fields]
            made[kind] = np.array(columns, dtype=group.dtype).T.copy()
        return made

    def _faults(self, row: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        found = []
        for group in self.groups.values():
            for field in group.fields:
                for rule, message in field.faults(row.get(field.name)):
                    if field.stops or rule == "type":  # what is not of its column's type cannot be scored
                        found.append((field.name, rule, message))
        if self.extra == "refuse":
            found += [(name, "extra", "is not a field of this model") for name in sorted(row.keys() - self.names)]
        return found


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Return what takes some fields of a row, None where they are absent."""
    if len(names) == 1:
        only = names[0]
        return lambda row: (row.get(only),)
    at_once = itemgetter(*names)

    def pick(row: Mapping[str, Any]) -> Sequence[Any]:
        try:
            found: Sequence[Any] = at_once(row)
            return found
        except KeyError:
            return tuple([row.get(name) for name in names])

    return pick
