"""A metric's own limits."""

from __future__ import annotations

from dataclasses import dataclass

from modelway import ConfigError, Gate, Reason, Run, Score, Scores, param
from modelway_gates.measured import defined, measured, shown


@dataclass(frozen=True, kw_only=True)
class Floor(Gate, name="floor"):
    """A metric must be at least, or at most, so much.

    Over several folds the metric's mean counts. With ``interval`` the end of the metric's confidence interval that is
    nearer the limit must hold too, in every fold.
    """

    metric: str = param(..., "Name of the metric.")
    phase: str = param("test", "Rows that the metric was measured on: 'train', 'valid' or 'test'.")
    at_least: float | None = param(None, "Smallest value that passes.")
    at_most: float | None = param(None, "Largest value that passes.")
    interval: bool = param(False, "Whether the metric's confidence interval must hold too.")

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            ConfigError: there is no limit, or no value can meet both.
        """
        if self.at_least is None and self.at_most is None:
            raise ConfigError(
                f"The gate on '{self.metric}' has no limit", where="gates", mend="Set its 'at_least' or 'at_most'"
            )
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ConfigError(
                f"No value of '{self.metric}' is at least {self.at_least} and at most {self.at_most}", where="gates"
            )

    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        """Decide on the metric's mean over the folds, and on every fold's interval if asked to.

        Raises:
            ConfigError: the metric was not measured, or has no interval.
        """
        gate = run.label or self.name
        found = measured(scores, self.metric, self.phase, f"gates.{gate}")
        value = scores.value(self.metric, self.phase)
        if not defined(value):
            return Reason(gate, False, f"{self.metric} is not defined on {self.phase} rows", bound=self._first_limit)
        low, high = self._interval(found, gate) if self.interval else (value, value)
        asked: list[tuple[str, float, bool]] = []
        if self.at_least is not None:
            asked.append(("at least", self.at_least, min(value, low) >= self.at_least))
        if self.at_most is not None:
            asked.append(("at most", self.at_most, max(value, high) <= self.at_most))
        broken = [limit for limit in asked if not limit[2]]
        told = broken or asked
        number, least, most, *bounds = shown(value, low, high, *(bound for _, bound, _ in told))
        ends = f" (interval {least} to {most})" if self.interval else ""
        limits = " and ".join(f"{word} {bound}" for (word, _, _), bound in zip(told, bounds, strict=True))
        text = f"{self.metric} {number}{ends} on {self.phase} rows is {'not ' if broken else ''}{limits}"
        return Reason(gate, not broken, text, value, told[0][1])

    @property
    def _first_limit(self) -> float | None:
        return self.at_least if self.at_least is not None else self.at_most

    def _interval(self, found: tuple[Score, ...], gate: str) -> tuple[float, float]:
        lows = [score.low for score in found if defined(score.low)]
        highs = [score.high for score in found if defined(score.high)]
        if len(lows) < len(found) or len(highs) < len(found):
            raise ConfigError(
                f"The gate asks for the interval of '{self.metric}' on {self.phase} rows, and it has none",
                where=f"gates.{gate}.interval",
                mend="Let the metric compute its interval, or leave 'interval' out",
            )
        return min(lows), max(highs)
