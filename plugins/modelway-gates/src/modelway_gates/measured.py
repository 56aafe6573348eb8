"""The measured values that a gate decides on, and how their numbers are shown."""

from __future__ import annotations

import math
from typing import TypeGuard

from modelway import ConfigError, Score, Scores, nearest


def measured(scores: Scores, metric: str, phase: str, where: str) -> tuple[Score, ...]:
    """Return a metric's scores in a phase, one per fold.

    Args:
        scores: All that was measured.
        metric: The metric's name.
        phase: ``train``, ``valid`` or ``test``.
        where: Configuration key of the gate, for the message.

    Raises:
        ConfigError: the metric was not measured, or not in that phase.
    """
    found = tuple(score for score in scores.entries if score.metric == metric)
    if not found:
        raise ConfigError(
            f"The gate needs metric '{metric}', which was not measured",
            where=f"{where}.metric",
            mend=nearest(metric, scores.metrics()) or "Declare it under 'metrics'",
        )
    there = tuple(score for score in found if score.phase == phase)
    if not there:
        raise ConfigError(
            f"The gate needs metric '{metric}' on {phase} rows, where it was not measured",
            where=f"{where}.phase",
            mend=nearest(phase, {score.phase for score in found}),
        )
    return there


def defined(value: float | None) -> TypeGuard[float]:
    """Whether a value is a number."""
    return value is not None and not math.isnan(value)


def shown(*values: float) -> list[str]:
    """Return numbers in as few digits as tell different ones apart, and six at least."""
    for digits in range(6, 17):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            return texts
    return [repr(value) for value in values]
