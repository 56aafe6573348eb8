"""One-hot encoding: one column of zeros and ones per category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from modelway import Columns, Graph, Wire, Wires, param
from modelway_features.vocabulary import Counts, Encoder, places

#: Categories of a column beyond which one column per category must be asked for.
WIDE = 1_000


@dataclass(frozen=True, kw_only=True)
class OneHot(Encoder, name="onehot"):
    """Replace a column by one of zeros and ones per category, named ``<column>_<value>``.

    An unseen value is all zeros (``ignore``), refused (``error``), or 1 in ``<column>_other`` (``other``). A missing
    value is all zeros, or 1 in ``<column>_missing``. If a category itself bears one of these two names, its column is
    used. A vocabulary of more than 1,000 values must be declared, by ``max_categories`` or ``values``.
    """

    unseen: Literal["ignore", "error", "other"] = param("ignore", "What becomes of a value not in the vocabulary.")
    missing: Literal["zeros", "column"] = param("zeros", "What becomes of a missing value.")

    def fit(self, name: str, summary: Counts) -> dict[str, Any]:
        """Return the column's vocabulary and the names of its outputs.

        Raises:
            DataError: so many values that as many columns are hardly meant.
        """
        values = self.vocabulary(summary)
        if len(values) > WIDE and self.values is None and self.max_categories is None:
            mend = "Set max_categories, or use 'category' or 'ordinal'"
            raise self.error(name, f"it has {len(values):,} values, each of which would become a column", mend=mend)
        slots = [str(value) for value in values]
        extra = [self.other] * (self.unseen == "other") + ["missing"] * (self.missing == "column")
        slots += [slot for slot in extra if slot not in slots]
        return {"values": values, "names": [f"{name}_{slot}" for slot in slots]}

    def finish(self, summary: Any) -> dict[str, Any]:
        """Fit each column.

        Raises:
            DataError: two columns of one name would be made.
        """
        state = super().finish(summary)
        made: dict[str, str] = {}
        for name, fitted in state["columns"].items():
            for output in fitted["names"]:
                if output in made:
                    raise self.error(name, f"it and '{made[output]}' would both make '{output}'", mend="Rename one")
                made[output] = name
        return state

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the columns of zeros and ones."""
        import numpy as np

        values, names = fitted["values"], fitted["names"]
        other, gone = -1, -1
        if self.unseen == "other":
            other = names.index(f"{name}_{self.other}")
        if self.missing == "column":
            gone = names.index(f"{name}_missing")
        slots = self.look_up(name, column, values, None if self.unseen == "error" else other, gone, "int64")
        # One row of the matrix per output, so that each output is contiguous; -1 writes to the row that is left out.
        made = np.zeros((len(names) + 1, len(slots)))
        made[slots, np.arange(len(slots))] = 1.0
        return dict(zip(names, made, strict=False))

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the columns of zeros and ones into a graph: one operation for each column of categories."""
        made: Wires = {}
        for name, wire in columns.items():
            values, names = state["columns"][name]["values"], state["columns"][name]["names"]
            gone = float(names.index(f"{name}_missing")) if self.missing == "column" else -1.0
            if self.unseen == "error":
                slots = self.known(name, wire, values, graph, gone)
            else:
                other = float(names.index(f"{name}_{self.other}")) if self.unseen == "other" else -1.0
                slots = graph.look_up(wire, places(values), unseen=other, missing=gone)
            if names:
                held = graph.add("Equal", slots, graph.constant([float(slot) for slot in range(len(names))]))
                made |= graph.wires(graph.add("Cast", held, to="float64"), names)
        return made
