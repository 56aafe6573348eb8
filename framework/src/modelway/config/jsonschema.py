"""JSON Schemas of the configuration, made from the components' fields."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin

from modelway.component import hints
from modelway.experiment import SEVERAL, Settings
from modelway.plugins import Plugins
from modelway.schema import Schema
from modelway.stages import STAGES

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
_LIMITS = {"at_least": "minimum", "at_most": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"}
#: An interpolation may stand wherever a value may.
_INTERPOLATION = {"type": "string", "pattern": r"\$\{.+\}"}


def documents(plugins: Plugins) -> dict[str, dict[str, Any]]:
    """Return a schema for each group's option files, for ``schema``, and ``config`` for a project's config.yaml."""
    stages = {key: _stage(plugins, stage) for stage, (_, _, key) in STAGES.items()}
    settings = _dataclass(Settings)
    whole = {**settings["properties"], **stages, "schema": _dataclass(Schema)}
    whole["schemas"] = {"type": "object", "additionalProperties": _dataclass(Schema)}
    config = {"type": "object", "additionalProperties": False, "properties": {"defaults": {"type": "array"}, **whole}}
    found = {name: {"$schema": _DRAFT, "title": f"{name} options", **body} for name, body in stages.items()}
    found["schema"] = {"$schema": _DRAFT, "title": "schema", **_dataclass(Schema)}
    return {"config": {"$schema": _DRAFT, "title": "A project's config.yaml", **config}, **found}


def _stage(plugins: Plugins, stage: str) -> dict[str, Any]:
    options = []
    for name in plugins.names(stage):
        component = plugins.get(stage, name)
        body = _dataclass(component)
        body["properties"] = {"use": {"const": name}, **body["properties"]}
        options.append({**body, "required": ["use"], "description": (component.__doc__ or "").split("\n\n")[0]})
    one: dict[str, Any] = {"anyOf": options} if options else {"type": "object"}
    if stage not in SEVERAL:
        return one
    labelled = {
        "type": "object",
        "not": {"required": ["use"]},
        "additionalProperties": {"anyOf": [*options, {"type": "null"}]},
    }
    return {"anyOf": [*options, labelled]}


def _dataclass(cls: Any) -> dict[str, Any]:
    properties = {}
    for field in dataclasses.fields(cls):
        body = _type(hints(cls)[field.name])
        body |= {_LIMITS[k]: v for k, v in field.metadata.items() if k in _LIMITS}
        if field.default is not dataclasses.MISSING:
            body["default"] = list(field.default) if isinstance(field.default, tuple) else field.default
        plain = body if "type" not in body or body["type"] == "string" else {"anyOf": [body, _INTERPOLATION]}
        properties[field.name] = {**plain, "description": field.metadata.get("help", "")}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _type(kind: Any) -> dict[str, Any]:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_type(a) for a in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (tuple, list):
        return {"type": "array", "items": _type(args[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(args[1])}
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    return {"type": _PLAIN[kind]} if kind in _PLAIN else {}
