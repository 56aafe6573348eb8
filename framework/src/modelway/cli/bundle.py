"""``modelway bundle``: package a project's model, or lay a version's bundle down in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modelway.cli import composing, display
from modelway.errors import ConfigError
from modelway.workspace import Workspace


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", help="a project to package, or PROJECT@VERSION to unpack")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, for a project")
    parser.add_argument(
        "--out", default="", metavar="FOLDER", help="where to lay the bundle down; by default .modelway/bundles"
    )
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Package or unpack."""
    from modelway.engine import Engine, manifest_of, unpack

    if "@" not in options.project:
        engine = Engine.open(options.project, options.overrides, warn=composing.warn)
        if not options.json:
            engine.listener = display.Progress(0)
        outcome = engine.run(engine.plan())
        if "package" not in outcome.steps:
            raise ConfigError("The project declares no 'package'", mend="Add 'package: {use: bentoml}'")
        assert outcome.version is not None
        version, workspace = outcome.version, engine.workspace
    else:
        workspace, version = composing.find_version(options.project)
    manifest = manifest_of(workspace.ledger(), workspace.store(warn=composing.warn), bundle_of(version))
    folder = Path(options.out) if options.out else place(workspace, version)
    if options.out and folder.exists():
        raise ConfigError(f"The folder {folder} is there already", mend="Name one that is not")
    unpack(workspace.store(), manifest, folder)
    found: dict[str, Any] = {
        "version": f"{version['project']}@{version['number']}",
        "digest": manifest.digest,
        "folder": str(folder),
    }
    found |= {"bytes": manifest.bytes, "about": manifest.facts["summary"]["about"]}
    if options.json:
        display.emit(found)
    else:
        print(f"{found['version']}  bundle {manifest.digest[:12]}, {display.size(manifest.bytes)}\n  in {folder}")
    return 0


def bundle_of(version: dict[str, Any]) -> str:
    """Return the digest of a version's bundle.

    Raises:
        ConfigError: it has none.
    """
    if not version["bundle"]:
        raise ConfigError(
            f"Version {version['number']} of '{version['project']}' has no bundle",
            mend="Declare 'package' and run again",
        )
    return str(version["bundle"])


def place(workspace: Workspace, version: dict[str, object]) -> Path:
    """Return where a version's bundle is unpacked."""
    return workspace.state / "bundles" / str(version["project"]) / f"{version['number']}-{str(version['bundle'])[:12]}"
