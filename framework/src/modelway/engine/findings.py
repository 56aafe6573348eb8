"""What checks found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def findings_text(summary: Mapping[str, Any]) -> str:
    """Return all findings of a check as one paragraph with a line each."""
    stops = [item for item in summary["items"] if item["severity"] == "stop"]
    lines = [f"The data breaks {len(stops)} declared rule{'s' if len(stops) != 1 else ''}:"]
    for item in stops:
        lines.append(f"  {item['column'] or 'table'}: {item['text'] or item['rule']}{_evidence(item)}")
    return "\n".join(lines)


def counted(item: Mapping[str, Any]) -> str:
    """Return how much breaks a rule, ``3 rows``; nothing where the table as a whole does."""
    unit = item.get("unit", "rows")
    return f"{item['count']} {unit.removesuffix('s') if item['count'] == 1 else unit}" if unit else ""


def _evidence(item: Mapping[str, Any]) -> str:
    told, rows = [counted(item)], ", ".join(map(str, item["rows"][:3]))
    if rows:
        told.append(f"rows {rows}" if item.get("unit", "rows") in ("", "rows") else f"first in rows {rows}")
    samples = ", ".join(map(repr, item["samples"][:3]))
    said = ": ".join(filter(None, (", ".join(filter(None, told)), samples)))
    return f" ({said})" if said else ""
