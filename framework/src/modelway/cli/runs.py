"""``modelway runs``: list, search, tag and note runs."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from modelway.cli import display
from modelway.errors import ConfigError
from modelway.ledger import Ledger
from modelway.workspace import Workspace

EPILOG = "--where takes metric or parameter conditions: --where 'auc>0.9' --where 'model.max_depth=4'"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", nargs="?", help="only this project's runs")
    parser.add_argument(
        "--where", action="append", default=[], metavar="CONDITION", help="metric or parameter condition"
    )
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE", help="only runs with this tag")
    parser.add_argument("--limit", type=int, default=20, help="most runs to list")
    parser.add_argument("--set-tag", nargs=2, metavar=("RUN", "NAME=VALUE"), help="tag a run")
    parser.add_argument("--set-note", nargs=2, metavar=("RUN", "TEXT"), help="note something on a run")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """List or change."""
    ledger = Workspace.find().ledger()
    if options.set_tag:
        name, _, value = options.set_tag[1].partition("=")
        ledger.tag(ledger.run(options.set_tag[0])["id"], name, value)
        return 0
    if options.set_note:
        ledger.note(ledger.run(options.set_note[0])["id"], options.set_note[1])
        return 0
    rows = search(ledger, options)
    if options.json:
        display.emit(rows)
        return 0
    if not rows:
        print("No runs yet. Start one: modelway run PROJECT" if not ledger.runs(limit=1) else "No run matches.")
        return 0
    metrics = list(dict.fromkeys(m for row in rows for m in row["scores"]))[:4]
    table = [
        [
            row["id"], row["project"], row["created"][:16].replace("T", " "), _status(row["status"]), row["actor"],
            *(row["scores"].get(m) for m in metrics), " ".join(row["overrides"])[:48], row["note"][:32],
        ]
        for row in rows
    ]  # fmt: skip
    print(
        display.table(
            ["run", "project", "when (UTC)", "status", "by", *metrics, "overrides", "note"],
            table,
            right=range(5, 5 + len(metrics)),
        )
    )
    return 0


def _status(status: str) -> str:
    colour = {"done": "green", "failed": "red", "refused": "yellow", "stopped": "yellow"}.get(status, "cyan")
    return display.paint(status, colour)


def search(ledger: Ledger, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the runs that satisfy every condition, newest first, with their test scores."""
    conditions = [_condition(text) for text in options.where]
    tags = dict(text.partition("=")[::2] for text in options.tag)
    rows = ledger.runs(options.project, 100_000 if conditions else options.limit, tags)
    scores: dict[str, dict[str, Any]] = {}
    for start in range(0, len(rows), 500):
        for score in ledger.scores([row["id"] for row in rows[start : start + 500]]):
            if score["phase"] == "test" or score["metric"] not in scores.get(score["run"], {}):
                scores.setdefault(score["run"], {})[score["metric"]] = score["value"]
    found = []
    for row in rows:
        row["scores"] = scores.get(row["id"], {})
        if all(_holds(ledger, row, condition) for condition in conditions):
            found.append(row)
        if len(found) == options.limit:
            break
    return found


def _condition(text: str) -> tuple[str, str, str]:
    match = re.fullmatch(r"\s*([\w.@\[\]-]+)\s*(>=|<=|!=|=|>|<)\s*(.+?)\s*", text)
    if not match:
        raise ConfigError(
            f"The condition '{text}' does not parse", mend="Write NAME>=VALUE, with one of = != > < >= <="
        )
    return match.group(1), match.group(2), match.group(3)


def _holds(ledger: Ledger, row: dict[str, Any], condition: tuple[str, str, str]) -> bool:
    name, sign, wanted = condition
    value: Any = row["scores"].get(name)
    if value is None:
        value = ledger.run(row["id"])["config"]
        for word in name.split("."):
            value = value.get(word) if isinstance(value, dict) else None
    if value is None:
        return False
    try:
        other: Any = json.loads(wanted)
    except ValueError:
        other = wanted
    if sign in ("=", "!="):
        return bool(value == other) == (sign == "=")
    if not isinstance(value, (int, float)) or not isinstance(other, (int, float)):
        return False
    return {">": value > other, "<": value < other, ">=": value >= other, "<=": value <= other}[sign]
