"""``modelway data schema``: infer a first schema, and say what a changed one means."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelway import schema_diff, schema_infer
from modelway.cli import composing, display
from modelway.cli.tables import Tables
from modelway.component import plain
from modelway.errors import ConfigError, DataError
from modelway.ledger import Ledger
from modelway.schema import Schema
from modelway.workspace import Workspace

_FIELDS = frozenset(Schema().plain())


def infer(options: argparse.Namespace) -> int:
    """Print a first schema."""
    with Tables() as tables:
        found = schema_infer.infer(tables.find(options.what).table, options.target)
    if options.json:
        display.emit({"schema": found.schema.plain(), "seen": found.seen, "left": found.left})
    else:
        print(found.text(), end="")
    return 0


def diff(options: argparse.Namespace) -> int:
    """Say what changed from one schema to another; by default from a project's champion to its configuration."""
    a = _known(options.a)
    b = _known(options.b, declared=True) if options.b else _known(options.a, declared=True)
    changes = {
        label: schema_diff.compare(a.schemas.get(label, Schema()), b.schemas.get(label, Schema()), a.present)
        for label in dict.fromkeys((*a.schemas, *b.schemas))
    }
    listed = [
        {"source": label, **plain(vars(one)), "breaking": one.breaking}
        for label, found in changes.items()
        for one in found
    ]
    breaking = sum(one["breaking"] for one in listed)
    code = DataError.code if options.check and breaking else 0
    if options.json:
        display.emit({"a": a.title, "b": b.title, "compatible": not breaking, "changes": listed})
        return code
    print(f"A  {display.paint(a.title, 'bold')}\nB  {display.paint(b.title, 'bold')}\n")
    if not listed:
        print("Nothing differs.")
        return 0
    worst = sorted(listed, key=lambda one: not one["breaking"])
    rows = [[_mark(one["producers"]), _mark(one["callers"]), _key(one), _values(one), one["why"]] for one in worst]
    print(display.table(["producers", "callers", "key", "A -> B", "why"], rows))
    told = [f"{breaking} breaking" if breaking else "", f"{len(listed) - breaking} compatible"]
    print(f"\n{', '.join(filter(None, told))}")
    return code


class _Known:
    """Schemas by source (empty: the prepared table), what to call them, and columns that their tables have."""

    def __init__(self, title: str, config: Mapping[str, Any], present: tuple[str, ...] = ()) -> None:
        found = {"": config.get("schema") or {}, **(config.get("schemas") or {})}
        self.title, self.present = title, present
        self.schemas = {label: Schema.of(schema) for label, schema in found.items() if schema or not label}


def _known(what: str, *, declared: bool = False) -> _Known:
    """Find the schemas that a word means; ``declared``: of a project, those of its configuration."""
    if Path(what).is_file():
        return _Known(what, _of_file(Path(what)))
    workspace = Workspace.find()
    ledger = workspace.ledger()
    if "@" in what:
        workspace, version = composing.find_version(what)
        return _of_run(workspace, version["run"], f"{version['project']}@{version['number']}")
    if not any((root / "conf" / "config.yaml").is_file() for root in (workspace.root / "projects" / what, Path(what))):
        return _of_run(workspace, ledger.run(what)["id"], "")
    from modelway.config import compose
    from modelway.plugins import Plugins

    workspace, root = Workspace.project(what)
    composed = compose(root, [], workspace, Plugins(inline=root / "plugin.py"), check=False)
    if declared:
        return _Known(f"{composed.project}, as declared now", composed.config)
    run, title = _last(workspace.ledger(), composed.project)
    return _of_run(workspace, run, title)


def _last(ledger: Ledger, project: str) -> tuple[str, str]:
    number = ledger.aliases(project).get("champion")
    if number:
        return str(ledger.version(f"{project}@{number}")["run"]), f"{project}@{number}, the champion"
    latest = ledger.runs(project, limit=1)
    if not latest:
        raise ConfigError(
            f"Project '{project}' has no run to compare with", mend=f"modelway run {project}, or name two YAML files"
        )
    return str(latest[0]["id"]), ""


def _of_run(workspace: Workspace, run: str, title: str) -> _Known:
    row = workspace.ledger().run(run)
    steps = workspace.ledger().steps(run)
    store, present = workspace.store(warn=composing.warn), ()
    made = [step for step in steps if step["stage"] in ("acquire", "prepare") and step["fingerprint"]]
    manifest = store.lookup(made[-1]["fingerprint"]) if made else None
    if manifest is not None:
        body = store.reading(manifest).get_json("table.json")
        present = tuple(name for name, _ in body["columns"])
    return _Known(title or f"{row['project']}, run {run}", row["config"], present)


def _of_file(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"The schema cannot be read: {' '.join(str(error).split())}", where=str(path)) from None
    if isinstance(found, dict) and "schema" in found:
        return found
    if isinstance(found, dict) and found and _FIELDS.issuperset(found):
        return {"schema": found}
    raise ConfigError("The file holds no schema", where=str(path), mend="It needs 'schema', or 'columns', at its top")


def _key(one: Mapping[str, Any]) -> str:
    return f"schemas.{one['source']}.{one['key']}" if one["source"] else str(one["key"])


def _mark(breaks: bool) -> str:
    return display.paint("breaks", "red") if breaks else display.paint("ok", "green")


def _values(one: Mapping[str, Any]) -> str:
    if one["old"] is None and "." in one["key"] and one["key"].count(".") == 1:
        return f"added, {_short(one['new'])}"
    if one["new"] is None and one["key"].count(".") == 1:
        return f"removed, {_short(one['old'])}"
    return f"{_short(one['old'])} -> {_short(one['new'])}"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.15g}"
    text = "unset" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    long = f"{len(value)} values" if isinstance(value, list) else f"{text[:31]}…"
    return text if len(text) <= 32 else long
