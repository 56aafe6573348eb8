"""``modelway show``: one run, whole."""

from __future__ import annotations

import argparse
from typing import Any

from modelway.cli import display
from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="",
        help="run id or a unique beginning of one, or a project, for its newest; by default the newest",
    )
    parser.add_argument("--config", action="store_true", help="print the run's resolved configuration as YAML")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Show."""
    ledger = Workspace.find().ledger()
    run = ledger.newest(options.run)
    if options.config:
        import yaml

        print(yaml.safe_dump(run["config"], sort_keys=False, allow_unicode=True), end="")
        return 0
    steps, scores, tags = ledger.steps(run["id"]), ledger.scores([run["id"]]), ledger.tags(run["id"])
    if options.json:
        display.emit({**run, "steps": steps, "scores": scores, "tags": tags})
        return 0
    print(_text(run, steps, scores, tags))
    return 0


def _text(run: dict[str, Any], steps: list[dict[str, Any]], scores: list[dict[str, Any]], tags: dict[str, str]) -> str:
    commit = run["code"].get("project", {}).get("commit")
    dirty = " with changes not committed" if run["code"].get("project", {}).get("dirty") else ""
    unknown = "not in git" if run["code"] else "as of the run that computed it"
    lines = [
        f"run {display.paint(run['id'], 'bold')} of {run['project']}: {run['status']}",
        f"  started {run['created']} by {run['actor']}, finished {run['finished'] or '-'}",
        f"  overrides: {' '.join(run['overrides']) or 'none'}",
        f"  code: {f'commit {commit[:12]}{dirty}' if commit else unknown}",
        f"  environment: {run['environment'][:12]}",
    ]
    cost = run["body"].get("cost")
    if cost:
        lines.append(
            f"  cost: {display.seconds(cost['wall'])} wall, {display.seconds(cost['cpu'])} processor time of the whole"
            f" command, {display.size(cost['peak'])} peak memory"
        )
    if tags:
        lines.append("  tags: " + " ".join(f"{name}={value}" for name, value in tags.items()))
    if run["note"]:
        lines.append(f"  note: {run['note']}")
    rows = [
        [
            step["name"], step["status"], display.seconds(step["wall"]) if step["status"] == "ran" else "",
            display.seconds(step["cpu"]) if step["status"] == "ran" else "",
            display.size(step["peak"]) if step["status"] == "ran" else "", display.size(step["bytes"]),
            step["digest"][:12], display.facts(step["body"].get("summary", {})) or step["reason"],
        ]
        for step in steps
    ]  # fmt: skip
    lines += [
        "",
        display.table(["step", "status", "wall", "cpu", "peak", "size", "digest", ""], rows, right=(2, 3, 4, 5)),
    ]
    failed = [step["body"]["error"] for step in steps if "error" in step["body"]]
    lines += ["", *failed] if failed else []
    for step in steps:
        for reason in step["body"].get("summary", {}).get("reasons", []):
            mark = display.paint("passed", "green") if reason["passed"] else display.paint("refused", "red")
            lines.append(f"  gate {reason['gate']}: {mark}, {reason['text']}")
    if scores:
        lines += ["", display.scores(scores)]
    return "\n".join(lines)
