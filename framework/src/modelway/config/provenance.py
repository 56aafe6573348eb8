"""Where each value came from, and the one rule that Hydra's merging lacks.

The rule: ``use`` starts a component afresh. Where a later layer (a group choice, an experiment file, an override) names
another component than an earlier one did, the keys that the earlier layers set belong to the component that was
replaced, and go with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from modelway.errors import ConfigError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Layer:
    """One contribution to the configuration: dotted keys, and where each stands."""

    keys: dict[str, str]
    uses: dict[str, str]


def file_layer(path: Path, package: str) -> Layer:
    """Read a YAML file's keys with their lines, as placed in ``package``.

    Raises:
        ConfigError: the file is not YAML.
    """
    keys, uses = {}, {}
    for key, line, value in _walk(parse(path), package):
        keys[key] = f"{path}:{line}"
        if key.endswith(".use") and value is not None:
            uses[key.removesuffix(".use")] = value
    return Layer(keys, uses)


def parse(path: Path) -> Any:
    """Return the root node of a YAML file, with marks.

    Raises:
        ConfigError: the file is not YAML, with line and column.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError(f"The file is not valid YAML: {getattr(error, 'problem', error)}", where=at) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"The file is not UTF-8 text: {error.reason}", where=str(path)) from None
    for key in _keys(root):
        if key.tag == "tag:yaml.org,2002:null":
            at = f"{path}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
            raise ConfigError(
                "A key is empty", where=at, mend="Name it; a lone '?' is such a key in YAML: put quotes around it"
            )
    return root


def _keys(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _keys(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield from _keys(value)


def _walk(node: Any, prefix: str) -> Iterator[tuple[str, int, str | None]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not prefix and key.value == "defaults":
            continue
        if key.tag == "tag:yaml.org,2002:merge":  # <<: the keys of another mapping, or of several
            for merged in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                yield from _walk(merged, prefix)
            continue
        dotted = f"{prefix}.{key.value}" if prefix else str(key.value)
        yield dotted, key.start_mark.line + 1, value.value if isinstance(value, yaml.ScalarNode) else None
        yield from _walk(value, dotted)
        if isinstance(value, yaml.SequenceNode):
            for i, item in enumerate(value.value):
                yield f"{dotted}.{i}", item.start_mark.line + 1, None


def fresh(config: dict[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    """Apply the rule to a composed mapping: drop the keys of components that were replaced.

    Args:
        config: The composed mapping; changed in place.
        layers: All contributions, in the order in which they were merged.
    """
    for node in {node for layer in layers for node in layer.uses}:
        current, alive, whole = None, set[str](), False
        for layer in layers:
            use = layer.uses.get(node)
            if use is not None and use != current:
                if current is not None:
                    alive.clear()
                current = use
            prefix = f"{node}."
            below = [key[len(prefix) :].partition(".")[0] for key in layer.keys if key.startswith(prefix)]
            whole = (whole or node in layer.keys) and not below  # as in ``model: ${vars.model}``
            alive.update(below)
        if whole:
            continue
        inner: Any = config
        for key in node.split("."):
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            for key in [key for key in inner if key not in alive]:
                del inner[key]
    return config


def origins(layers: Sequence[Layer]) -> dict[str, str]:
    """Return where each key was set last."""
    found: dict[str, str] = {}
    for layer in layers:
        found.update(layer.keys)
    return found
