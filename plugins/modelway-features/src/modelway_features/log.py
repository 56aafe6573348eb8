"""Logarithm of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, ClassVar, Literal

from modelway import Columns, Graph, Wire, Wires, param
from modelway_features.columnwise import Columnwise


@dataclass(frozen=True, kw_only=True)
class Log(Columnwise, name="log"):
    """Replace x by log(1 + x), for amounts and counts whose few large values outweigh the rest.

    A negative value becomes ``missing``, ``zero``, is refused (``error``), or keeps its sign (``signed``:
    -log(1 - x)). Missing stays missing.
    """

    fitted: ClassVar[bool] = False

    negative: Literal["missing", "error", "zero", "signed"] = param("error", "What becomes of a negative value.")

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the logarithms.

        Raises:
            DataError: a value is negative, and that is to be refused.
        """
        import numpy as np

        values = self.numbers(name, column)
        below = values < 0
        if not below.any():
            return {name: np.log1p(values)}
        if self.negative == "error":
            row = int(np.flatnonzero(below)[0])
            mend = "Set the feature's 'negative' to what should happen"
            raise self.error(name, f"{values[row]} is negative", row=row, mend=mend)
        made = np.log1p(np.abs(values))
        if self.negative == "signed":
            return {name: np.copysign(made, values)}
        made[below] = 0.0 if self.negative == "zero" else np.nan
        return {name: made}

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the logarithms into a graph: one operation for all columns."""
        add, width, log1p = graph.add, len(columns), graph.arithmetic.log1p
        held, zero = graph.numbers(columns.values()), graph.constant([0.0])
        below = add("Less", held, zero, width=width)
        if self.negative == "error":
            graph.refuse(below, *(f"'{name}' is negative, and its logarithm is needed" for name in columns))
            return graph.wires(log1p(held, width), list(columns))
        made = log1p(add("Abs", held, width=width), width)
        answer = graph.constant([0.0 if self.negative == "zero" else nan])
        turned = add("Neg", made, width=width) if self.negative == "signed" else answer
        return graph.wires(add("Where", below, turned, made, width=width), list(columns))
