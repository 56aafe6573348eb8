"""``modelway promote``: make a version the champion."""

from __future__ import annotations

import argparse

from modelway import naming
from modelway.cli import composing, display


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "version", help="PROJECT@NUMBER, PROJECT a name or a path; only versions whose gates passed are registered"
    )
    parser.add_argument("--alias", default="champion", help="the alias to move")
    parser.add_argument("--why", default="by hand", help="the reason to keep on record")


def main(options: argparse.Namespace) -> int:
    """Promote."""
    naming.check(options.alias, "alias")
    workspace, version = composing.find_version(options.version)
    ledger = workspace.ledger()
    project, number = version["project"], version["number"]
    before = ledger.aliases(project).get(options.alias)
    if before == number:
        print(f"{project}@{number} is the {options.alias} already.")
        return 0
    ledger.point(project, options.alias, number, options.why, expected=before)
    print(f"{project}@{options.alias}: {before or 'none'} -> {display.paint(str(number), 'bold')}")
    return 0
