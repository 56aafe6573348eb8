"""How a sweep on record stands: whether it goes on, its trials, the best of them, and what moved the objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from modelway.engine.flight import alive, dead
from modelway.ledger import Ledger, Row


def standing(sweep: Row) -> str:
    """Return a sweep's status; one that was left ``running`` by a process that is dead has ``stopped``."""
    holder = sweep["body"].get("holder", "")
    return "stopped" if sweep["status"] == "running" and holder and dead(holder) else str(sweep["status"])


def goes_on(sweep: Row) -> bool:
    """Return whether a process of this host is known to be at it."""
    holder = sweep["body"].get("holder", "")
    return sweep["status"] == "running" and bool(holder) and alive(holder)


def trials_of(ledger: Ledger, sweep: Row) -> list[Row]:
    """Return a sweep's trials; those that it left under way when it stopped are ``waiting``."""
    over = standing(sweep) != "running"
    return [
        {**row, "status": "waiting"} if over and row["status"] == "running" else row
        for row in ledger.trials(sweep["id"])
    ]


def best(rows: Sequence[Row], objectives: Mapping[str, bool]) -> list[Row]:
    """Return the best trial on record, or with several objectives those that no other one beats in all, in the first's
    order.
    """
    found = []
    for row in rows:
        values = [row["vals"].get(name) for name in objectives]
        if row["status"] in ("done", "kept") and all(value is not None for value in values):
            found.append((row, [v if lower else -v for v, lower in zip(values, objectives.values(), strict=True)]))
    front = [
        row for row, values in found
        if not any(all(a <= b for a, b in zip(other, values, strict=True)) and other != values for _, other in found)
    ]  # fmt: skip
    first, lower = next(iter(objectives.items()))
    front.sort(key=lambda row: row["vals"][first] * (1 if lower else -1))
    return front[: 1 if len(objectives) == 1 else None]


def values_of(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the values of a trial's overrides, as it has them on record."""
    return {key: _read(text) for key, _, text in (word.partition("=") for word in overrides)}


def _read(text: str) -> Any:
    import yaml

    value = yaml.safe_load(text)
    if isinstance(value, str):
        with suppress(ValueError):  # a number to Hydra, and text to YAML: 1e-05
            return float(text)
    return value


def importances(rows: Sequence[Row], objectives: Mapping[str, bool]) -> dict[str, float]:
    """Return, by key, the share of the first objective's variance that lies between the key's values.

    The main effects of an analysis of variance: exact for a whole grid. A key of more than eight values is cut into
    eight groups of equal size first.
    """
    name = next(iter(objectives))
    made = [(values_of(r["overrides"]), r["vals"][name]) for r in rows if r["vals"].get(name) is not None]
    mean = sum(v for _, v in made) / len(made) if made else 0.0
    total = sum((v - mean) ** 2 for _, v in made)
    if len(made) < 4 or total <= 0:
        return {}
    found = {}
    for key in made[0][0]:
        groups: dict[Any, list[float]] = {}
        ranked = sorted(made, key=lambda one: one[0][key] if _orders(one[0][key]) else 0.0)
        many = len({repr(values[key]) for values, _ in made}) > 8
        for place, (values, v) in enumerate(ranked):
            groups.setdefault(place * 8 // len(ranked) if many else repr(values[key]), []).append(v)
        found[key] = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups.values()) / total
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _orders(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
