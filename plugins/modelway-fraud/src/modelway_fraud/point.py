"""The operating point: which threshold, by which rule, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import Predictions, Run

if TYPE_CHECKING:
    from modelway_fraud.transactions import Array

Rule = tuple[str, float]

_WORDS = {"afpr": "contacts for each detected fraud account", "alerts_per_day": "alerts a day"}


@dataclass(frozen=True)
class Point:
    """A threshold with its reason.

    Attributes:
        threshold: The threshold, or None where no threshold keeps the rule.
        place: Its position in the table, or None.
        rule: Measure and bound that decided.
        reason: Why, with both numbers.
        phase: The rows that it was chosen on.
    """

    threshold: float | None
    place: int | None
    rule: Rule
    reason: str
    phase: str

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"threshold": self.threshold, "rule": list(self.rule), "reason": self.reason, "phase": self.phase}


def reused(run: Run, predictions: Predictions, rule: Rule) -> Mapping[str, Any]:
    """Return the point chosen on an earlier phase that the test rows are measured at, or nothing."""
    chosen: Mapping[str, Any] = run.chosen
    return chosen if predictions.phase == "test" and chosen.get("rule") == list(rule) else {}


def choose(columns: Mapping[str, Array], rule: Rule, before: Mapping[str, Any], phase: str) -> Point:
    """Choose the operating point, or find the one that was chosen before.

    Args:
        columns: The table by threshold, which holds the threshold of ``before`` and a declared one exactly.
        rule: ``("threshold", value)``, or a measure and the bound that it must keep.
        before: The point chosen on an earlier phase, or nothing.
        phase: The phase of the rows.
    """
    import numpy as np

    threshold = columns["threshold"]
    measure, bound = rule
    if before:
        chosen = before["threshold"]
        place = None if chosen is None else int(np.searchsorted(threshold, chosen))
        reason = before["reason"]
        if place is not None and measure != "threshold":
            reason = f"{reason}; on the {phase} rows it gives {_shown(columns[measure][place])}"
        return Point(chosen, place, rule, reason, before["phase"])
    if measure == "threshold":
        return Point(bound, int(np.searchsorted(threshold, bound)), rule, f"Declared threshold {bound:g}", phase)
    values, words = columns[measure], _WORDS[measure]
    kept = values <= bound  # never so for NaN
    if kept.any():
        place = int(kept.argmax())
        found = f"{_shown(values[place])} {words} at {threshold[place]:g}"
        reason = f"The lowest threshold with at most {bound:g} {words} on the {phase} rows: {found}"
        return Point(float(threshold[place]), place, rule, reason, phase)
    if np.isnan(values).all():
        lowest = "no threshold detects a fraud account"
    else:
        least = int(np.nanargmin(values))
        lowest = f"the fewest are {_shown(values[least])}, at {threshold[least]:g}"
    return Point(None, None, rule, f"No threshold keeps {bound:g} {words} on the {phase} rows: {lowest}", phase)


def _shown(value: float) -> str:
    return "no number" if value != value else f"{value:.4g}"
