"""Native categories, for trainers that take them as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Literal

from modelway import Category, Columns, Graph, Wire, Wires, param
from modelway_features.vocabulary import Counts, Encoder, places


@dataclass(frozen=True, kw_only=True)
class NativeCategory(Encoder, name="category"):
    """Give a column the vocabulary of the training rows, for trainers that take categories natively.

    Codes mean the same in training and in every request. An unseen value becomes ``missing``, is refused (``error``),
    or joins a last category (``other``), of which the model learns something only where ``min_count`` or
    ``max_categories`` put rare values into it. Missing stays missing.
    """

    unseen: Literal["missing", "error", "other"] = param("missing", "What becomes of a value not in the vocabulary.")

    def fit(self, name: str, summary: Counts) -> list[Any]:
        """Return the column's vocabulary, with the category of unseen values last."""
        values = self.vocabulary(summary)
        return [*values, self.other] if self.unseen == "other" and self.other not in values else values

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the column in the fitted vocabulary."""
        unseen = None if self.unseen == "error" else -1 if self.unseen == "missing" else fitted.index(self.other)
        return {name: Category(self.look_up(name, column, fitted, unseen, -1, "int32"), fitted)}

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the codes into a graph."""
        made: Wires = {}
        for name, wire in columns.items():
            values = state["columns"][name]
            if self.unseen == "error":
                codes = self.known(name, wire, values, graph)
            else:
                unseen = nan if self.unseen == "missing" else float(values.index(self.other))
                codes = graph.look_up(wire, places(values), unseen=unseen, missing=nan)
            made |= graph.wires(codes, [name], "code", values)
        return made
