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


def _evidence(item: Mapping[str, Any]) -> str:
    unit = item.get("unit", "rows")
    rows = ", ".join(map(str, item["rows"][:3]))
    told = [f"{item['count']} {unit}"] if unit else []
    told += [f"rows {rows}" if unit in ("", "rows") else f"first in rows {rows}"] if rows else []
    samples = ", ".join(map(repr, item["samples"][:3]))
    said = ": ".join(filter(None, (", ".join(told), samples)))
    return f" ({said})" if said else ""
