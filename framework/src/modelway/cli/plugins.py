"""``modelway plugins``: what is installed, what it offers, and what a component's fields are."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from modelway.cli import display
from modelway.component import describe, hints
from modelway.errors import ConfigError, nearest
from modelway.plugins import Plugins
from modelway.stages import STAGES


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", help="a component (name, or stage/name) or a stage, to describe")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """List or describe."""
    plugins = Plugins()
    if options.name:
        found = _named(plugins, options.name)
        if options.json:
            display.emit([facts(component) for component in found])
        else:
            print("\n\n".join(_described(component) for component in found))
        return 0
    loaded = sorted(plugins.loaded.values(), key=lambda plugin: plugin.name)
    if options.json:
        rows = [{**dataclasses.asdict(p), "components": [f"{c.stage}/{c.name}" for c in p.components]} for p in loaded]
        display.emit(rows)
        return 0
    table = []
    for plugin in loaded:
        offers: dict[str, list[str]] = {}
        for component in plugin.components:
            offers.setdefault(STAGES[component.stage][2], []).append(component.name)
        told = "; ".join(f"{key}: {', '.join(names)}" for key, names in offers.items())
        if plugin.observers:
            told += f"; observes {', '.join(plugin.observers)}"
        table.append([plugin.name, plugin.distribution, plugin.version, display.paint(f"broken: {plugin.broken}", "red") if plugin.broken else told])
    print(display.table(["plugin", "distribution", "version", "offers"], table))
    return 0


def _named(plugins: Plugins, name: str) -> list[Any]:
    offered = [c for plugin in plugins.loaded.values() for c in plugin.components]
    stage, _, short = name.rpartition("/")
    found = [c for c in offered if c.name == short and (not stage or stage in (c.stage, STAGES[c.stage][2]))]
    found = found or [c for c in offered if name in (c.stage, STAGES[c.stage][2])]
    if not found:
        raise ConfigError(f"No component or stage is named '{name}'", mend=nearest(name, [c.name for c in offered]))
    return found


def facts(component: Any) -> dict[str, Any]:
    """Return what a component's documentation says, as plain JSON."""
    fields = [
        {
            "name": field.name,
            "type": describe(hints(component)[field.name]),
            "default": _default(field),
            "required": _required(field),
            "role": field.metadata.get("role", "param"),
            "help": field.metadata.get("help", ""),
        }
        for field in dataclasses.fields(component)
    ]
    said = {"stage": component.stage, "key": STAGES[component.stage][2], "name": component.name}
    return {**said, "distribution": component.distribution, "doc": component.__doc__ or "", "fields": fields}


def _required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: Any) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def _described(component: Any) -> str:
    found = facts(component)
    lines = [f"{display.paint(found['name'], 'bold')}  ({found['key']}, from {found['distribution']})", ""]
    lines += [line.strip() for line in found["doc"].strip().splitlines()]
    rows = [
        [f["name"], f["type"], "required" if f["required"] else repr(f["default"]), f["help"] + (" (knob)" if f["role"] == "knob" else "")]
        for f in found["fields"]
    ]
    return "\n".join([*lines, "", display.table(["field", "type", "default", "meaning"], rows)])
