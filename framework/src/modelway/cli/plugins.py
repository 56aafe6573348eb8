"""``modelway plugins``: what is installed, what it offers, and what a component's fields are."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from modelway.cli import display
from modelway.component import describe, hints
from modelway.errors import ConfigError, nearest
from modelway.experiment import Settings
from modelway.plugins import Plugins
from modelway.schema import ColumnSchema, RuleSchema, Schema
from modelway.stages import STAGES

#: What a project declares besides components, by the name to ask for it.
KEYS: dict[str, dict[str, Any]] = {
    "project": {
        "project: keys of conf/config.yaml besides 'defaults', 'schema' and components (modelway plugins)": Settings
    },
    "schema": {"schema": Schema, "schema.columns.NAME": ColumnSchema, "schema.rules.NAME": RuleSchema},
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name",
        nargs="?",
        help="to describe: a component (name, or stage/name), a stage, a plugin, 'project' or 'schema'",
    )
    parser.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """List or describe."""
    plugins = Plugins()
    if options.name in KEYS and not options.json:
        print("\n\n".join(_keys(title, cls) for title, cls in KEYS[options.name].items()))
        return 0
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
        table.append(
            [
                plugin.name,
                plugin.distribution,
                plugin.version,
                display.paint(f"broken: {plugin.broken}", "red") if plugin.broken else told,
            ]
        )
    print(display.table(["plugin", "distribution", "version", "offers"], table))
    return 0


def _named(plugins: Plugins, name: str) -> list[Any]:
    offered = [c for plugin in plugins.loaded.values() for c in plugin.components]
    stage, _, short = name.rpartition("/")
    found = [c for c in offered if c.name == short and (not stage or stage in (c.stage, STAGES[c.stage][2]))]
    found = found or [c for c in offered if name in (c.stage, STAGES[c.stage][2])]
    found = found or [c for plugin in plugins.loaded.values() if plugin.name == name for c in plugin.components]
    if not found:
        known = [*(c.name for c in offered), *plugins.loaded, *KEYS]
        close = nearest(name, known)
        mend = close if close.startswith("Did") else "'modelway plugins' lists what there is"
        raise ConfigError(f"No component, stage or plugin is named '{name}'", mend=mend)
    return found


def facts(component: Any) -> dict[str, Any]:
    """Return what a component's documentation says, as plain JSON."""
    said = {"stage": component.stage, "key": STAGES[component.stage][2], "name": component.name}
    return {
        **said,
        "distribution": component.distribution,
        "doc": component.__doc__ or "",
        "fields": _fields(component),
    }


def _fields(cls: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": field.name,
            "type": describe(hints(cls)[field.name]),
            "default": _default(field),
            "required": _required(field),
            "role": field.metadata.get("role", "param"),
            "help": field.metadata.get("help", ""),
        }
        for field in dataclasses.fields(cls)
    ]


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
    return "\n".join([*lines, "", _table(found["fields"])])


def _keys(title: str, cls: Any) -> str:
    return "\n".join([display.paint(title, "bold"), "", _table(_fields(cls))])


def _table(fields: list[dict[str, Any]]) -> str:
    rows = [
        [
            f["name"],
            f["type"],
            "required" if f["required"] else _yaml(f["default"]),
            f["help"] + (" (knob)" if f["role"] == "knob" else ""),
        ]
        for f in fields
    ]
    return display.table(["field", "type", "default", "meaning"], rows)


def _yaml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
