"""Ordinal encoding: categories as whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Literal

from modelway import Columns, Graph, Wire, Wires, param
from modelway_features.vocabulary import Counts, Encoder, places


@dataclass(frozen=True, kw_only=True)
class Ordinal(Encoder, name="ordinal"):
    """Replace each category by its position in the vocabulary, from 0.

    Declare ``values`` where the order means something (low, medium, high). An unseen value is refused (``error``),
    becomes ``missing``, or a declared number such as -1. Missing stays missing.
    """

    unseen: Literal["error", "missing"] | float = param("missing", "What becomes of a value not in the vocabulary.")

    def fit(self, name: str, summary: Counts) -> list[Any]:
        """Return the column's vocabulary."""
        return self.vocabulary(summary)

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the positions as float64."""
        answers: dict[Any, float | None] = {"error": None, "missing": nan}
        unseen = answers.get(self.unseen, self.unseen)
        return {name: self.look_up(name, column, fitted, unseen, nan, "float64")}

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the positions into a graph."""
        if self.unseen == "error":
            return {name: Wire(self.known(name, wire, state["columns"][name], graph)) for name, wire in columns.items()}
        unseen = nan if self.unseen == "missing" else float(self.unseen)
        return {
            name: Wire(graph.look_up(wire, places(state["columns"][name]), unseen=unseen, missing=nan))
            for name, wire in columns.items()
        }
