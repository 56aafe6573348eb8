"""Components: frozen dataclasses whose fields are their configuration.

``param`` declares a field that shapes the result and so enters the fingerprint; ``knob`` one that cannot
change the result (threads, chunk sizes); ``secret`` a reference to a value that never enters configuration,
ledger or log. ``build`` turns a plain mapping into the dataclass, checking keys, types and bounds.
"""

from __future__ import annotations

import dataclasses
import operator
import os
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from modelway.errors import ConfigError, nearest

T = TypeVar("T")
REQUIRED: Any = ...


def _field(role: str, default: Any, help: str, **limits: Any) -> Any:
    metadata = {"role": role, "help": help, **{k: v for k, v in limits.items() if v is not None}}
    if default is ...:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, (dict, list)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def param(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """Declare a field that shapes the component's result.

    Args:
        default: The default; ``...`` makes the field required.
        help: One sentence for ``--help``, the reference and the JSON Schema.
        at_least: Smallest value allowed; above: the value must exceed it.
        at_most: Largest value allowed; below: the value must stay under it.
    """
    return _field("param", default, help, at_least=at_least, at_most=at_most, above=above, below=below)


def knob(default: Any, help: str, *, at_least: float | None = None, at_most: float | None = None) -> Any:
    """Declare a field that cannot change the result, so that it stays outside the fingerprint."""
    return _field("knob", default, help, at_least=at_least, at_most=at_most)


def secret(help: str, *, default: Any = "") -> Any:
    """Declare a field that refers to a secret: ``env:NAME`` or ``file:PATH``; see ``reveal``."""
    return _field("secret", default, help)


def reveal(reference: str) -> str:
    """Resolve a secret reference inside the method that needs it.

    Raises:
        ConfigError: the variable or file is absent, or the reference has neither form.
    """
    how, _, name = reference.partition(":")
    if how == "env" and name in os.environ:
        return os.environ[name]
    if how == "file" and Path(name).is_file():
        return Path(name).read_text(encoding="utf-8").strip()
    if how in ("env", "file"):
        raise ConfigError(f"The secret {reference!r} is not there", mend=f"Set the {how} that it names")
    raise ConfigError(
        "A secret must be a reference, and this one looks like a value",
        mend="Write env:NAME or file:PATH",
    )


class Component:
    """A named implementation of a stage; subclass a stage's base, not this class."""

    stage: ClassVar[str] = ""
    name: ClassVar[str] = ""
    #: Distributions whose version shapes the result: part of the fingerprint.
    libraries: ClassVar[tuple[str, ...]] = ()
    #: Files of the plugin's package that shape the result, relative to the class's module.
    data_files: ClassVar[tuple[str, ...]] = ()
    #: Whether the result depends on ``run.seed``.
    seeded: ClassVar[bool] = False
    #: Distribution that offers it; filled in by the plugin manager.
    distribution: ClassVar[str] = ""

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name

    def params(self) -> dict[str, Any]:
        """Return the fields that shape the result, as plain JSON values."""
        return {k: v for k, v in self.config().items() if _role(self, k) == "param"}

    def config(self) -> dict[str, Any]:
        """Return all fields as plain JSON values; ``build`` reads them back."""
        return plain(self)  # type: ignore[no-any-return]


def _role(component: Any, name: str) -> str:
    return str(type(component).__dataclass_fields__[name].metadata.get("role", "param"))


def plain(value: Any) -> Any:
    """Turn dataclasses, tuples and mappings into plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


@cache
def hints(cls: type) -> dict[str, Any]:
    """Return the resolved annotations of a dataclass's fields."""
    return typing.get_type_hints(cls)


Locate = Callable[[str], str]


def build(cls: type[T], config: Mapping[str, Any], path: str = "", where: Locate = lambda path: "") -> T:
    """Build a dataclass from a plain mapping, checking every key, type and bound.

    Args:
        cls: A dataclass whose fields were declared with ``param``, ``knob`` or ``secret``.
        config: The mapping; nested dataclasses are built too.
        path: The dotted key of ``config`` itself, for messages.
        where: Tells the file and line, or the override, that a dotted key came from.

    Raises:
        ConfigError: an unknown or missing key, a wrong type, or a value outside its bounds.
    """
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    what = getattr(cls, "name", "") or cls.__name__.lower()
    prefix = f"{path}." if path else ""
    for key in config:
        if key not in fields:
            raise ConfigError(
                f"Unknown key '{prefix}{key}': {what} has no field of that name",
                where=where(f"{prefix}{key}"),
                mend=nearest(str(key), fields),
            )
    values, kinds = {}, hints(cls)  # type: ignore[arg-type]
    for name, spec in fields.items():
        key = f"{prefix}{name}"
        if name not in config or config[name] == "???":
            if spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
                said = spec.metadata.get("help", "")
                raise ConfigError(
                    f"'{key}' is required by {what} and has no value" + (f": {said.rstrip('.')}" if said else ""),
                    where=where(path) or where(key),
                    mend=f"Set {key} in the project's configuration or on the command line",
                )
            continue
        values[name] = _coerce(config[name], kinds[name], key, where)
        _bounds(values[name], spec.metadata, key, where)
    return cls(**values)


def _bounds(value: Any, limits: Mapping[str, Any], key: str, where: Locate) -> None:
    if isinstance(value, (tuple, list)):
        for i, item in enumerate(value):
            _bounds(item, limits, f"{key}[{i}]", where)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    for word, text, holds in (
        ("at_least", "at least", operator.ge),
        ("at_most", "at most", operator.le),
        ("above", "above", operator.gt),
        ("below", "below", operator.lt),
    ):
        if word in limits and not holds(value, limits[word]):
            raise ConfigError(f"'{key}' is {value}, and must be {text} {limits[word]}", where=where(key))


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def _coerce(value: Any, kind: Any, key: str, where: Locate) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        options = [option for option in args if option is not type(None)]
        if len(options) == 1 and value is not None and not _is_plain(options[0]):
            return _coerce(value, options[0], key, where)  # its own words say which key or item is wrong
        for option in args:
            try:
                return _coerce(value, option, key, where)
            except ConfigError:
                continue
        raise _wrong(value, kind, key, where)
    if origin is Literal:
        if value in args and type(value) in {type(a) for a in args}:
            return value
        close = nearest(str(value), map(str, args))
        raise ConfigError(
            f"'{key}' is {value!r}, and must be one of {', '.join(map(str, args))}",
            where=where(key), mend=close if close.startswith("Did") else "",
        )  # fmt: skip
    if origin in (tuple, list):
        if not isinstance(value, (list, tuple)):
            raise _wrong(value, kind, key, where)
        if origin is tuple and args[-1] is not ...:
            if len(value) != len(args):
                raise ConfigError(f"'{key}' has {len(value)} items, and must have {len(args)}", where=where(key))
            return tuple(_coerce(v, t, f"{key}[{i}]", where) for i, (v, t) in enumerate(zip(value, args, strict=True)))
        return origin(_coerce(item, args[0], f"{key}[{i}]", where) for i, item in enumerate(value))
    if origin is dict or origin is Mapping or kind is dict:
        if not isinstance(value, Mapping):
            raise _wrong(value, kind, key, where)
        inner = args[1] if args else Any
        return {str(k): _coerce(v, inner, f"{key}.{k}", where) for k, v in value.items()}
    if dataclasses.is_dataclass(kind):
        if isinstance(value, Mapping):
            return build(kind, value, key, where)  # type: ignore[arg-type]
        raise _wrong(value, kind, key, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (int, float, str, bool, type(None)) and type(value) is kind:
        return value
    raise _wrong(value, kind, key, where)


def _is_plain(kind: Any) -> bool:
    return kind in _NAMES


def _wrong(value: Any, kind: Any, key: str, where: Locate) -> ConfigError:
    return ConfigError(
        f"'{key}' is {value!r} ({_NAMES.get(type(value), type(value).__name__)}), and must be {describe(kind)}",
        where=where(key),
    )


def describe(kind: Any) -> str:
    """Name a field's type in words."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(a) for a in args)
    if origin is Literal:
        return " or ".join(map(str, args))
    if origin in (tuple, list):
        return f"a list of {describe(args[0]).removeprefix('a ')}"
    if origin is dict or kind is dict or dataclasses.is_dataclass(kind):
        return "a mapping"
    return _NAMES.get(kind, getattr(kind, "__name__", str(kind)))
