"""``modelway sweeps``: list sweeps; show one, follow it, draw it."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway.cli import display, pages
from modelway.errors import ConfigError, PartialError

if TYPE_CHECKING:
    from modelway.ledger import Ledger, Row


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("sweep", nargs="?", help="id of a sweep, or its beginning; without it, sweeps are listed")
    parser.add_argument("--project", help="list this project's only")
    parser.add_argument("--follow", action="store_true", help="wait for its trials until it ends; Ctrl-C leaves it be")
    parser.add_argument("--page", metavar="FILE", help="write its picture as one HTML file that needs nothing else")
    parser.add_argument("--json", action="store_true", help="print it as JSON and nothing else")


def main(options: argparse.Namespace) -> int:
    """List sweeps, or show one.

    Raises:
        ConfigError: what goes with one sweep was asked for, and none was named.
        PartialError: some trials of the sweep that was followed failed.
    """
    from modelway.engine.standing import standing, trials_of
    from modelway.workspace import Workspace

    ledger = Workspace.find().ledger()
    if not options.sweep:
        if options.follow or options.page:
            flag = "--follow" if options.follow else "--page"
            raise ConfigError(f"{flag} goes with one sweep", mend="Name it; 'modelway sweeps' lists them")
        return _list(ledger, options)
    found = ledger.sweep(options.sweep)
    if options.follow and not _follow(ledger, found["id"], quiet=options.json):
        return 130
    found = ledger.sweep(found["id"])
    status = standing(found)
    trials = trials_of(ledger, found)
    # the page is written whichever way the rest is told
    told = report(found, trials, found["body"].get("asked") or found["project"], page=options.page)
    if options.json:
        display.emit({**found, "status": status, "trials": trials})
    else:
        print(_head(found, status))
        print(told)
    failed = [trial for trial in trials if trial["status"] == "failed"]
    if options.follow and failed:
        why = f"{len(failed)} of {len(trials)} trials failed; the first said: {failed[0]['error']}"
        raise PartialError(why.rstrip("."))
    return 0


def _list(ledger: Ledger, options: argparse.Namespace) -> int:
    from modelway.engine.standing import standing

    rows = [{**row, "status": standing(row)} for row in ledger.sweeps(options.project)]
    if options.json:
        display.emit(rows)
        return 0
    if not rows:
        none = "No sweeps yet. Start one: modelway run PROJECT -m KEY=VALUE,VALUE"
        print("No sweep matches." if options.project and ledger.sweeps(limit=1) else none)
        return 0
    shown = []
    for row in rows:
        trials = ledger.trials(row["id"])
        ended = sum(t["status"] in ("done", "kept", "pruned") for t in trials)
        count = f"{ended}/{max(len(trials), row['body'].get('points') or 0)}"
        shown.append([row["id"], row["project"], row["status"], count, " ".join(row["overrides"])])
    head = ["sweep", "project", "status", "trials", "asked for"]
    print(display.table(head, shown, right=(3,)))
    return 0


def _head(found: Row, status: str) -> str:
    colours = {"done": "green", "running": "cyan", "partial": "yellow", "stopped": "yellow", "failed": "red"}
    project = display.paint(found["project"], "bold")
    asked = " ".join(found["overrides"])
    return f"{project}  sweep {found['id']} {display.paint(status, colours.get(status, 'dim'))}: {asked}".rstrip(" :")


def _follow(ledger: Ledger, sweep: str, *, quiet: bool) -> bool:
    """Tell each trial as it ends, until the sweep does; False where that was interrupted."""
    from modelway.engine.standing import standing

    found = ledger.sweep(sweep)
    lines, told = Lines(found["body"]["objectives"]), set[str]()
    try:
        while True:
            found = ledger.sweep(sweep)  # first, or a trial that ends between the two looks would go untold
            for trial in ledger.trials(sweep):
                if trial["status"] not in ("running", "waiting") and trial["name"] not in told:
                    told.add(trial["name"])
                    if not quiet:
                        lines.tell(trial["status"], trial["overrides"], trial["vals"], trial)
            if standing(found) != "running":
                return True
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("modelway: No longer following; the sweep itself goes on.", file=sys.stderr)
        return False


class Lines:
    """Prints a line for each trial as it ends: its objectives' values, how long it took, and what it was.

    Args:
        objectives: Names of the objectives.
    """

    def __init__(self, objectives: Iterable[str]) -> None:
        self.objectives, self.kept = list(objectives), 0

    def tell(self, status: str, overrides: Sequence[str], values: Mapping[str, float | None], about: Any) -> None:
        """Print a trial's line; those that were there already are only counted, and told together."""
        if status == "kept":
            self.kept += 1
            return
        self.end()
        mark, colour = {"done": ("✓", "green"), "pruned": ("-", "yellow"), "failed": ("x", "red")}[status]
        shown = [display.number(values.get(name)) if status == "done" else status for name in self.objectives]
        shown = shown[:1] if status != "done" else shown
        seconds, error = (about[k] if isinstance(about, Mapping) else getattr(about, k) for k in ("seconds", "error"))
        room = max(9 * len(self.objectives), 8)
        took = display.seconds(seconds) if seconds else ""
        what = " ".join(overrides) or "as declared"
        print(f"  {display.paint(mark, colour)} {'  '.join(shown):<{room}} {took:>8}  {what}", flush=True)
        if status == "failed":
            print(display.paint(f"      {error}", "dim"), flush=True)

    def end(self) -> None:
        """Tell those that were there already."""
        if self.kept:
            told = f"{self.kept} trial{'s were' if self.kept > 1 else ' was'} there already"
            print(f"  {display.paint('=', 'dim')} {told}", flush=True)
            self.kept = 0


def report(found: Row, trials: Sequence[Row], project: str, *, page: str | Path | None = None) -> str:
    """Return what a person reads of a sweep: its trials, best first, what mattered, and what to do next.

    Args:
        found: Its row in the ledger.
        trials: Its trials, as ``trials_of`` returns them.
        project: How to name its project on the command line.
        page: Where to write the picture as a page, if anywhere.
    """
    from modelway.cli import picture
    from modelway.engine.standing import best, standing, values_of

    objectives: Mapping[str, bool] = found["body"]["objectives"]
    rows = [
        {"name": t["name"], "values": values_of(t["overrides"]), "objectives": t["vals"], "status": t["status"]}
        for t in trials
    ]
    shares = found["body"].get("importances", {})
    lines = ["", picture.text(rows, objectives, shares), ""]
    if page:
        try:
            html = picture.page(rows, objectives, shares, title=f"{found['project']}: sweep {found['id']}")
        except ImportError:
            lines.append("for a picture as a page: pip install 'modelway[pages]'")
        else:
            lines.append(f"picture: {pages.write(page, html)}")
    top = best(trials, objectives)
    if top:
        lines.append(f"best: run {top[0]['run']}" if len(objectives) == 1 else f"front: {_names(top)}")
        words = shlex.join([*found["body"].get("fixed", ()), *top[0]["overrides"]])
        lines.append(f"next: modelway run {project} {words}".rstrip())
    again = {"stopped": "go on", "partial": "try what failed again", "failed": "try again"}.get(standing(found))
    if again:
        lines.append(f"{again}: modelway run {project} -m {shlex.join(found['overrides'])}".rstrip())
    return "\n".join(lines).rstrip()


def _names(rows: Sequence[Row]) -> str:
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"run{'s' if len(rows) > 1 else ''} {', '.join(row['run'] for row in rows[:5])}{more}"
