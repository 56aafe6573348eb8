"""``modelway doctor``: whether plugins, store, ledger and environment are in order."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator

from modelway.cli import display
from modelway.errors import ModelwayError
from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Check everything, and exit with 1 if something is wrong."""
    found = list(_checks(Workspace.find()))
    if options.json:
        display.emit([{"check": name, "ok": ok, "says": text} for name, ok, text in found])
    else:
        rows = [
            [display.paint("ok", "green") if ok else display.paint("wrong", "red"), name, text]
            for name, ok, text in found
        ]
        print(display.table(["", "check", ""], rows))
    return 0 if all(ok for _, ok, _ in found) else 1


def _checks(workspace: Workspace) -> Iterator[tuple[str, bool, str]]:
    yield "python", sys.version_info >= (3, 11), platform.python_version()
    compiles = not os.environ.get("PYTHONDONTWRITEBYTECODE")
    yield (
        "bytecode",
        compiles,
        "kept" if compiles else "PYTHONDONTWRITEBYTECODE is set: every command compiles anew, and is slow",
    )
    yield "workspace", True, str(workspace.root)
    yield from _tried("ledger", lambda: f"{len(workspace.ledger().runs(limit=100_000))} runs")
    yield from _tried("store", lambda: _write(workspace))
    free = shutil.disk_usage(workspace.root).free
    yield "disk", free > 1e9, f"{display.size(free)} free"
    from modelway.plugins import Plugins

    for plugin in Plugins().loaded.values():
        yield f"plugin {plugin.name}", not plugin.broken, plugin.broken or f"{len(plugin.components)} components"
    for name in ("git",):
        path = shutil.which(name)
        yield name, path is not None, path or "not found: runs will not know their commit"


def _tried(name: str, check: Callable[[], str]) -> Iterator[tuple[str, bool, str]]:
    try:
        yield name, True, check()
    except ModelwayError as error:
        yield name, False, str(error)


def _write(workspace: Workspace) -> str:
    digest, _ = workspace.store().put_bytes(b"modelway doctor")
    workspace.store().open(digest)
    return f"{workspace.state}: writable, and gives back what was put there"
