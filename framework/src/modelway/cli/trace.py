"""``modelway trace``: from a bundle, a model, any output, a version or a run, back to data and code."""

from __future__ import annotations

import argparse
import json
from typing import Any

from modelway.cli import display
from modelway.errors import ConfigError
from modelway.ledger import Ledger
from modelway.store import Store
from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "what", help="digest of an output (or its beginning), PROJECT (its champion), PROJECT@VERSION, or a run"
    )
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Trace."""
    workspace = Workspace.find()
    chain = trace(workspace.ledger(), workspace.store(), options.what)
    if options.json:
        display.emit(chain)
    else:
        print(_text(chain))
    return 0


def trace(ledger: Ledger, store: Store, what: str) -> dict[str, Any]:
    """Return the chain behind something.

    Raises:
        ConfigError: nothing on record has that name.
    """
    version: dict[str, Any] | None = None
    if "@" in what or ledger.versions(what):
        version = ledger.version(what)
        what = version["bundle"] or version["model"]
    produced = [row for row in ledger.producers(what) if row["status"] == "ran"] or ledger.producers(what)
    if produced:
        step = produced[-1]  # the first run that made it
    else:
        run = ledger.run(what)
        step = {**ledger.steps(run["id"])[-1], "run": run["id"]}
    run = ledger.run(step["run"])
    steps = {row["name"]: row for row in ledger.steps(run["id"])}
    if version is None:
        found = [v for v in ledger.versions(run["project"]) if step["digest"] in (v["bundle"], v["model"])]
        version = found[0] if found else None
    links, queue, seen = [], [step["name"]], set[str]()
    while queue:
        name = queue.pop(0)
        if name in seen or name not in steps:
            continue
        seen.add(name)
        manifest = store.lookup(steps[name]["fingerprint"])
        if manifest is None:
            raise ConfigError(f"The record of step '{name}' of run {run['id']} is not in the store any more")
        facts = manifest.facts
        links.append({
            "step": name, "stage": steps[name]["stage"], "digest": manifest.digest, "computed_by": facts["run"],
            "components": facts["ingredients"]["components"], "inputs": facts["ingredients"]["inputs"],
            "summary": facts["summary"],
            "files": manifest.files if steps[name]["stage"] == "acquire" else len(manifest.files),
        })  # fmt: skip
        queue += list(facts["ingredients"]["inputs"])
    maker = ledger.run(next((link["computed_by"] for link in links if link["stage"] == "train"), run["id"]))
    return {
        "output": {"step": step["name"], "digest": step["digest"]},
        "version": version,
        "run": {k: run[k] for k in ("id", "project", "created", "actor", "status", "overrides")},
        "trained_by": {k: maker[k] for k in ("id", "created", "actor")},
        "code": maker["code"],
        "environment": _environment(store, maker["environment"]),
        "config": run["config"],
        "origin": run["body"].get("origin", {}),
        "links": links,
    }


def _environment(store: Store, digest: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(store.open(digest).read_bytes())
    return {**body, "kept_as": digest}


def _text(chain: dict[str, Any]) -> str:
    run = chain["run"]

    def bold(text: str) -> str:
        return display.paint(text, "bold")

    lines = [f"{bold(chain['output']['step'])} {chain['output']['digest'][:12]}"]
    version = chain["version"]
    if version:
        lines.append(f"  version      {version['project']}@{version['number']}, registered {version['created']}")
    lines.append(f"  run          {run['id']} of {run['project']}, {run['created']} by {run['actor']}, {run['status']}")
    made = chain["trained_by"]
    if made["id"] != run["id"]:
        lines.append(f"  trained by   {made['id']}, {made['created']} by {made['actor']}")
    code = chain["code"].get("project", {})
    dirty = f", changed since by patch {code['dirty'][:12]}" if code.get("dirty") else ", nothing changed since"
    lines.append(
        f"  code         commit {code['commit'][:12]}{dirty}" if code.get("commit") else "  code         not in git"
    )
    environment = chain["environment"]
    lines.append(
        f"  environment  Python {environment['python']} on {environment['platform']},"
        f" {len(environment['distributions'])} distributions ({environment['kept_as'][:12]})"
    )
    lines += ["", bold("made from")]
    for link in chain["links"]:
        use = ", ".join(
            f"{label}: {c['use']}" if label != c["use"] else c["use"] for label, c in link["components"].items()
        )
        lines.append(f"  {link['step']:<22} {link['digest'][:12]}  {use}")
        for component in link["components"].values():
            files = ", ".join(f"{name} {digest[:8]}" for name, digest in component["code"].items())
            lines.append(display.paint(f"  {'':<22} code {files}", "dim"))
        if link["stage"] == "acquire":
            about = link["summary"].get("about", {})
            lines += [f"  {'':<22} source {key}: {_brief(value)}" for key, value in about.items()]
            lines += [
                f"  {'':<22} part {name} {digest[:12]}, {display.size(size)}"
                for name, (digest, size) in link["files"].items()
                if name.endswith(".parquet")
            ]
    lines += ["", bold("resolved configuration")]
    lines += [f"  {key}: {value}" for key, value in _flat(chain["config"])]
    return "\n".join(lines)


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) < 160 else f"{text[:157]}..."


def _flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [row for key, inner in value.items() for row in _flat(inner, f"{prefix}.{key}" if prefix else key)]
    return [(prefix, value)]
