"""``modelway explain-change``: what moved a metric from one run to another."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from modelway.cli import display
from modelway.engine.change import Change, explain
from modelway.workspace import Workspace

_SHOWN = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("before", help="run id, or a beginning of it")
    parser.add_argument("after", help="run id, or a beginning of it, or a project for its newest run")
    parser.add_argument("--metric", default="", help="PHASE.METRIC; by default the first one on test rows")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Explain."""
    workspace = Workspace.find()
    ledger = workspace.ledger()
    runs = [ledger.newest(prefix)["id"] for prefix in (options.before, options.after)]
    change = explain(ledger, workspace.store(), runs[0], runs[1], options.metric)
    if options.json:
        causes: list[dict[str, Any]] = [asdict(cause) for cause in change.causes]
        values = {"before": change.before["value"], "after": change.after["value"], "within_chance": change.within}
        display.emit({
            "runs": runs, "metric": change.metric, **values, "verdict": change.verdict, "causes": causes,
            "beside": list(change.beside),
        })  # fmt: skip
    else:
        print(_text(change))
    return 0


def _text(change: Change) -> str:
    a, b = change.before["value"], change.after["value"]
    lines = [f"{change.metric}  {display.number(a)} -> {display.number(b)}  ({b - a:+.4g}): {_said(change)}"]
    if change.within and change.moved:
        lines.append("each value lies within the other's 95% interval: other rows alone could move it as much")
    rows = []
    for cause in change.causes:
        rows.append([cause.kind, cause.step, cause.what, "" if cause.reached else "its output is the same"])
        for moved in cause.columns[:_SHOWN]:
            rows.append(["", "", f"  {moved['column']}: {moved['text']} (distance {moved['distance']:.3f})", ""])
    if rows:
        lines += ["", display.table(["cause", "step", "what", ""], rows)]
    if change.beside:
        lines += ["", "libraries that no step depends on: " + ", ".join(change.beside[:_SHOWN])]
    return "\n".join(lines)


def _said(change: Change) -> str:
    if not change.moved:
        return "it did not move"
    return f"moved by {display.paint(change.verdict, 'bold')}"
