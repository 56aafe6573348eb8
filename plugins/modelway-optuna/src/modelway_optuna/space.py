"""The search space: what Optuna is told of a key, and back from what it proposes to the key's own value."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modelway import Choices, ConfigError, Interval

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial


@dataclass(frozen=True)
class Axis:
    """One key, as a study knows it.

    Attributes:
        kind: ``categorical``, ``int`` or ``float``.
        options: The key's own values, for a categorical or a scale of fractions.
        stored: What the study holds in their place, option by option: plain values as they are, others as JSON.
        low: Lower end; high: the upper one, included. step: distance of a scale's values. log: search by ratio.
    """

    kind: str
    options: tuple[Any, ...] = ()
    stored: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    @property
    def size(self) -> float:
        """How many values there are; infinite for a range of fractions."""
        if self.options:
            return len(self.options)
        if self.kind == "int":
            return (self.high - self.low) // (self.step or 1) + 1
        return 1 if self.low == self.high else math.inf

    def distribution(self) -> BaseDistribution:
        """Return Optuna's own description."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "categorical":
            return CategoricalDistribution(self.stored)
        if self.kind == "int":
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: Trial, key: str) -> Any:
        """Return the key's value in a trial: the one that it has, or a new one."""
        if self.kind == "categorical":
            return self.options[self.stored.index(trial.suggest_categorical(key, self.stored))]
        if self.kind == "int":
            step = int(self.step or 1)
            return int(trial.suggest_int(key, int(self.low), int(self.high), step=step, log=self.log))
        found = float(trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log))
        # low + k * step is not always the number that was listed
        return min(self.options, key=lambda option: abs(option - found)) if self.options else self._readable(found)

    def _readable(self, value: float) -> float:
        """Drop digits below a 100000th of the interval, or of the value where ratios count: people read and type it."""
        scale = min(self.high - self.low, value) if self.log else self.high - self.low
        if scale <= 0:
            return value
        return min(max(round(value, 5 - math.floor(math.log10(scale))), self.low), self.high)

    def values(self) -> list[Any]:
        """Return all that the study may hold, of an axis with an end."""
        if self.kind == "categorical":
            return list(self.stored)
        if self.kind == "int":
            return list(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
        return [float(option) for option in self.options] or [self.low]


def axis(key: str, held: Choices | Interval) -> Axis:
    """Describe a key to Optuna.

    Raises:
        ConfigError: nothing to choose from, or ends that no number lies between.
    """
    return _interval(key, held) if isinstance(held, Interval) else _choices(key, held)


def _interval(key: str, held: Interval) -> Axis:
    low, high = (math.ceil(held.low), math.floor(held.high)) if held.whole else (held.low, held.high)
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise ConfigError(
            f"The interval of '{key}' from {held.low} to {held.high} holds no {'whole ' if held.whole else ''}number",
            where=f"override {key}", mend=f"Write {key}=interval(low,high) with the smaller end first",
        )  # fmt: skip
    if held.log and low <= 0:
        raise ConfigError(
            f"The interval of '{key}' starts at {held.low}, and a logarithmic one must start above 0",
            where=f"override {key}", mend="Start it at a small positive number, or search it without log",
        )  # fmt: skip
    return Axis("int" if held.whole else "float", low=low, high=high, log=held.log)


def _choices(key: str, held: Choices) -> Axis:
    texts = {json.dumps(value, sort_keys=True): value for value in held.values}
    options = tuple(texts.values())
    if not options:
        raise ConfigError(
            f"'{key}' has no values to choose from", where=f"override {key}", mend=f"List some: {key}=1,2,3"
        )
    if held.ordered and len(options) > 1 and all(type(value) in (int, float) for value in options):
        rising = tuple(sorted(options))
        exact = [Decimal(str(value)) for value in rising]
        step = exact[1] - exact[0]
        if all(value == exact[0] + i * step for i, value in enumerate(exact)):
            if all(type(value) is int for value in rising):
                return Axis("int", low=rising[0], high=rising[-1], step=int(step))
            return Axis("float", rising, rising, float(rising[0]), float(rising[-1]), float(step))
    # 1, 1.0 and True are equal to Optuna, and lists are nothing that it can store
    plain = all(type(value) in (bool, int, float, str, type(None)) for value in options)
    distinct = plain and len(set(options)) == len(options)
    return Axis("categorical", options, options if distinct else tuple(texts))
