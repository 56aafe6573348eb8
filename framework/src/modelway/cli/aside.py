"""``modelway data aside``: tables that a step kept beside its output, such as the rows that it refused."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modelway.cli import composing, display
from modelway.cli.rows import write
from modelway.errors import ConfigError, DataError, nearest
from modelway.values import Table
from modelway.workspace import Workspace


def main(options: argparse.Namespace) -> int:
    """List, show or write tables that were kept aside."""
    found = _found(options.run)
    if options.name:
        kept = [one for one in found if one["name"] == options.name]
        if not kept:
            names = [one["name"] for one in found]
            raise ConfigError(f"Nothing of the name '{options.name}' was kept aside", mend=nearest(options.name, names))
        found = kept
    if options.out:
        return _write(found, Path(options.out))
    one: Table | None = found[0]["table"] if len(found) == 1 else None
    if options.json:
        listed = [{key: value for key, value in kept.items() if key != "table"} for kept in found]
        if one is not None:
            listed[0]["head"] = _head(one, options.rows)
        display.emit(listed)
        return 0
    if not found:
        print("Nothing was kept aside.")
        return 0
    rows = [[kept["step"], kept["name"], f"{kept['rows']:,}", display.size(kept["bytes"])] for kept in found]
    print(display.table(["step", "name", "rows", "size"], rows, right=(2, 3)))
    if one is not None and one.rows:
        head = _head(one, options.rows)
        print()
        print(display.table(list(one.names), [list(row.values()) for row in head]))
        if one.rows > len(head):
            print(display.paint(f"{one.rows - len(head):,} rows more; --out FILE.csv writes all", "dim"))
    return 0


def _found(what: str) -> list[dict[str, Any]]:
    workspace = Workspace.find()
    ledger, store = workspace.ledger(), workspace.store(warn=composing.warn)
    name, _, step = what.partition(":")
    run = ledger.newest(name)
    steps = ledger.steps(run["id"])
    if step and step not in [one["name"] for one in steps]:
        raise ConfigError(f"Run {run['id']} has no step '{step}'", mend=nearest(step, [one["name"] for one in steps]))
    found = []
    for one in steps:
        manifest = store.lookup(one["fingerprint"]) if one["fingerprint"] and step in ("", one["name"]) else None
        names = manifest.files if manifest else ()
        for path in names:
            parts = path.split("/")
            if manifest is None or parts[0] != "aside" or parts[-1] != "table.json":
                continue
            table = Table.load(store.reading(manifest).sub("/".join(parts[:-1])))
            found.append({
                "run": run["id"], "step": one["name"], "name": "/".join(parts[1:-1]), "rows": table.rows,
                "bytes": table.bytes, "columns": list(table.names), "table": table,
            })  # fmt: skip
    return found


def _head(table: Table, rows: int) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = []
    for batch in table.scan():
        taken += batch.slice(0, rows - len(taken)).to_pylist()
        if len(taken) >= rows:
            break
    return taken


def _write(found: list[dict[str, Any]], path: Path) -> int:
    if not found:
        raise DataError("Nothing was kept aside, so there is nothing to write")
    if len(found) > 1:
        names = ", ".join(f"{one['step']} {one['name']}" for one in found)
        raise ConfigError(f"{len(found)} tables were kept aside: {names}", mend="Choose one: RUN:STEP --name NAME")
    rows = write(found[0]["table"].scan(), path)
    print(f"{rows:,} rows to {display.paint(str(path), 'bold')}")
    return 0
