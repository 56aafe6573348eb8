"""``modelway report``: a run as one page, with its plots as files beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

from modelway.cli import display
from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "what", nargs="?", default="", metavar="RUN|PROJECT|PROJECT@VERSION",
        help="run id or a unique beginning of one, a project (its newest run), or a version (the run that made it);"
        " by default the newest run",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE.html", help="where to write it; by default below .modelway/reports")
    parser.add_argument("--json", action="store_true", help="print what the page says as JSON, and write nothing")


def main(options: argparse.Namespace) -> int:
    """Report."""
    from modelway import report

    workspace = Workspace.find()
    made = report.make(workspace, options.what)
    if options.json:
        display.emit(made.facts)
        return 0
    run = made.facts["run"]
    out = Path(options.out).expanduser() if options.out else workspace.state / "reports" / run / "report.html"
    page, *others = report.write(made, out)
    plots = sum(path.suffix == ".svg" for path in others)
    print(f"The report of run {run} is in {display.paint(str(page), 'bold')}")
    if plots:
        print(f"{plots} plots are beside it in {page.parent / f'{page.stem}-plots'}")
    return 0
