"""Comparison with the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from modelway import Gate, Reason, Run, Scores, param
from modelway_gates.measured import defined, measured, shown


@dataclass(frozen=True, kw_only=True)
class NoWorse(Gate, name="no_worse"):
    """A metric must be no worse than the champion's on the same rows.

    Whether less is worse or better the metric itself says. While there is no champion the gate passes.
    """

    needs_champion: ClassVar[bool] = True

    metric: str = param(..., "Name of the metric.")
    phase: str = param("test", "Rows that the metric was measured on: 'train', 'valid' or 'test'.")
    by: float = param(0.0, "How much worse the model may be, in the metric's own unit.", at_least=0)

    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        """Decide on the metric's mean over the folds.

        Raises:
            ConfigError: the metric was not measured.
        """
        gate = run.label or self.name
        measured(scores, self.metric, self.phase, f"gates.{gate}")
        what = f"{self.metric} on {self.phase} rows"
        value = scores.value(self.metric, self.phase)
        if not defined(value):
            return Reason(gate, False, f"{what} is not defined")
        if champion is None:
            return Reason(gate, True, f"{what} is {shown(value)[0]}, and there is no champion to compare with", value)
        best = champion.value(self.metric, self.phase)
        if not defined(best):
            return Reason(gate, False, f"{what} is {shown(value)[0]}, and the champion's is not defined", value)
        lower = scores.lower_is_better.get(self.metric, False)
        bound = best + self.by if lower else best - self.by
        passed = value <= bound if lower else value >= bound
        number, other = shown(value, best)
        room = f", where {self.by:g} worse is allowed" if self.by else ""
        text = f"{what} is {number}, {'no worse' if passed else 'worse'} than the champion's {other}{room}"
        return Reason(gate, passed, text, value, bound)
