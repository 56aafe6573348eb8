"""A sweep's picture: what mattered, which trials are best, and where the trials went, as text or as one page.

A row is a trial, in the order in which trials were made: ``name``, ``values`` by key, ``objectives`` by name (None, or
absent, without a value), and ``status``. Objectives map to whether a smaller value is better.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelway.cli import display

Row = Mapping[str, Any]
Objectives = Mapping[str, bool]

#: Trials that the text shows.
SHOWN = 10
#: Characters of a line.
WIDTH = 80
_BAR = 30
_PLOT = (56, 14)


def finished(rows: Sequence[Row], objectives: Objectives) -> list[Row]:
    """Return the trials with a value for every objective; a pruned trial's is not comparable."""
    return [
        row for row in rows
        if row["status"] in ("done", "kept") and all(_number(row["objectives"].get(name)) for name in objectives)
    ]  # fmt: skip


def front(rows: Sequence[Row], objectives: Objectives) -> set[str]:
    """Return the names of the finished trials that no other one is at least as good as in all, and better in one."""
    values = {
        row["name"]: [row["objectives"][name] * (1 if smaller else -1) for name, smaller in objectives.items()]
        for row in finished(rows, objectives)
    }

    def beaten(own: list[float]) -> bool:
        return any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in values.values())

    return {name for name, own in values.items() if not beaten(own)}


def ranked(rows: Sequence[Row], objectives: Objectives) -> list[Row]:
    """Return the finished trials, best first; with several objectives the front comes first."""
    best, (name, smaller) = front(rows, objectives), next(iter(objectives.items()))
    sign = 1 if smaller else -1
    return sorted(
        finished(rows, objectives),
        key=lambda row: (len(objectives) > 1 and row["name"] not in best, sign * row["objectives"][name]),
    )


def short(names: Sequence[str]) -> dict[str, str]:
    """Return each dotted name's last words, as many as tell it from the others."""
    found = {}
    for name in names:
        words = name.split(".")
        ends = [".".join(words[-count:]) for count in range(1, len(words) + 1)]
        found[name] = next((end for end in ends if sum(n == end or n.endswith(f".{end}") for n in names) == 1), name)
    return found


def counts(rows: Sequence[Row], objectives: Objectives) -> str:
    """Return how many trials there are of each end."""
    ended = {"done": len(finished(rows, objectives))}
    ended["pruned"], ended["failed"] = (sum(row["status"] == s for row in rows) for s in ("pruned", "failed"))
    ended["under way"] = sum(row["status"] == "running" for row in rows)
    ended["missing"] = sum(row["status"] == "waiting" for row in rows)
    ended["without a value"] = len(rows) - sum(ended.values())
    told = ", ".join(f"{count} {what}" for what, count in ended.items() if count)
    return f"{display.count(len(rows), 'trial')}: {told}" if rows else "no trials"


def text(rows: Sequence[Row], objectives: Objectives, importances: Mapping[str, float]) -> str:
    """Return the picture for a terminal."""
    parts = [counts(rows, objectives)]
    order = ranked(rows, objectives)
    if order:
        parts.append(_table(order, rows, objectives, importances))
    if len(order) > 2 and len(objectives) > 1:
        parts.append(_plane(order, objectives))
    if importances:
        parts.append(_bars(importances, next(iter(objectives))))
    return "\n\n".join(parts)


def _table(order: Sequence[Row], rows: Sequence[Row], objectives: Objectives, importances: Mapping[str, float]) -> str:
    best = front(rows, objectives)
    keys = sorted({key: 0 for row in rows for key in row["values"]}, key=lambda key: -importances.get(key, 0))
    heads, goals = short(keys), short(list(objectives))
    columns = [["", *("*" if row["name"] in best else "" for row in order[:SHOWN])]]
    columns.append(["trial", *(row["name"][:12] for row in order[:SHOWN])])
    for name, smaller in objectives.items():
        values = [display.number(row["objectives"][name]) for row in order[:SHOWN]]
        columns.append([f"{goals[name]} {'↓' if smaller else '↑'}", *values])
    right = range(2, len(columns))
    dropped = []
    for key in keys:
        column = [heads[key], *(_shown(row["values"].get(key)) for row in order[:SHOWN])]
        if sum(max(map(len, one)) + 2 for one in [*columns, column]) - 2 <= WIDTH:
            columns.append(column)
        else:
            dropped.append(heads[key])
    head, *lines = (list(line) for line in zip(*columns, strict=True))
    told = display.table(head, lines, right=tuple(right))
    more = len(order) - SHOWN
    notes = [f"and {more} more"] if more > 0 else []
    notes += [f"not shown: {', '.join(dropped)}"[: WIDTH - 4]] if dropped else []
    if len(objectives) > 1:
        notes.append("* no other trial is better in every objective")
    return "\n".join([told, *(display.paint(f"   {note}", "dim") for note in notes)])


def _bars(importances: Mapping[str, float], objective: str) -> str:
    names = short(list(importances))
    room = min(max(map(len, names.values())), WIDTH - _BAR - 9)
    lines = [display.paint(f"what moved {objective}", "dim")]
    for key, share in sorted(importances.items(), key=lambda item: -item[1]):
        eighths = round(share * _BAR * 8)
        bar = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
        lines.append(
            f"  {names[key][:room]:<{room}}  {display.paint(bar, 'cyan')}{' ' * (_BAR - len(bar))} {share:4.0%}"
        )
    return "\n".join(lines)


def _plane(order: Sequence[Row], objectives: Objectives) -> str:
    """Draw the first two objectives against each other, the better ends up and to the right."""
    (across, left), (up, down) = list(objectives.items())[:2]
    xs, ys = ([row["objectives"][name] for row in order] for name in (across, up))
    best = front(order, objectives)
    wide, high = _PLOT
    cells = [[" "] * wide for _ in range(high)]
    for row, x, y in reversed(list(zip(order, xs, ys, strict=True))):
        column = _place(x, xs, wide, falling=left)
        line = high - 1 - _place(y, ys, high, falling=down)
        cells[line][column] = "*" if row["name"] in best or cells[line][column] == "*" else "·"
    (x0, x1), (y0, y1) = ((max(v), min(v)) if falling else (min(v), max(v)) for v, falling in ((xs, left), (ys, down)))
    labels = [display.number(y1), *[""] * (high - 2), display.number(y0)]
    room = max(map(len, labels))
    drawn = [f"  {label:>{room}} │{''.join(line).rstrip()}" for label, line in zip(labels, cells, strict=True)]
    foot = f"{display.number(x0)}{across + ' →':^{wide - 2 * len(display.number(x0))}}{display.number(x1)}"
    title = display.paint(f"  {up} ↑ against {across} →, better up and to the right", "dim")
    return "\n".join([title, *drawn, f"  {'':>{room}} └{'─' * wide}", f"  {'':>{room}}  {foot}"])


def _place(value: float, values: Sequence[float], cells: int, *, falling: bool) -> int:
    low, high = min(values), max(values)
    share = 0.5 if high == low else (value - low) / (high - low)
    return round((1 - share if falling else share) * (cells - 1))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else (str(value).lower() if isinstance(value, bool) else str(value))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and value - value == 0


def page(rows: Sequence[Row], objectives: Objectives, importances: Mapping[str, float], *, title: str) -> str:
    """Return the picture as one HTML page that needs nothing else: parallel coordinates, history, front, trials.

    Raises:
        ImportError: plotly, the extra ``pages``, is not installed.
    """
    from importlib.resources import files

    from modelway.cli import charts

    plotly = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    drawn = charts.drawn(rows, objectives, importances)
    # "</" would end the script, wherever it stands
    data = json.dumps(drawn, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
    made = (files("modelway.cli") / "picture.html").read_text(encoding="utf-8")
    told = {
        "TITLE": html.escape(title),
        "COUNTS": html.escape(counts(rows, objectives)),
        "DATA": data,
        "PLOTLY": plotly,
    }
    first, *rest = made.split("<!--")
    parts = [mark_and_text.partition("-->") for mark_and_text in rest]
    return first + "".join(told[mark] + after for mark, _, after in parts)
