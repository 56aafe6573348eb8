"""``modelway names``: find names that break the convention, and propose ones that follow it."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from modelway import naming
from modelway.cli import display
from modelway.errors import ConfigError
from modelway.experiment import SEVERAL
from modelway.stages import STAGES
from modelway.workspace import Workspace

VERBS = True
_KEYS = tuple(STAGES[stage][2] for stage in SEVERAL)
#: Folders that belong to tools.
_SKIPPED = frozenset(("__pycache__", "node_modules", "build", "dist"))


class Offence(NamedTuple):
    """A name that breaks the convention: of what kind, where it stands, and what to call it instead."""

    kind: str
    name: str
    where: str
    proposal: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    lint = verbs.add_parser("lint", help="find names that break the convention; exit code 2 where there are any")
    lint.add_argument(
        "paths", nargs="*", metavar="PATH", help="files or folders; by default projects, conf, bundles and aliases"
    )
    propose = verbs.add_parser("propose", help="propose a name that follows the convention")
    propose.add_argument("name", help="what you would call it: 'My Project V2'")
    propose.add_argument("--kind", choices=naming.KINDS, default="project", help="what it names")
    for verb in (lint, propose):
        verb.add_argument("--json", action="store_true", help="print as JSON")


def main(options: argparse.Namespace) -> int:
    """Lint or propose."""
    if options.verb == "propose":
        proposal = naming.propose(options.name, options.kind)
        if options.json:
            display.emit({"name": options.name, "kind": options.kind, "proposal": proposal})
        else:
            print(proposal)
        return 0
    workspace = Workspace.find()
    found = list(dict.fromkeys(_in_paths(options.paths) if options.paths else _in_workspace(workspace)))
    if options.json:
        display.emit([offence._asdict() for offence in found])
    elif found:
        rows = [[one.kind, one.name, one.proposal, one.where] for one in found]
        print(display.table(["kind", "name", "call it", "where"], rows))
        print(f"\n{len(found)} name{'s break' if len(found) > 1 else ' breaks'} the convention.")
    else:
        print("Every name follows the convention.")
    return ConfigError.code if found else 0


def _in_workspace(workspace: Workspace) -> Iterator[Offence]:
    for name in ("projects", "conf"):
        if (workspace.root / name).is_dir():
            yield from _in_folder(workspace.root / name, workspace.root)
    bundles = workspace.state / "bundles"
    for folder in sorted(bundles.glob("*")) + sorted(bundles.glob("*/*")):
        if not folder.name.startswith("."):
            kind: naming.Kind = "project" if folder.parent == bundles else "bundle"
            yield from _named(folder.name, kind, _shown(folder, workspace.root), ())
    if Path(workspace.own_ledger).is_file():
        ledger = workspace.ledger()
        for project in dict.fromkeys(row["project"] for row in ledger.versions()):
            aliases = ledger.aliases(project)
            for alias in aliases:
                yield from _named(alias, "alias", f"{project}@{alias}", aliases)


def _in_paths(paths: list[str]) -> Iterator[Offence]:
    for word in paths:
        path = Path(word)
        if not path.exists():
            raise ConfigError(f"There is no file or folder '{word}'")
        kind: naming.Kind = "folder" if path.is_dir() else "file"
        yield from _named(path.resolve().name, kind, word, ())
        yield from _in_folder(path, Path.cwd()) if path.is_dir() else _in_file(path, Path.cwd())


def _in_folder(folder: Path, root: Path) -> Iterator[Offence]:
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in _SKIPPED)
    names = [path.name for path in inside]
    for path in inside:
        is_project = folder.name == "projects" and (path / "conf").is_dir()
        kind: naming.Kind = "project" if is_project else "folder" if path.is_dir() else "file"
        yield from _named(path.name, kind, _shown(path, root), names)
        if path.is_dir() and not path.is_symlink():
            yield from _in_folder(path, root)
        else:
            yield from _in_file(path, root)


def _in_file(path: Path, root: Path) -> Iterator[Offence]:
    import yaml

    if path.suffix not in (".yaml", ".yml") or "conf" not in path.resolve().parts:
        return
    try:
        node: Any = yaml.compose(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return  # composing it says what is wrong
    yield from _in_config(_fields(node), _shown(path, root))


def _in_config(config: dict[str, Any], file: str) -> Iterator[Offence]:
    """Yield the offences in a configuration, whose values are YAML nodes: they know their lines."""
    project, pattern = config.get("project"), config.get("naming")
    if project is not None and isinstance(project.value, str) and "${" not in project.value:
        yield from _named(project.value, "project", _line(file, project), ())
    if pattern is not None:
        try:
            naming.name(pattern.value, project="project", kind="bundle", version="1")
        except ConfigError:
            yield Offence("pattern", pattern.value, _line(file, pattern), "{project}/{kind}/{version}")
    schemas = _fields(config.get("schemas"))
    for node in (config.get("schema"), *schemas.values(), *([_Root(config)] if "columns" in config else [])):
        schema = _fields(node)
        yield from _keys(schema.get("columns"), "column", file)
        yield from _keys(schema.get("rules"), "label", file)
    yield from _keys(config.get("schemas"), "label", file)
    for key in _KEYS:
        labelled = _fields(config.get(key))
        if "use" in labelled:
            continue
        yield from _keys(config.get(key), "label", file)
        for node in labelled.values():
            component = _fields(node)
            if getattr(component.get("use"), "value", "") == "derive":
                yield from _keys(component.get("columns"), "column", file)


class _Root(NamedTuple):
    fields: dict[str, Any]


def _fields(node: Any) -> dict[str, Any]:
    """Return the fields of a mapping's node; empty for another."""
    if isinstance(node, _Root):
        return node.fields
    if getattr(node, "id", "") != "mapping":
        return {}
    return {str(key.value): value for key, value in node.value}


def _keys(node: Any, kind: naming.Kind, file: str) -> Iterator[Offence]:
    if getattr(node, "id", "") != "mapping":
        return
    names = [str(key.value) for key, _ in node.value]
    for key, _ in node.value:
        yield from _named(str(key.value), kind, _line(file, key), names)


def _named(name: str, kind: naming.Kind, where: str, beside: Collection[str]) -> Iterator[Offence]:
    if naming.follows(_without_pattern(name) if kind == "column" else name, kind):
        return
    proposal = naming.propose(name, kind) if kind != "bundle" else "as 'modelway bundle' does"
    stem, dot, suffix = proposal.partition(".")
    number = 2
    while proposal in beside:  # taken
        proposal, number = f"{stem}-{number}{dot}{suffix}".replace("-", "_" if kind == "column" else "-"), number + 1
    yield Offence(kind, name, where, proposal)


def _without_pattern(key: str) -> str:
    """Return a column's key with a word in place of what a pattern leaves open."""
    import re

    return re.sub(r"\[[^\]]*\]|[*?]+", "x", key)


def _line(file: str, node: Any) -> str:
    return f"{file}:{node.start_mark.line + 1}"


def _shown(path: Path, root: Path) -> str:
    absolute = path.resolve()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(path)
