"""``modelway sweeps``: list sweeps; show one, follow it, draw it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from modelway.cli import display

if TYPE_CHECKING:
    from modelway.ledger import Ledger
    from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("sweep", nargs="?", help="id of a sweep, or its beginning; without it, sweeps are listed")
    parser.add_argument("--project", help="list this project's only")
    parser.add_argument("--follow", action="store_true", help="wait for its trials until it ends; Ctrl-C leaves it be")
    parser.add_argument("--page", metavar="FILE", help="write its picture as one HTML file that needs nothing else")
    parser.add_argument("--json", action="store_true", help="print it as JSON and nothing else")


def main(options: argparse.Namespace) -> int:
    """List sweeps, or show one."""
    from modelway.workspace import Workspace

    workspace = Workspace.find()
    ledger = workspace.ledger()
    if not options.sweep:
        return _list(ledger, options)
    found = ledger.sweep(options.sweep)
    if options.follow:
        _follow(ledger, found["id"])
        found = ledger.sweep(found["id"])
    if options.json:
        display.emit({**found, "trials": ledger.trials(found["id"])})
        return 0
    print(report(ledger, found["id"], workspace, found["project"], page=options.page))
    return 0


def _list(ledger: Ledger, options: argparse.Namespace) -> int:
    rows = ledger.sweeps(options.project)
    if options.json:
        display.emit(rows)
        return 0
    shown = []
    for row in rows:
        trials = ledger.trials(row["id"])
        ended = sum(t["status"] in ("done", "kept") for t in trials)
        shown.append([row["id"], row["project"], row["status"], f"{ended}/{len(trials)}", " ".join(row["overrides"])])
    print(display.table(["sweep", "project", "status", "trials", "asked for"], shown) if rows else "no sweep on record")
    return 0


def _follow(ledger: Ledger, sweep: str) -> None:
    told: dict[str, str] = {}
    while True:
        for trial in ledger.trials(sweep):
            if trial["status"] != "running" and told.get(trial["name"]) != trial["status"]:
                told[trial["name"]] = trial["status"]
                print(f"  {trial['status']:<7} {' '.join(trial['overrides'])}", flush=True)
        if ledger.sweep(sweep)["status"] != "running":
            return
        time.sleep(0.5)


def report(ledger: Ledger, sweep: str, workspace: Workspace, project: str, *, page: str | None = None) -> str:
    """Return what a person reads of a sweep: its trials, best first, what mattered, and what to do next.

    Writes the picture as a page too: to ``page``, or into the workspace where nobody asked for a place.
    """
    from modelway.cli import picture
    from modelway.engine.sweep import values_of

    found, trials = ledger.sweep(sweep), ledger.trials(sweep)
    objectives: Mapping[str, bool] = found["body"]["objectives"]
    rows = [
        {"name": t["name"], "values": values_of(t["overrides"]), "objectives": t["vals"], "status": t["status"]}
        for t in trials
    ]
    shares = found["body"].get("importances", {})
    lines = ["", picture.text(rows, objectives, shares)]
    place = Path(page) if page else workspace.state / "sweeps" / f"{sweep}.html"
    try:
        html = picture.page(rows, objectives, shares, title=f"{found['project']}: sweep {sweep}")
    except ImportError:
        lines.append("for a picture as a page: pip install 'modelway[pages]'")
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(html, encoding="utf-8")
        lines.append(f"picture: {place}")
    top = found["body"].get("best", [])
    if top:
        one = next(t for t in trials if t["name"] == top[0])
        lines.append(f"best: run {one['run']}" + (f" and {len(top) - 1} more on the front" if len(top) > 1 else ""))
        lines.append(f"next: modelway run {project} {' '.join(one['overrides'])}".rstrip())
    return "\n".join(lines)
