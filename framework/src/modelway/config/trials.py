"""A sweep's space and its trials: parsed once, frozen with the configuration tree, composed without reading files."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, RangeSweep

from modelway.config import resolve
from modelway.config.composition import Composition, parse_overrides
from modelway.errors import ConfigError, nearest
from modelway.experiment import Experiment
from modelway.plugins import Plugins
from modelway.search import Choices, Interval
from modelway.workspace import Workspace

#: Text that Hydra's grammar takes without quotes.
_BARE = re.compile(r"[\w./@+-]+")
#: The same, of a value that stands alone.
_ALONE = re.compile(r"[\w./@+:-]+")
#: Group choices are composed by Hydra when a sweep is submitted: so many combinations at most.
_COMPOSED = 256


class Frozen:
    """A configuration tree as it was when the sweep was submitted, with the space that trials come from.

    Attributes:
        space: What each swept key may be.
        fixed: The overrides that every trial has.
        base: The experiment of the first combination of choices, with what else is declared for the sweep.

    Raises:
        ConfigError: an override that does not parse, a key that cannot be swept, or a choice that is not there.
    """

    def __init__(self, project: Path, overrides: Sequence[str], workspace: Workspace, plugins: Plugins) -> None:
        self.project, self.workspace, self.plugins = project, workspace, plugins
        parsed = parse_overrides(overrides)
        self.fixed = [override.input_line for override in parsed if not override.is_sweep_override()]
        swept = {
            override.get_key_element().lstrip("+"): override for override in parsed if override.is_sweep_override()
        }
        first = Composition(project, self.fixed, workspace, plugins)
        config, origin = first.config()
        declared = config.get("space") or {}
        for key, text in declared.items() if isinstance(declared, Mapping) else ():
            if key not in swept:
                swept[str(key)] = parse_overrides([f"{key}={text}"])[0]
        options = {key: first.options(key) for key, override in swept.items() if _may_choose(key, override)}
        self.groups = [key for key, found in options.items() if "/" in key or found]
        self.space: dict[str, Choices | Interval] = {
            key: _space(key, override, options.get(key, [])) for key, override in swept.items()
        }
        for key in swept:
            if key.partition(".")[0] in ("launcher", "sweeper", "space", "objective", "store", "ledger"):
                raise ConfigError(f"A sweep cannot vary '{key}', which it needs itself", where=f"override {key}")
        choices = [self.space[key].values for key in self.groups]  # type: ignore[union-attr]  # groups have choices
        combinations = list(itertools.product(*choices))
        if len(combinations) > _COMPOSED:
            raise ConfigError(
                f"The groups of the sweep have {len(combinations)} combinations, and {_COMPOSED} may be composed",
                mend="Sweep fewer groups at once",
            )
        # Every choice is composed before the first trial runs: editing a file meanwhile changes nothing.
        self._composed = {
            combination: Composition(
                project, [*self.fixed, *(f"{k}={v}" for k, v in zip(self.groups, combination, strict=True))],
                workspace, plugins,
            ) if self.groups else first
            for combination in combinations
        }  # fmt: skip
        self.base = resolve(config, origin, project, overrides, plugins)

    @property
    def points(self) -> int | None:
        """How many points the space has; None where a key has an interval."""
        counts = [len(found.values) if isinstance(found, Choices) else None for found in self.space.values()]
        return None if None in counts else math.prod(counts)  # type: ignore[arg-type]  # no None is left

    def trial(self, values: Mapping[str, Any]) -> Experiment:
        """Compose the trial that has these values.

        Raises:
            ConfigError: as ``compose``.
        """
        composed = self._composed[tuple(values[key] for key in self.groups)]
        config, origin = composed.config({key: value for key, value in values.items() if key not in self.groups})
        return resolve(config, origin, self.project, [*self.fixed, *words(values)], self.plugins)


def words(values: Mapping[str, Any]) -> list[str]:
    """Return values as overrides."""
    return [
        f"{key}={value if isinstance(value, str) and _ALONE.fullmatch(value) else _word(value)}"
        for key, value in values.items()
    ]


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_word, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_word(inner)}" for key, inner in value.items()) + "}"
    text = str(value)
    return text if not isinstance(value, str) or _BARE.fullmatch(text) else "'" + text.replace("'", "\\'") + "'"


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return value.text if hasattr(value, "text") else value


def _may_choose(key: str, override: Any) -> bool:
    return "/" in key or ("." not in key and _named(override))


def _named(override: Any) -> bool:
    sweep = override.value()
    return isinstance(sweep, Glob) or (isinstance(sweep, ChoiceSweep) and all(isinstance(v, str) for v in sweep.list))


def _space(key: str, override: Any, options: Sequence[str]) -> Choices | Interval:
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        if low is None or high is None or not low < high:
            raise ConfigError(f"The interval of '{key}' has no room", where=f"override {override.input_line}")
        whole = isinstance(low, int) and isinstance(high, int)
        return Interval(float(low), float(high), whole, "log" in sweep.tags)
    if isinstance(sweep, Glob):
        found = sorted(o for o in options if any(fnmatchcase(o, pattern) for pattern in sweep.include))
        found = [o for o in found if not any(fnmatchcase(o, pattern) for pattern in sweep.exclude)]
        if not found:
            raise ConfigError(
                f"'{override.input_line}' matches no option", where=f"override {override.input_line}",
                mend=nearest(key, options),
            )  # fmt: skip
        return Choices(tuple(found))
    texts = list(dict.fromkeys(override.sweep_string_iterator()))
    if not texts:
        raise ConfigError(f"'{override.input_line}' names no value", where=f"override {override.input_line}")
    values = (_plain(parse_overrides([f"{key}={text}"])[0].value()) for text in texts)
    once = {_content(value): value for value in reversed(list(values))}  # of 1 and 1.0 the first
    return Choices(tuple(reversed(once.values())), ordered=isinstance(sweep, RangeSweep))


def _content(value: Any) -> str:
    return repr(float(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else repr(value)
