"""Bins: numbers as the number of the interval that they fall into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Literal

from modelway import Columns, ConfigError, Graph, Wire, Wires, param
from modelway_features.columnwise import Columnwise, Summary
from modelway_features.moments import Moments
from modelway_features.sketch import Quantiles


@dataclass(frozen=True, kw_only=True)
class Bins(Columnwise, name="bins"):
    """Replace a number by the number of its bin, from 0.

    ``quantile``: about as many training rows in each bin, edges exact up to 100,000 distinct values and beyond with
    ranks off by at most 0.05 % of the rows; ``width``: bins of equal width between the smallest and the largest value;
    ``edges``: declared inner edges, so that [18, 65] makes three bins, below 18, 18 to below 65, and 65 and more. A bin
    holds its lower edge and not its upper one; values beyond those of the training rows fall into the outer bins.
    Equal edges become one, so there may be fewer bins than asked for. Missing stays missing.
    """

    method: Literal["quantile", "width", "edges"] = param("quantile", "How edges are found.")
    count: int = param(5, "Number of bins, where edges are fitted.", at_least=2)
    edges: tuple[float, ...] = param((), "Inner edges, rising, for method 'edges'.")

    def __post_init__(self) -> None:
        """Refuse fields that contradict each other.

        Raises:
            ConfigError: edges without their method, or edges that do not rise.
        """
        if (self.method == "edges") != bool(self.edges):
            raise ConfigError(
                f"Feature 'bins' has method '{self.method}' and {len(self.edges)} edges",
                mend="List 'edges' with method 'edges', and only there",
            )
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ConfigError("The edges of feature 'bins' do not rise", mend="Sort them, each once")

    @property
    def fitted(self) -> bool:  # type: ignore[override]
        """Whether training rows must be seen: declared edges need none."""
        return self.method != "edges"

    def observe(self, name: str, column: Any) -> Summary:
        """Summarise one column.

        Raises:
            DataError: the column holds text, times or an infinite value.
        """
        values = self.present(name, column)
        return Quantiles.of(values) if self.method == "quantile" else Moments.of(values)

    def fit(self, name: str, summary: Any) -> list[float]:
        """Return the inner edges.

        Raises:
            DataError: every training row is missing.
        """
        import numpy as np

        if not summary.rows:
            raise self.error(name, "it has no value in the training rows", mend="Drop the column, or declare 'edges'")
        if self.method == "width":
            found = np.linspace(summary.low, summary.high, self.count + 1).tolist()
        else:
            found = summary.quantiles(tuple(np.linspace(0, 1, self.count + 1).tolist()))
        rising = sorted(set(found))
        return rising[1:-1]

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the numbers of the bins as float64."""
        import numpy as np

        values = self.numbers(name, column)
        made = np.searchsorted(self.edges if fitted is None else fitted, values, side="right").astype(np.float64)
        gone = np.isnan(values)
        if gone.any():
            made[gone] = np.nan
        return {name: made}

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the bins into a graph: a number's bin is how many edges it reaches."""
        made: Wires = {}
        for name, wire in columns.items():
            edges = state.get("columns", {}).get(name, self.edges)
            held, count = graph.numbers([wire]), graph.constant([0.0])
            if edges:
                reached = graph.add("GreaterOrEqual", held, graph.constant(edges), width=len(edges))
                axis = graph.constant([1], "int64", (1,))
                count = graph.add("ReduceSum", graph.add("Cast", reached, to="float64"), axis, keepdims=1)
            gone = graph.add("IsNaN", held)
            made[name] = Wire(graph.add("Where", gone, graph.constant([nan]), count))
        return made
