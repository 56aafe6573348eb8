"""Configuration: composed by Hydra, resolved to an ``Experiment``; the only package that sees Hydra and OmegaConf.

A composition is cached with the state of every file and folder that it came from, so that composing the same
experiment again imports neither Hydra nor YAML.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelway.component import Component, Locate, build
from modelway.errors import ConfigError, nearest
from modelway.experiment import SEVERAL, Experiment, Settings, locator
from modelway.plugins import Plugins, installed
from modelway.schema import Schema
from modelway.stages import STAGES
from modelway.store import sha256
from modelway.values.artifact import dumps
from modelway.workspace import Workspace

__all__ = ["compose", "resolve"]

#: Changes when what a cached composition holds changes.
_CACHE = 4
#: A plain reference to an environment variable: its value is part of a cached composition's state.
_ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:\s*['\"]?([A-Za-z_]\w*)['\"]?\s*(?=[,}])")
#: Any other resolver: its value may change with nothing that shows it.
_IMPURE = re.compile(r"\$\{\s*(?!oc\.select\b)[A-Za-z_][\w.]*\s*:")
#: Nanoseconds after which a file's time tells its states apart.
_SETTLED = 2_000_000_000


def compose(
    project: Path, overrides: Sequence[str], workspace: Workspace, plugins: Plugins, *, check: bool = True
) -> Experiment:
    """Compose a project's configuration and resolve it to an experiment.

    Args:
        project: The project's folder.
        overrides: Hydra overrides.
        workspace: Where shared configuration and the cache are.
        plugins: What the configuration may use.
        check: Whether to check across components too.

    Raises:
        ConfigError: a wrong key, type, choice, interpolation or file.
        PluginError: a component that no plugin, or more than one, offers.
    """
    composed = _cached(project, list(overrides), workspace, plugins)
    experiment = resolve(composed["config"], composed["origin"], project, overrides, plugins)
    if check:
        experiment.check()
    return experiment


def _cached(project: Path, overrides: list[str], workspace: Workspace, plugins: Plugins) -> dict[str, Any]:
    versions = sorted((d.name, d.version, d.entry_points) for d in installed().values() if d.entry_points)
    offered = [sorted(plugins.loaded), {stage: plugins.names(stage) for stage in STAGES}]
    key = sha256(dumps([_CACHE, str(project), overrides, versions, offered, str(workspace.root)]))
    path = workspace.cache / "compose" / f"{key}.json"
    try:
        found = json.loads(path.read_bytes())
        if _state(found["watched"], found["environment"]) == found["state"]:
            return found  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError):
        pass
    from modelway.config.composition import compose_with_hydra

    began = time.time_ns()
    config, origin, watched = compose_with_hydra(project, overrides, workspace, plugins)
    text = "".join(Path(p).read_text(encoding="utf-8") for p in watched if Path(p).is_file()) + " ".join(overrides)
    names = sorted({match[1] for match in _ENVIRONMENT.finditer(text)})
    found = {"config": config, "origin": origin, "watched": watched, "environment": names}
    found["state"] = _state(watched, names)
    # A file that changed a moment ago may change again without its time showing it, or while it was being read.
    settled = all(stat is None or began - stat[0] > _SETTLED for stat in found["state"][: len(watched)])
    if settled and not _IMPURE.search(_ENVIRONMENT.sub("", text)):
        workspace.write_cache(path, json.dumps(found).encode())  # in the order written: features run in that order
    return found


def _state(watched: Sequence[str], names: Sequence[str]) -> list[Any]:
    stats: list[Any] = []
    for path in watched:
        try:
            stat = os.stat(path)
            stats.append([stat.st_mtime_ns, stat.st_size])
        except OSError:
            stats.append(None)
    return [*stats, *(os.environ.get(name) for name in names)]


def resolve(
    config: Mapping[str, Any], origin: Mapping[str, str], root: Path, overrides: Sequence[str], plugins: Plugins
) -> Experiment:
    """Turn a composed mapping into an experiment, refusing what does not belong.

    Raises:
        ConfigError, PluginError: as ``compose``.
    """
    where = locator(origin)
    stages = {key: stage for stage, (_, _, key) in STAGES.items()}
    fields = Settings.__dataclass_fields__
    for key in config:
        if key not in stages and key not in fields and key not in ("schema", "schemas"):
            known = [*stages, *fields, "schema", "schemas"]
            raise ConfigError(f"Unknown key '{key}'", where=where(key), mend=nearest(str(key), known))
    settings = build(Settings, {k: v for k, v in config.items() if k in fields}, "", where)
    schema = _schema(config.get("schema") or {}, "schema", where)
    named = config.get("schemas") or {}
    if not isinstance(named, Mapping):
        raise ConfigError("'schemas' must be a mapping of sources to schemas", where=where("schemas"))
    schemas = {str(label): _schema(body or {}, f"schemas.{label}", where) for label, body in named.items()}
    components: dict[str, dict[str, Component]] = {}
    for stage, (_, _, key) in STAGES.items():
        node = config.get(key) or ({"use": "inline"} if stage == "compute" else None)
        if node:
            components[stage] = _components(stage, key, node, plugins, where)
    return Experiment(settings, schema, components, config, origin, root, tuple(overrides), schemas)


#: Schemas by their text: the trials of a sweep have one and the same, and it may have hundreds of columns.
_SCHEMAS: dict[str, Schema] = {}


def _schema(body: Any, path: str, where: Locate) -> Schema:
    text = json.dumps(body, default=repr)
    if text not in _SCHEMAS:
        schema = Schema.of(body, path, where)
        if len(_SCHEMAS) >= 64:
            _SCHEMAS.clear()
        _SCHEMAS[text] = schema
    return _SCHEMAS[text]


def _components(stage: str, key: str, node: Any, plugins: Plugins, where: Any) -> dict[str, Component]:
    if not isinstance(node, Mapping):
        raise ConfigError(
            f"'{key}' is {node!r}, and must be a mapping", where=where(key), mend=f"Write '{key}: {{use: ...}}'"
        )
    if "use" in node:
        label = str(node["use"])
        return {label: _one(stage, key, node, plugins, where)}
    labelled = {}
    for label, inner in node.items():
        path = f"{key}.{label}"
        if inner is None:  # a label switched off from the command line or by an environment
            continue
        if not isinstance(inner, Mapping) or "use" not in inner:
            names = plugins.names(stage)
            mend = (
                f"Write '{label}: {{use: {inner}}}'"
                if inner in names
                else f"Add 'use'. Known here: {', '.join(names) or 'nothing'}"
            )
            raise ConfigError(f"'{path}' does not say which component it is", where=where(path), mend=mend)
        labelled[str(label)] = _one(stage, path, inner, plugins, where)
    if len(labelled) > 1 and stage not in SEVERAL:
        raise ConfigError(f"'{key}' has {len(labelled)} components, and takes one", where=where(key))
    return labelled


def _one(stage: str, path: str, node: Mapping[str, Any], plugins: Plugins, where: Any) -> Component:
    if not isinstance(node["use"], str) or node["use"] == "???":
        raise ConfigError(f"'{path}.use' is required and has no value", where=where(path))
    cls = plugins.get(stage, node["use"], where(f"{path}.use"))
    return build(cls, {k: v for k, v in node.items() if k != "use"}, path, where)
