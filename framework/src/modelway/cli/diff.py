"""``modelway diff``: runs side by side."""

from __future__ import annotations

import argparse
from typing import Any

from modelway.cli import display
from modelway.errors import ConfigError
from modelway.fingerprint import differences
from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", nargs="+", help="two or more run ids, or beginnings of them")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Compare."""
    if len(options.runs) < 2:
        raise ConfigError("There is one run to compare, and two are needed", mend="modelway diff RUN RUN")
    ledger = Workspace.find().ledger()
    runs = [ledger.run(prefix) for prefix in options.runs]
    config: dict[str, list[Any]] = {}
    for i, run in enumerate(runs[1:], 1):
        for key, old, new in differences(runs[0]["config"], run["config"]):
            config.setdefault(key, [old] * len(runs))[i] = new
    scores: dict[str, list[Any]] = {}
    for i, run in enumerate(runs):
        for score in ledger.scores([run["id"]]):
            scores.setdefault(f"{score['metric']} ({score['phase']})", [None] * len(runs))[i] = score["value"]
    steps: dict[str, list[Any]] = {}
    for i, run in enumerate(runs):
        for step in ledger.steps(run["id"]):
            steps.setdefault(step["name"], [None] * len(runs))[i] = step["digest"][:12]
    changed = {name: found for name, found in steps.items() if len(set(found)) > 1}
    if options.json:
        display.emit({"runs": [r["id"] for r in runs], "config": config, "scores": scores, "outputs": changed})
        return 0
    head = [f"{run['id']}" for run in runs]
    sections = [("configuration", config), ("scores", scores), ("outputs that differ", changed)]
    for title, rows in sections:
        if rows:
            body = [[name, *(_shown(value) for value in values)] for name, values in rows.items()]
            if title == "scores" and len(runs) == 2:
                body = [[*row, _change(*values)] for row, values in zip(body, rows.values(), strict=True)]
            more = ["change"] if title == "scores" and len(runs) == 2 else []
            print(
                display.table(
                    [title, *head, *more], body, right=tuple(range(1, len(head) + 2)) if title == "scores" else ()
                )
            )
            print()
    if not config and not changed:
        print("Nothing differs.")
    return 0


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, float) else str(value)[:40]


def _change(a: float | None, b: float | None) -> str:
    return "-" if a is None or b is None else f"{b - a:+.4f}"
