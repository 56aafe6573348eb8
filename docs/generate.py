"""Write docs/reference from the code: every command, component, hook and configuration key.

Run it with ``python docs/generate.py``; a test compares what it makes with what is committed.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelway import cli, hookspecs
from modelway.cli.commands import COMMANDS
from modelway.component import describe, hints
from modelway.experiment import SEVERAL, Settings
from modelway.plugins import Plugins
from modelway.schema import ColumnSchema, RuleSchema, Schema
from modelway.stages import STAGES

ROOT = Path(__file__).parent.parent
NOTE = "<!-- Made by docs/generate.py from the code: change that, and run it again. -->\n\n"


def pages() -> dict[str, str]:
    """Return each page's text by file name."""
    made = {
        "commands.md": _commands(),
        "components.md": _components(),
        "configuration.md": _configuration(),
        "hooks.md": _hooks(),
    }
    return {name: NOTE + text.rstrip() + "\n" for name, text in made.items()}


def first_party() -> Plugins:
    """Return the plugins of this repository, whatever else is installed."""
    names = ["builtin"]
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        names += tomllib.loads(path.read_text(encoding="utf-8"))["project"]["entry-points"]["modelway"]
    return Plugins(only=names)


def _commands() -> str:
    lines = [
        "# Commands",
        "",
        "`modelway COMMAND [ARGUMENTS] [HYDRA OVERRIDES]`. Every command takes `--help`, and `--debug` to see a stack",
        "trace with an error.",
    ]
    group = ""
    for name, command in COMMANDS.items():
        if command.group != group:
            group = command.group
            lines += ["", f"## {group}"]
        module, parser = cli.load(name)
        lines += ["", f"### modelway {name}", "", f"{_sentence(command.help)}", "", *_arguments(parser)]
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
                for verb, inner in action.choices.items():
                    lines += ["", f"#### modelway {name} {verb}", "", _sentence(helps[verb]), "", *_arguments(inner)]
        epilog = getattr(module, "EPILOG", None)
        lines += ["", _sentence(_cell(epilog))] if epilog else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    skipped = (argparse._HelpAction, argparse._SubParsersAction)
    actions = [a for a in parser._actions if not isinstance(a, skipped) and a.dest != "debug"]
    rows = [[f"`{_written(a)}`", _cell(a.help or ""), _standard(a)] for a in actions]
    return _table(["argument", "meaning", "default"], rows) if rows else []


def _written(action: argparse.Action) -> str:
    value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else "")
    if not action.option_strings:
        name = str(value or action.dest)
        return {"?": f"[{name}]", "*": f"[{name} ...]"}.get(str(action.nargs), name)
    if action.nargs == 0:
        return ", ".join(action.option_strings)
    shown = " ".join(value) if isinstance(value, tuple) else str(value or action.dest.upper())
    return f"{', '.join(action.option_strings)} {shown}"


def _standard(action: argparse.Action) -> str:
    return f"`{action.default}`" if action.option_strings and action.default not in (None, False, "", []) else ""


def _components() -> str:
    plugins = first_party()
    lines = [
        "# Components",
        "",
        "What the plugins of this repository offer. `use: NAME` selects one; its fields are its configuration.",
        "*required* means that there is no default. A *knob* cannot change a result, so it stays outside the",
        "fingerprint.",
    ]
    for stage, (base, hook, key) in STAGES.items():
        said = inspect.getdoc(base) or ""
        how = "one component, or several by label" if stage in SEVERAL else "one component"
        lines += [
            "",
            f"## {key}",
            "",
            f"Stage {said.splitlines()[0]} Registered by `{hook}`; the key `{key}` takes {how}.",
        ]
        names = plugins.names(stage)
        lines += [] if names else ["", "No plugin of this repository offers one yet."]
        for name in names:
            component = plugins.get(stage, name)
            heading = f"{name} ({key})" if sum(name in plugins.names(other) for other in STAGES) > 1 else name
            lines += ["", f"### {heading}", "", f"From `{component.distribution or 'modelway'}`."]
            if component.libraries:
                lines[-1] += f" Libraries in its fingerprint: {', '.join(f'`{x}`' for x in component.libraries)}."
            tasks = getattr(component, "tasks", None)
            lines[-1] += f" Tasks: {', '.join(tasks)}." if tasks else ""
            lines += ["", _prose(inspect.getdoc(component) or ""), "", *_fields(component)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _configuration() -> str:
    lines = [
        "# Configuration",
        "",
        "The keys of a project's `conf/config.yaml`, besides Hydra's `defaults`. [Components](components.md) lists",
        "what `use` may name.",
        "",
        "## Keys that are not components",
        "",
        *_fields(Settings),
        "",
        "## Keys of components",
        "",
    ]
    rows = [
        [f"`{key}`", stage, "one, or several by label" if stage in SEVERAL else "one", f"`modelway.{base.__name__}`"]
        for stage, (base, _, key) in STAGES.items()
    ]
    lines += _table(["key", "stage", "components", "base class"], rows)
    for heading, cls in (
        ("schema", Schema),
        ("schema.columns.NAME", ColumnSchema),
        ("schema.rules.NAME", RuleSchema),
    ):
        lines += ["", f"## {heading}", "", _prose(inspect.getdoc(cls) or ""), "", *_fields(cls)]
    return "\n".join(lines)


def _hooks() -> str:
    lines = [
        "# Hooks",
        "",
        "A plugin implements any of these functions in the module that its entry point names, marked with",
        "`@modelway.hookimpl`. An implementation may leave arguments out.",
        "",
        "## Hooks that register components",
    ]
    stage_of = {hook: stage for stage, (_, hook, _) in STAGES.items()}
    for name, function in hooks():
        if name in hookspecs.OBSERVERS and "## Observers" not in lines:
            lines += ["", "## Observers", "", _prose(inspect.getdoc(hookspecs.Event) or "")]
        lines += [
            "",
            f"### {name}",
            "",
            "```python",
            signature(name, function),
            "```",
            "",
            inspect.getdoc(function) or "",
        ]
        if name in stage_of:
            base, _, key = STAGES[stage_of[name]]
            lines += ["", f"Key `{key}`. A component subclasses `modelway.{base.__name__}`:", "", *_methods(base)]
    return "\n".join(lines)


def hooks() -> Iterator[tuple[str, Any]]:
    """Yield name and function of every hook, in the order of the source."""
    for name, function in vars(hookspecs).items():
        if hasattr(function, f"{hookspecs.NAMESPACE}_spec"):
            yield name, function


def signature(name: str, function: Any) -> str:
    """Return a hook's signature as it is written in the source."""
    return f"def {name}{_plain_signature(function)}: ..."


def _methods(base: type) -> list[str]:
    lines = ["```python"]
    said = []
    for name, member in vars(base).items():
        if name.startswith("_") or not inspect.isfunction(member):
            continue
        lines.append(f"def {name}{_plain_signature(member)}: ...")
        needed = "" if name in base.__abstractmethods__ else " (has a default)"  # type: ignore[attr-defined]
        said.append(f"- `{name}`{needed}: {_flat(inspect.getdoc(member) or '')}")
    return [*lines, "```", "", *said]


def _plain_signature(function: Any) -> str:
    """Annotations as they are written: ``from __future__ import annotations`` keeps them as text."""
    return str(inspect.signature(function)).replace("'", "")


def _fields(cls: type) -> list[str]:
    rows = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        role = field.metadata.get("role", "param")
        said = field.metadata.get("help", "") + (f" *{role.capitalize()}.*" if role != "param" else "")
        limits = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}
        bounds = " and ".join(f"{words} {field.metadata[k]:g}" for k, words in limits.items() if k in field.metadata)
        kind = describe(hints(cls)[field.name]) + (f", {bounds}" if bounds else "")
        rows.append([f"`{field.name}`", _cell(kind), _default(field), _cell(said)])
    return _table(["field", "type", "default", "meaning"], rows) if rows else ["It has no fields."]


def _default(field: Any) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "*required*"
    return f"`{_cell(json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False))}`"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _prose(text: str) -> str:
    """Make Markdown of a docstring: single backticks, and attribute or argument lists as bullets."""
    lines = []
    for line in text.replace("``", "`").splitlines():
        section = re.fullmatch(r"(Attributes|Args|Raises|Returns):", line)
        item = re.fullmatch(r" {4}(\w+): (.*)", line)
        more = re.fullmatch(r" {5,}(\S.*)", line)
        if section:
            lines += [f"{section[1]}:", ""]
        elif item:
            lines.append(f"- `{item[1]}`: {item[2]}")
        elif more and lines and lines[-1].startswith(("- ", "  ")):
            lines.append(f"  {more[1]}")
        else:
            lines.append(line.strip() if line.startswith("    ") and lines[-1:] != [""] else line)
    return "\n".join(lines).strip()


def _flat(text: str) -> str:
    return _cell(text.replace("``", "`")).replace(" Raises: ", " *Raises* ").replace(" Returns: ", " *Returns* ")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def main() -> None:
    """Write the pages."""
    folder = ROOT / "docs" / "reference"
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}  {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
