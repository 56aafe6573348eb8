"""``modelway schema``: write a JSON Schema of the configuration, so that editors complete and check the YAML."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from modelway.cli.display import emit
from modelway.config.jsonschema import documents
from modelway.plugins import Plugins


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("group", nargs="?", help="print only this group's schema; 'config' is a project's config.yaml")
    parser.add_argument("--out", default="", metavar="FOLDER", help="write every schema below this folder")


def main(options: argparse.Namespace) -> int:
    """Print or write."""
    found = documents(Plugins())
    if options.group:
        from modelway.errors import ConfigError, nearest

        if options.group not in found:
            raise ConfigError(f"There is no group '{options.group}'", mend=nearest(options.group, found))
        emit(found[options.group])
        return 0
    folder = Path(options.out or ".modelway/schemas")
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in found.items():
        (folder / f"{name}.schema.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"Wrote {len(found)} schemas to {folder}. In a config.yaml, write as its first line:")
    print(f"# yaml-language-server: $schema={(folder / 'config.schema.json').resolve()}")
    return 0
