"""Clip: bound numbers from below and above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from modelway import Columns, ConfigError, Graph, Wire, Wires, param
from modelway_features.columnwise import Columnwise
from modelway_features.sketch import Quantiles


@dataclass(frozen=True, kw_only=True)
class Clip(Columnwise, name="clip"):
    """Replace numbers beyond a bound by that bound, declared or a quantile of the training rows.

    Quantiles are exact up to 100,000 distinct values; beyond, their rank is off by at most 0.05 % of the rows.
    Infinite values are bounded like any other. Missing stays missing.
    """

    low: float | None = param(None, "Smallest value.")
    high: float | None = param(None, "Largest value.")
    low_quantile: float | None = param(None, "Share of training rows below the smallest value.", at_least=0, at_most=1)
    high_quantile: float | None = param(None, "Share of training rows below the largest value.", at_least=0, at_most=1)

    def __post_init__(self) -> None:
        """Refuse fields that contradict each other.

        Raises:
            ConfigError: no bound, one bound declared twice, or bounds that cross.
        """
        pairs = ((self.low, self.low_quantile), (self.high, self.high_quantile))
        if all(bound is None and share is None for bound, share in pairs):
            raise ConfigError("Feature 'clip' has no bound", mend="Set low, high, low_quantile or high_quantile")
        if any(bound is not None and share is not None for bound, share in pairs):
            raise ConfigError("Feature 'clip' has a bound and a quantile for the same side", mend="Keep one of them")
        for a, b in ((self.low, self.high), (self.low_quantile, self.high_quantile)):
            if a is not None and b is not None and a > b:
                raise ConfigError(f"Feature 'clip' bounds from below at {a} and from above at {b}", mend="Swap them")

    @property
    def fitted(self) -> bool:  # type: ignore[override]
        """Whether training rows must be seen: declared bounds need none."""
        return self.low_quantile is not None or self.high_quantile is not None

    def observe(self, name: str, column: Any) -> Quantiles:
        """Summarise one column.

        Raises:
            DataError: the column holds text or times.
        """
        import numpy as np

        values = self.numbers(name, column)
        return Quantiles.of(values[~np.isnan(values)])

    def fit(self, name: str, summary: Quantiles) -> list[float | None]:
        """Return both bounds; None where there is none.

        Raises:
            DataError: a quantile is infinite.
        """
        bounds: list[float | None] = [self.low, self.high]
        for side, share in enumerate((self.low_quantile, self.high_quantile)):
            if share is not None and summary.rows:
                bounds[side] = bound = summary.quantiles((share,))[0]
                if not isfinite(bound):
                    mend = "Choose a quantile further from the end"
                    raise self.error(name, f"its quantile at {share} is infinite", mend=mend)
        return bounds

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the bounded column."""
        import numpy as np

        low, high = (self.low, self.high) if fitted is None else fitted
        values = self.numbers(name, column)
        if low is not None:
            values = np.maximum(values, low)
        return {name: values if high is None else np.minimum(values, high)}

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the bounds into a graph: one operation for all columns."""
        fitted = state.get("columns", {})
        bounds = [fitted.get(name, (self.low, self.high)) for name in columns]
        lows = graph.constant([-inf if low is None else low for low, _ in bounds])
        highs = graph.constant([inf if high is None else high for _, high in bounds])
        width = len(columns)
        above = graph.add("Max", graph.numbers(columns.values()), lows, width=width)
        return graph.wires(graph.add("Min", above, highs, width=width), list(columns))
