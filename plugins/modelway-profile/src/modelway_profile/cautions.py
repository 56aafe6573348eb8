"""What a person should look at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelway_profile.target import ENOUGH

_NOT_INPUTS = ("target", "time", "id", "ignore", "fold", "weight")


def of_column(name: str, facts: Mapping[str, Any], settings: Mapping[str, Any], target: str) -> list[dict[str, Any]]:
    """Return the warnings about a column, worst first.

    Args:
        name: Name of the column.
        facts: What it holds.
        settings: The profiler's bounds.
        target: Name of the target column, or nothing.
    """
    found: list[dict[str, Any]] = []

    def warn(kind: str, severity: str, text: str) -> None:
        found.append({"column": name, "kind": kind, "severity": severity, "text": text})

    held = facts["rows"] - facts["missing"]
    related = facts.get("target") or {}
    auc, explained = related.get("auc"), related.get("explained")
    pearson = related.get("pearson")
    squared = max(explained or 0.0, (pearson or 0.0) ** 2)
    if facts["role"] not in _NOT_INPUTS:
        if auc is not None and auc >= settings["leak_auc"]:
            warn("leak", "stop", f"It separates '{target}' alone, with an AUC of {auc:.3f}, and may know the answer")
        elif auc is None and squared >= settings["leak_r2"]:
            text = f"It explains {squared:.1%} of the variance of '{target}' alone, and may know the answer"
            warn("leak", "stop", text)
        if held >= ENOUGH and _identifies(facts, held, settings["identifier"]):
            about = "about " if facts["distinct_error"] else ""
            text = f"{about}{facts['distinct']:,} distinct values in {held:,} rows: an identifier, not a feature"
            warn("identifier", "warn", text[:1].upper() + text[1:])
    if facts["missing"] and not held:
        warn("empty", "warn", "No row has a value")
    elif facts["missing"] >= facts["rows"] / 2 and facts["rows"]:
        warn("missing", "warn", f"{facts['missing'] / facts['rows']:.0%} of the rows have no value")
    if held >= 2 and facts["distinct"] == 1:
        warn("constant", "warn", "Every row holds the same value")
    if facts.get("infinite"):
        warn("infinite", "warn", f"{facts['infinite']:,} rows hold infinity; all figures leave them out")
    if facts.get("blank"):
        warn("blank", "warn", f"{facts['blank']:,} rows hold an empty text, which does not count as missing")
    return found


def _identifies(facts: Mapping[str, Any], held: int, bound: float) -> bool:
    return facts["type"] in ("integer", "string", "category") and facts["distinct"] >= bound * held


def of_table(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the warnings about a table."""
    volume = table.get("volume") or {}
    if not volume.get("gaps"):
        return []
    first = volume["longest_gaps"][0]
    many = "1 day" if volume["gaps"] == 1 else f"{volume['gaps']:,} days"
    span = first["from"] if first["days"] == 1 else f"{first['from']} to {first['to']}"
    text = f"{many} between the first and the last without a row; the longest gap is {span}"
    return [{"column": table["time"], "kind": "gap", "severity": "warn", "text": text}]
