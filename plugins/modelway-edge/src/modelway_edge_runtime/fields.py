"""One field of a row: what the schema says that a value of it may be, and how it enters the graph.

Values are held to what training data is held to: type, nullability, bounds, sets and patterns.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

#: Stands for a missing text in the graph, and for a missing time.
MISSING_TEXT = "\uffff"
MISSING_TIME = -(2**63)

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
_EPOCH = datetime(1970, 1, 1)


@lru_cache(maxsize=4096)
def micros(text: str, kind: str) -> int | None:
    """Return the microseconds from 1970 to an ISO 8601 time or date, in UTC where it has an offset, or None."""
    text = text.upper()
    if not (_TIME if kind == "timestamp" else _DATE).fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text) if kind == "timestamp" else date.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if not isinstance(found, datetime):
        return (found - _EPOCH.date()).days * 86_400_000_000
    if found.tzinfo:
        try:
            found = found.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            return None
    past = found - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def text_of(value: Any) -> str:
    """Return how a category enters the graph: numbers are marked, so that 1 and '1' differ."""
    if isinstance(value, str):
        return value
    return "\x1f" + (str(int(value)) if float(value).is_integer() else repr(float(value)))


class Field:
    """A field and what its values may be.

    Args:
        name: Name of the column.
        column: Its entry in ``schema.json``.
    """

    def __init__(self, name: str, column: Mapping[str, Any]) -> None:
        self.name, self.column, self.type = name, column, str(column["type"])
        self.nullable, self.stops = bool(column["nullable"]), column["severity"] == "stop"
        self.enters = str(column["enters"])
        self.python = set(_PYTHON[self.type])
        numeric, timed = self.type in ("integer", "number"), self.type in ("timestamp", "date")
        self.low: float | None = column["min"] if numeric else None
        self.high: float | None = column["max"] if numeric else None
        listed = column["values"]
        self.values = None if listed is None or timed else frozenset(listed)
        self.pattern = re.compile(column["pattern"]) if column["pattern"] and not (numeric or timed) else None
        if self.type == "category" and self.values is not None:
            self.python = {type(value) for value in self.values}
            if self.python & {int, float}:
                self.python |= {int, float}

    def faults(self, item: Any) -> Iterator[tuple[str, str]]:
        """Yield each rule that a value breaks, with what to say of it; None is a missing value."""
        if item is None:
            if not self.nullable:
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
            listed = [shown(value) for value in self.column["values"][:12]]
            more = ", ..." if len(self.values) > len(listed) else ""
            yield "values", f"is {shown(item)}, and must be one of {', '.join(listed)}{more}"
        if self.pattern is not None and not self.pattern.fullmatch(item if isinstance(item, str) else str(item)):
            yield "pattern", f"is {shown(item)}, and must match {self.column['pattern']}"

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
        if self.type == "integer":
            whole = isinstance(item, int) or (math.isfinite(item) and item == math.floor(item))
            return whole and -(2**63) <= item < 2**63
        if self.type in ("timestamp", "date"):
            return micros(item, self.type) is not None
        if isinstance(item, str):
            return item != MISSING_TEXT
        try:
            return math.isfinite(item)
        except OverflowError:
            return False

    def entered(self, items: Sequence[Any]) -> list[Any]:
        """Return what values are in the graph; a number stays as it is, None where it is missing."""
        if self.enters == "texts":
            return [MISSING_TEXT if item is None else text_of(item) for item in items]
        if self.enters == "times":
            return [MISSING_TIME if item is None else micros(item, self.type) for item in items]
        return list(items)

    def read(self, text: str) -> Any:
        """Return the value that a cell of a CSV file holds; what it cannot be is returned as it stands."""
        if not text:
            return None
        if self.type == "boolean" or self.python == {bool}:
            return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)
        if self.type in ("integer", "number") or self.enters == "numbers" or (self.values and str not in self.python):
            try:
                return int(text)
            except ValueError:
                pass
            try:
                return float(text)
            except ValueError:
                return text
        return text


def shown(item: Any) -> str:
    """Return a value as JSON, cut to forty characters."""
    if isinstance(item, int) and not isinstance(item, bool) and item.bit_length() > 128:
        return "a number of more than 38 digits"
    text = json.dumps(item, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
