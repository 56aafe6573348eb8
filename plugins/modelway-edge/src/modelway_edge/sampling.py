"""Sampling: rows that keep the schema, so that two ways of scoring can be compared where training never was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from modelway import ColumnSchema, ScoringModel

if TYPE_CHECKING:
    import numpy as np

#: Share of the values that are missing where they may be, and of categories that training never saw.
_RARE = 0.1


def sampled(model: ScoringModel, rows: int) -> list[dict[str, Any]]:
    """Return rows of the model's schema: values of golden rows mixed with new ones, missing and unseen ones among them.

    Equal models give equal rows.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    columns = {}
    for name, column in model.schema.columns.items():
        seen = [row[name] for row in model.golden["rows"] if row.get(name) is not None]
        vocabulary = [value for t in model.transforms for value in _fitted(t.state, name)]
        items = _items(column, seen, vocabulary, rows, rng)
        gone = rng.random(rows) < _RARE if column.nullable else np.zeros(rows, dtype=bool)
        columns[name] = [None if missing else item for missing, item in zip(gone, items, strict=True)]
    return [{name: items[i] for name, items in columns.items()} for i in range(rows)]


def _fitted(state: Any, name: str) -> list[Any]:
    held = state.get("columns", {}).get(name) if isinstance(state, dict) else None
    held = held.get("values") if isinstance(held, dict) else held
    return [value for value in held if isinstance(value, str)] if isinstance(held, list) else []


def _items(
    column: ColumnSchema, seen: Sequence[Any], vocabulary: Sequence[Any], rows: int, rng: np.random.Generator
) -> list[Any]:
    mixed = [seen[i] for i in rng.integers(0, len(seen), rows)] if seen else [None] * rows
    if column.values is not None:
        return [column.values[i] for i in rng.integers(0, len(column.values), rows)]
    if column.pattern:
        return mixed
    if column.type == "boolean":
        return [bool(value) for value in rng.integers(0, 2, rows)]
    if column.type in ("category", "string"):
        known = [*dict.fromkeys([*vocabulary, *seen])] or ["a"]
        return [
            f"unseen {i}" if strange else known[place]
            for i, (strange, place) in enumerate(
                zip(rng.random(rows) < _RARE, rng.integers(0, len(known), rows), strict=True)
            )
        ]
    if column.type in ("timestamp", "date"):
        return _times(column, seen, rows, rng)
    numbers = [float(value) for value in seen] or [0.0, 1.0]
    low, high = min(numbers), max(numbers)
    room = (high - low) or 1.0
    low = low - room if column.min is None else max(column.min, low - room)
    high = high + room if column.max is None else min(column.max, high + room)
    new = rng.uniform(low, max(high, low), rows)
    picked = [float(seen[i]) if old and seen else float(value)
              for old, value, i in zip(rng.random(rows) < 0.5, new,
                                       rng.integers(0, max(len(seen), 1), rows), strict=True)]  # fmt: skip
    if column.type == "integer":
        least = max(ceil(low if column.min is None else column.min), -(2**63))
        most = min(floor(high if column.max is None else column.max), 2**63 - 1)
        return [min(max(round(value), least), most) for value in picked]
    return picked


def _times(column: ColumnSchema, seen: Sequence[Any], rows: int, rng: np.random.Generator) -> list[str]:
    text = [str(value) for value in seen]
    start = datetime.fromisoformat(min(text)) if text else datetime(2020, 1, 1)
    start = start.astimezone(UTC).replace(tzinfo=None) if start.tzinfo else start
    start = min(max(start, datetime(100, 1, 1)), datetime(9900, 1, 1))  # away from where the calendar ends
    made = []
    for seconds in rng.integers(-20 * 366 * 86400, 20 * 366 * 86400, rows).tolist():
        moment = start + timedelta(seconds=seconds)
        made.append(moment.date().isoformat() if column.type == "date" else moment.isoformat())
    return made
