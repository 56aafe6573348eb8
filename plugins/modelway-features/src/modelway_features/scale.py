"""Scale: bring numbers to a common size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from modelway import Columns, Graph, Wire, Wires, param
from modelway_features.columnwise import Columnwise, Summary
from modelway_features.moments import Moments
from modelway_features.sketch import Quantiles


@dataclass(frozen=True, kw_only=True)
class Scale(Columnwise, name="scale"):
    """Shift and divide numbers, by what was fitted on the training rows.

    ``standard``: (x - mean) / standard deviation of the population; ``minmax``: (x - smallest) / (largest - smallest),
    outside 0 to 1 for values beyond those of the training rows; ``robust``: (x - median) / (third - first quartile),
    exact up to 100,000 distinct values and beyond with ranks off by at most 0.05 % of the rows. A column that does
    not vary is shifted only. Missing stays missing.
    """

    method: Literal["standard", "minmax", "robust"] = param("standard", "How to scale.")

    def observe(self, name: str, column: Any) -> Summary:
        """Summarise one column.

        Raises:
            DataError: the column holds text, times or an infinite value.
        """
        values = self.present(name, column)
        return Quantiles.of(values) if self.method == "robust" else Moments.of(values)

    def fit(self, name: str, summary: Any) -> list[float]:
        """Return what is subtracted and what is divided by.

        Raises:
            DataError: the values are too large for their spread to be a number.
        """
        shift, size = self._size(summary)
        if not (isfinite(shift) and isfinite(size)):
            what = f"its values from {summary.low:g} to {summary.high:g} are too large to be scaled"
            raise self.error(name, what, mend="Bound it with 'clip' first")
        return [shift, size]

    def _size(self, summary: Any) -> list[float]:
        if not summary.rows:
            return [0.0, 1.0]
        if summary.low == summary.high:
            return [summary.low, 1.0]
        if self.method == "standard":
            return [summary.mean, summary.deviation or 1.0]
        if self.method == "minmax":
            return [summary.low, summary.high - summary.low]
        first, median, third = summary.quantiles((0.25, 0.5, 0.75))
        return [median, (third - first) or 1.0]

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the scaled column."""
        made = self.numbers(name, column) - fitted[0]
        made /= fitted[1]
        return {name: made}

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the scaling into a graph: one operation for all columns."""
        fitted, width = [state["columns"][name] for name in columns], len(columns)
        shifted = graph.add(
            "Sub", graph.numbers(columns.values()), graph.constant([shift for shift, _ in fitted]), width=width
        )
        made = graph.add("Div", shifted, graph.constant([size for _, size in fitted]), width=width)
        return graph.wires(made, list(columns))
