"""The charts of a sweep's page, as plain figures for plotly; the page itself gives them their colours."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelway.cli.picture import Objectives, Row, _number, _shown, finished, front, ranked, short

#: Ratio of the largest to the smallest value from which an axis of numbers is logarithmic.
_LOG = 20
#: Where unfinished trials end on an objective's axis, below its worst value, as a share of the axis.
_BELOW = {"pruned": 0.10, "failed": 0.18}
#: Share of the colour scale that finished trials use; the rest is for those without a value.
_FINISHED = 0.2


def drawn(rows: Sequence[Row], objectives: Objectives, importances: Mapping[str, float]) -> dict[str, Any]:
    """Return the page's content: the parallel axes, a history per objective, importances, fronts, and the trials."""
    keys = sorted({key: 0 for row in rows for key in row["values"]}, key=lambda key: -importances.get(key, 0))
    best = front(rows, objectives)
    order = ranked(rows, objectives)
    return {
        "parallel": _parallel(rows, keys, objectives),
        "histories": [_history(rows, name, smaller, objectives) for name, smaller in objectives.items()],
        "importances": [[html.escape(key), share] for key, share in importances.items()],
        "objective": html.escape(next(iter(objectives))),
        "fronts": [_front(rows, name, objectives, best) for name in list(objectives)[1:]],
        "head": ["trial", "status", *objectives, *keys],
        "numeric": [False, False, *[True] * len(objectives), *(_numeric(rows, key) for key in keys)],
        "trials": [
            {
                "place": place + 1, "name": row["name"], "best": row["name"] in best,
                "cells": [row["name"], _status(row, objectives), *(_value(row, name) for name in objectives),
                          *(_shown(row["values"].get(key)) for key in keys)],
            }
            for place, row in sorted(
                enumerate(rows), key=lambda item: order.index(item[1]) if item[1] in order else len(order) + item[0]
            )
        ],
    }  # fmt: skip


def _numeric(rows: Sequence[Row], key: str) -> bool:
    values = [row["values"].get(key) for row in rows]
    return bool(values) and all(_number(value) and not isinstance(value, bool) for value in values)


def _status(row: Row, objectives: Objectives) -> str:
    if row["status"] in ("done", "kept"):
        return "done" if finished([row], objectives) else "no value"
    return str(row["status"])


def _value(row: Row, name: str) -> str:
    value = row["objectives"].get(name)
    return f"{value:.6g}" if _number(value) and row["status"] in ("done", "kept") else "-"


def _parallel(rows: Sequence[Row], keys: Sequence[str], objectives: Objectives) -> dict[str, Any]:
    """Return the axes and a number per trial for its colour; the best trial comes last, so that it lies on top."""
    made = [row for row in rows if row["status"] not in ("running", "waiting")]
    order = [row for row in made if row not in finished(made, objectives)] + ranked(made, objectives)[::-1]
    names = short([*keys, *objectives])
    axes = [_axis(names[key], [row["values"].get(key) for row in order]) for key in keys]
    axes += [_goal(names[name], smaller, order, name, objectives) for name, smaller in objectives.items()]
    return {"axes": axes, "colours": _colours(order, objectives), "names": [row["name"] for row in order]}


def _colours(order: Sequence[Row], objectives: Objectives) -> list[float]:
    name, smaller = next(iter(objectives.items()))
    done = finished(order, objectives)
    values = [row["objectives"][name] for row in done]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)

    def colour(row: Row) -> float:
        if row not in done:
            return 0.1 if row["status"] == "pruned" else 0.0
        share = 1.0 if high == low else (row["objectives"][name] - low) / (high - low)
        return _FINISHED + (1 - _FINISHED) * (1 - share if smaller and high > low else share)

    return [colour(row) for row in order]


def _axis(label: str, values: Sequence[Any]) -> dict[str, Any]:
    numbers = [value for value in values if _number(value) and not isinstance(value, bool)]
    if len(numbers) < len(values) or not numbers:
        found = sorted({_shown(value) for value in values})
        places = [found.index(_shown(value)) for value in values]
        return _ticked(label, places, range(len(found)), found, (-0.5, max(len(found), 1) - 0.5))
    low, high = min(numbers), max(numbers)
    log = low > 0 and high / low >= _LOG
    distinct = sorted(set(numbers))
    ticks = distinct if len(distinct) <= 8 else _decades(low, high) if log else _ticks(low, high)
    scale = math.log10 if log else float
    ends = (scale(low), scale(high)) if high > low else (scale(low) - 1, scale(low) + 1)
    label += " (log)" if log else ""
    return _ticked(label, [scale(v) for v in numbers], [scale(t) for t in ticks], [_shown(t) for t in ticks], ends)


def _ticked(
    label: str, values: Sequence[float], ticks: Sequence[float], texts: Sequence[str], ends: Sequence[float]
) -> dict[str, Any]:
    return {
        "label": html.escape(label), "values": list(values), "tickvals": list(ticks),
        "ticktext": [html.escape(text[:24]) for text in texts], "range": list(ends),
    }  # fmt: skip


def _goal(label: str, smaller: bool, order: Sequence[Row], name: str, objectives: Objectives) -> dict[str, Any]:
    """Return an objective's axis: its better end is up, and trials without a value end below its worse one."""
    done = finished(order, objectives)
    sign = -1 if smaller else 1
    values = [sign * _level(row["objectives"][name]) for row in done] or [0.0]
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    ticks = _ticks(*sorted((sign * low, sign * high))) if done else []
    places = [sign * t for t in ticks]
    texts = [_shown(t) for t in ticks]
    unfinished = [row for row in order if row not in done]
    for status, share in _BELOW.items():
        if any((row["status"] == "pruned") == (status == "pruned") for row in unfinished):
            places.append(low - share * span)
            texts.append("no value" if status == "failed" else status)
    bottom = low - (0.22 * span if unfinished else 0.0 if high > low else span / 2)
    ends = (bottom, high if high > low else high + span / 2)

    def place(row: Row) -> float:
        if row in done:
            return float(sign * _level(row["objectives"][name]))
        return float(low - _BELOW["pruned" if row["status"] == "pruned" else "failed"] * span)

    return _ticked(
        f"{label} ({'lower' if smaller else 'higher'} is better)", [place(r) for r in order], places, texts, ends
    )


def _level(value: float) -> float:
    """Return a value, or 0 for one so small that a fifth of it is no number any more."""
    return value if abs(value) > 1e-300 else 0.0


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers from low to high."""
    if high <= low:
        return [low]
    raw = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m for m in (1, 2, 5, 10) if m * unit >= raw) * unit
    return [float(f"{i * step:.12g}") for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten from low to high, or the powers alone where there are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 4 else (1,)
    return [float(f"{f}e{p}") for p in powers for f in factors if low <= float(f"{f}e{p}") <= high]


def _history(rows: Sequence[Row], name: str, smaller: bool, objectives: Objectives) -> dict[str, Any]:
    done = finished(rows, objectives)
    values: dict[str, Any] = {"name": html.escape(name), "smaller": smaller, "best": [[], []]}
    values |= {kind: [[], [], []] for kind in ("done", "pruned", "failed")}
    best: float | None = None
    for place, row in enumerate(rows, 1):
        if row in done:
            value = row["objectives"][name]
            best = value if best is None else min(best, value) if smaller else max(best, value)
            values["best"][0].append(place)
            values["best"][1].append(best)
            kind = "done"
        elif row["status"] in ("running", "waiting"):
            continue
        else:
            value, kind = 0, "pruned" if row["status"] == "pruned" else "failed"
        for column, found in zip(values[kind], (place, value, _told(row, objectives)), strict=True):
            column.append(found)
    return values


def _front(rows: Sequence[Row], name: str, objectives: Objectives, best: set[str]) -> dict[str, Any]:
    """Return the first objective against another one; the front is that of all objectives."""
    first = next(iter(objectives))
    made: dict[str, Any] = {"x": html.escape(first), "y": html.escape(name), "line": len(objectives) == 2}
    made |= {"smaller": [objectives[first], objectives[name]], "front": [[], [], []], "others": [[], [], []]}
    for row in sorted(finished(rows, objectives), key=lambda row: row["objectives"][first]):
        columns = made["front" if row["name"] in best else "others"]
        found = (row["objectives"][first], row["objectives"][name], _told(row, objectives))
        for column, value in zip(columns, found, strict=True):
            column.append(value)
    return made


def _told(row: Row, objectives: Objectives) -> str:
    scores = [f"{name} {_value(row, name)}" for name in objectives] if finished([row], objectives) else [row["status"]]
    lines = [row["name"], *scores, *(f"{key} = {_shown(value)}" for key, value in row["values"].items())]
    return "<br>".join(html.escape(str(line)) for line in lines)
