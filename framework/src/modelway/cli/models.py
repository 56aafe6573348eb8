"""``modelway models``: versions, aliases, and how they came to be what they are."""

from __future__ import annotations

import argparse

from modelway.cli import display
from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", nargs="?", help="only this project's")
    parser.add_argument("--history", action="store_true", help="list every decision: who, when, why, from what to what")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """List."""
    ledger = Workspace.find().ledger()
    if options.history:
        events = ledger.events(f"{options.project}@" if options.project else "")
        if options.json:
            display.emit(events)
        else:
            rows = [[e["at"][:19], e["actor"], e["kind"], e["subject"], _what(e["body"])] for e in events]
            print(display.table(["when (UTC)", "by", "what", "version", ""], rows))
        return 0
    versions = ledger.versions(options.project)
    scores: dict[str, dict[str, float]] = {}
    for score in ledger.scores([v["run"] for v in versions]):
        if score["phase"] == "test":
            scores.setdefault(score["run"], {})[score["metric"]] = score["value"]
    for version in versions:
        aliases = ledger.aliases(version["project"])
        version["aliases"] = [name for name, number in aliases.items() if number == version["number"]]
        version["scores"] = scores.get(version["run"], {})
    if options.json:
        display.emit(versions)
        return 0
    if not versions:
        print("No model versions yet. A run whose gates pass registers one: modelway run PROJECT")
        return 0
    metrics = list(dict.fromkeys(m for v in versions for m in v["scores"]))[:3]
    rows = [
        [
            f"{v['project']}@{v['number']}", ", ".join(v["aliases"]), v["created"][:16].replace("T", " "), v["run"],
            *(v["scores"].get(m) for m in metrics), v["model"][:12], v["bundle"][:12] or "-",
        ]
        for v in versions
    ]  # fmt: skip
    head = ["version", "alias", "registered (UTC)", "run", *metrics, "model", "bundle"]
    print(display.table(head, rows, right=range(4, 4 + len(metrics))))
    return 0


def _what(body: dict[str, object]) -> str:
    if "alias" in body:
        return f"{body['alias']}: {body['from'] or 'none'} -> {body['to']} ({body['why']})"
    return f"run {body.get('run')}"
