"""What commands print: tables, sizes, times, and progress while a run goes on."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from modelway.context import Event

_COLOURS = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36}
#: Characters below which the last column of a table is not wrapped.
_NARROWEST = 16
MARK_COLOURS = {"=": "dim", "~": "yellow", "+": "green", "?": "cyan", "!": "red"}


def coloured() -> bool:
    """Return whether the output is a terminal that wants colour."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str) -> str:
    """Colour a text where the output takes colour."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if coloured() else text


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[int] = ()) -> str:
    """Return an aligned table; columns in ``right`` are aligned to the right, and the last one fits into a terminal."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(_bare(row[i])) for row in [list(head), *cells]) for i in range(len(head))]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = (shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize) - before
    if len(head) - 1 not in right and _NARROWEST <= room < widths[-1]:
        cells = [wrapped for row in cells for wrapped in _wrapped(row, room)]
        widths[-1] = room

    def line(row: Sequence[str]) -> str:
        padded = [
            " " * (widths[i] - len(_bare(cell))) + cell if i in right else cell + " " * (widths[i] - len(_bare(cell)))
            for i, cell in enumerate(row)
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([paint(line(list(head)), "dim"), *map(line, cells)])


def _wrapped(row: list[str], room: int) -> list[list[str]]:
    if "\x1b[" in row[-1]:
        return [row]
    first, *more = textwrap.wrap(row[-1], room, break_long_words=False, break_on_hyphens=False) or [""]
    return [[*row[:-1], first], *([""] * (len(row) - 1) + [text] for text in more)]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return number(value) if isinstance(value, float) else str(value)


def _bare(text: str) -> str:
    while "\x1b[" in text:
        start = text.index("\x1b[")
        text = text[:start] + text[text.index("m", start) + 1 :]
    return text


def number(value: float | None) -> str:
    """Return a measured value with four significant digits."""
    if value is None:
        return "-"
    if 1e4 <= abs(value) < 1e9:
        return f"{value:.0f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"


def figure(value: float) -> str:
    """Return a value of a column: whole numbers in full, others with four significant digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def count(value: int, one: str) -> str:
    """Return how many there are of something: ``1 row``, ``2,000 rows``."""
    return f"{value:,} {one}{'' if value == 1 else 's'}"


def seconds(value: float) -> str:
    """Return a duration."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def size(value: float) -> str:
    """Return a number of bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def scores(measured: Sequence[Mapping[str, Any]]) -> str:
    """Return measured values as a table: a line a metric, and per phase its value and interval or spread over folds."""
    found = {(m["metric"], m["phase"]): m for m in measured}
    head, about = ["metric"], []
    for phase in dict.fromkeys(m["phase"] for m in measured):
        rows = max((m["support"] or 0 for m in measured if m["phase"] == phase), default=0)
        spread = any(m["std"] is not None for m in measured if m["phase"] == phase)
        told = any(_about(m) for m in measured if m["phase"] == phase)
        head += [f"{phase} ({rows} rows)", *(["std over folds" if spread else "95% interval"] if told else [])]
        about.append((phase, told))
    lines = []
    for metric in dict.fromkeys(m["metric"] for m in measured):
        cells: list[Any] = [metric]
        for phase, told in about:
            one = found.get((metric, phase))
            cells += [one["value"] if one else "", *([_about(one) if one else ""] if told else [])]
        lines.append(cells)
    return table(head, lines, right=tuple(i for i, name in enumerate(head) if "rows)" in name))


def _about(measured: Mapping[str, Any]) -> str:
    low, high, std = measured["low"], measured["high"], measured["std"]
    if std is not None:
        return f"± {number(std)}"
    return f"{number(low)} to {number(high)}" if low is not None and high is not None else ""


def emit(value: Any) -> None:
    """Print plain JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


class Progress:
    """A listener that shows a run as it goes: a line a step, and on a terminal a moving line inside a step.

    Args:
        total: Number of steps.
    """

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.live = sys.stdout.isatty()
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if event.kind == "step_progress" and "dashboard" in event.body:
            self._clear()
            print(f"  {paint('cluster', 'cyan')} {cluster(event.body)}", flush=True)
        elif event.kind == "step_progress":
            self._moving(event)
        elif event.kind == "step_started" and (self.live or "waiting" in str(event.body.get("reason"))):
            self._clear()
            print(
                f"  {paint('…', 'cyan')} {event.step}  {paint(str(event.body.get('reason', '')), 'dim')}",
                end="" if self.live else "\n",
                flush=True,
            )
        elif event.kind == "step_finished":
            self.done += 1
            self._clear()
            print(self._finished(event), flush=True)
        elif event.kind == "step_failed":
            self._clear()
            print(f"  {paint('x', 'red')} {event.step}", flush=True)

    def _finished(self, event: Event) -> str:
        body = event.body
        if body["status"] == "cached":
            return f"  {paint('=', 'dim')} {event.step:<20} {paint('cached', 'dim')}"
        cost = body["cost"]
        told = f"{seconds(cost['wall']):>8}  {size(cost['peak']):>8} peak  {size(body['bytes']):>8}"
        return f"  {paint('✓', 'green')} {event.step:<20} {told}  {facts(body)}".rstrip()

    def _moving(self, event: Event) -> None:
        import time

        if not self.live or time.monotonic() - self._last < 0.1:
            return
        self._last = time.monotonic()
        body = event.body
        if "round" in body:
            told = " ".join(f"{name} {number(value)}" for name, value in body["scores"].items())
            text = f"round {body['round']}  {told}"
        else:
            text = f"{body['done']}{'/' + str(body['total']) if body['total'] else ''} {body['unit']}"
        self._clear()
        print(f"  {paint('…', 'cyan')} {event.step:<20} {text}"[:100], end="", flush=True)

    def _clear(self) -> None:
        if self.live:
            print("\r\x1b[2K", end="")


def cluster(shape: Mapping[str, Any]) -> str:
    """Return how many workers there are, and where their dashboard is."""
    workers, threads = shape.get("workers", 0), shape.get("threads", 1)
    told = count(workers, "worker")
    if threads != 1:
        told += f" of {threads} threads" if isinstance(threads, int) else f" of {', '.join(map(str, threads))} threads"
    return f"{told}  {shape['dashboard'] or ''}".rstrip()


def facts(body: Any) -> str:
    """Return what is worth a few words of a step's summary."""
    if "measured" in body:
        told = [m for m in body["measured"] if m["phase"] == "test" and m["value"] is not None]
        more = f", and {len(told) - 4} more" if len(told) > 4 else ""
        return ", ".join(f"{m['metric']} {number(m['value'])}" for m in told[:4]) + more
    if "rules" in body:
        found = len(body["items"])
        return f"{body['rules']} rules, {found} broken" if found else f"{body['rules']} rules hold"
    if "folds" in body:
        folds = body["folds"]
        tested = [name for name, rows in folds.items() if rows["test"]] or list(folds)
        rows = folds[tested[-1]]
        more = f" in the last of {len(tested)} folds" if len(tested) > 1 else ""
        more += ", and a final fit" if len(folds) > len(tested) else ""
        return ", ".join(f"{rows[phase]} {phase}" for phase in ("train", "valid", "test") if rows[phase]) + more
    if "reasons" in body:
        return f"{sum(r['passed'] for r in body['reasons'])} of {len(body['reasons'])} pass"
    if "rows" in body:
        return f"{body['rows']} rows"
    return ""
