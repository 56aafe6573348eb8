"""One field of a request: what the schema says that a value of it may be.

``Field.faults`` is the definition, value by value. ``Field.take`` answers the same for a whole column at once where
every value is fine, which is the usual case, and leaves the rest to ``faults``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from modelway import Category, ColumnSchema

if TYPE_CHECKING:
    from modelway import Column

_WORDS = {
    "integer": "a whole number of 64 bits", "number": "a finite number", "boolean": "true or false",
    "string": "text", "category": "a category", "timestamp": "a time such as 2026-01-31T12:30:00Z",
    "date": "a date such as 2026-01-31",
}  # fmt: skip
_PYTHON: dict[str, set[type]] = {
    "integer": {int, float}, "number": {int, float}, "boolean": {bool}, "string": {str}, "category": {str, int, bool},
    "timestamp": {str}, "date": {str},
}  # fmt: skip
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NONE = type(None)


@lru_cache(maxsize=4096)
def time_of(text: str) -> datetime | None:
    """Read an ISO 8601 time, in UTC where it has an offset, or return None."""
    text = text.upper()
    if not _TIME.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def date_of(text: str) -> date | None:
    """Read an ISO 8601 date, or return None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class Field:
    """A field and what its values may be.

    Args:
        name: Name of the column.
        column: Its declaration.
    """

    def __init__(self, name: str, column: ColumnSchema) -> None:
        self.name, self.column, self.type = name, column, column.type
        self.python = set(_PYTHON[column.type])
        numeric, timed = column.type in ("integer", "number"), column.type in ("timestamp", "date")
        self.low, self.high = (column.min, column.max) if numeric else (None, None)
        self.values = None if column.values is None or timed else frozenset(column.values)
        self.pattern = re.compile(column.pattern) if column.pattern and not (numeric or timed) else None
        if column.type == "category" and self.values is not None:
            self.python = {type(value) for value in self.values}
            if self.python & {int, float}:
                self.python |= {int, float}

    def faults(self, item: Any) -> Iterator[tuple[str, str]]:
        """Yield each rule that a value breaks, with what to say of it; None is a missing value."""
        if item is None:
            if not self.column.nullable:
                yield "nullable", "is missing, and may not be"
            return
        if not self.typed(item):
            yield "type", f"is {shown(item)}, and must be {self.word}"
            return
        if self.low is not None and item < self.low:
            yield "min", f"is {shown(item)}, and must be at least {self.low:g}"
        if self.high is not None and item > self.high:
            yield "max", f"is {shown(item)}, and must be at most {self.high:g}"
        if self.values is not None and item not in self.values:
            listed = [shown(value) for value in (self.column.values or ())[:12]]
            more = ", ..." if len(self.values) > len(listed) else ""
            yield "values", f"is {shown(item)}, and must be one of {', '.join(listed)}{more}"
        if self.pattern is not None and not self.pattern.fullmatch(item if isinstance(item, str) else str(item)):
            yield "pattern", f"is {shown(item)}, and must match {self.column.pattern}"

    @property
    def word(self) -> str:
        """What a value must be, in words."""
        if self.type == "category":
            names = {str: "text", int: "a number", float: "a number", bool: "true or false"}
            return "a category: " + " or ".join(sorted({names[kind] for kind in self.python}))
        return _WORDS[self.type]

    def typed(self, item: Any) -> bool:
        """Return whether a value is of the declared type."""
        if type(item) not in self.python:
            return False
        match self.type:
            case "integer":
                whole = item if isinstance(item, int) else math.isfinite(item) and item == math.floor(item)
                return whole is not False and -(2**63) <= item < 2**63
            case "number":
                try:
                    return math.isfinite(item)
                except OverflowError:
                    return False
            case "category":
                return not isinstance(item, float) or math.isfinite(item)
            case "timestamp":
                return time_of(item) is not None
            case "date":
                return date_of(item) is not None
        return True

    def take(self, items: Sequence[Any]) -> Column | None:
        """Return the column that values make, or None where some value may break a rule."""
        import numpy as np

        kinds = set(map(type, items))
        if _NONE in kinds:
            if not self.column.nullable:
                return None
            kinds.discard(_NONE)
        if not kinds <= self.python:
            return None
        if self.type in ("category", "string"):
            column = Category.of(items)
            if any(self._faulty(value) for value in column.values):
                return None
            return column
        if self.type in ("timestamp", "date"):
            return None if any(item is not None and not self.typed(item) for item in items) else self.hold(items)
        try:
            array = np.asarray(items, dtype=np.float64)
        except OverflowError:
            return None
        if int(np.isfinite(array).sum()) != len(items) - items.count(None):
            return None
        if self.type == "integer":
            if (array < -(2.0**63)).any() or (array >= 2.0**63).any():
                return None
            if float in kinds and (array % 1 > 0).any():
                return None
        if (self.low is not None and (array < self.low).any()) or (self.high is not None and (array > self.high).any()):
            return None
        if self.values is not None or self.pattern is not None:
            return None if any(item is not None and self._faulty(item) for item in set(items)) else array
        return array

    def _faulty(self, item: Any) -> bool:
        return next(self.faults(item), None) is not None

    def hold(self, items: Sequence[Any]) -> Column:
        """Return the column that values of the declared type make; None is missing."""
        import numpy as np

        if self.type in ("category", "string"):
            return Category.of(items)
        if self.type in ("timestamp", "date"):
            read: Any = time_of if self.type == "timestamp" else date_of
            unit = "us" if self.type == "timestamp" else "D"
            return np.asarray([None if item is None else read(item) for item in items], dtype=f"M8[{unit}]")
        return np.asarray(items, dtype=np.float64)


def shown(item: Any) -> str:
    """Return a value as JSON, cut to forty characters."""
    if isinstance(item, int) and not isinstance(item, bool) and item.bit_length() > 128:
        return "a number of more than 38 digits"
    text = json.dumps(item, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
