"""Impute: fill in missing values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from modelway import Category, Columns, ConfigError, Graph, Wire, Wires, param
from modelway_features.columnwise import Columnwise, Summary
from modelway_features.moments import Moments
from modelway_features.sketch import Quantiles
from modelway_features.vocabulary import observe, ordered


@dataclass(frozen=True, kw_only=True)
class Impute(Columnwise, name="impute"):
    """Fill in missing values with a number or category fitted on the training rows, or declared.

    ``mean`` and ``median`` are for numbers; ``most_frequent`` and ``constant`` for categories too. Of equally frequent
    values the first in order is taken. The median is exact up to 100,000 distinct values; beyond, its rank is off by
    at most 0.05 % of the rows. With ``indicator``, each column gets a second one, ``<column>_missing``, 1 where its
    value was missing.
    """

    strategy: Literal["mean", "median", "most_frequent", "constant"] = param("median", "What to fill in.")
    value: float | str | None = param(None, "What the strategy 'constant' fills in.")
    indicator: bool = param(False, "Whether to add a column that says where values were missing.")

    def __post_init__(self) -> None:
        """Refuse fields that contradict each other.

        Raises:
            ConfigError: a constant without a value, or a value without use.
        """
        if (self.strategy == "constant") != (self.value is not None):
            raise ConfigError(
                f"Feature 'impute' has strategy '{self.strategy}' and value {self.value!r}",
                mend="Give a 'value' with strategy 'constant', and only there",
            )

    @property
    def fitted(self) -> bool:  # type: ignore[override]
        """Whether training rows must be seen: a constant needs none."""
        return self.strategy != "constant"

    def observe(self, name: str, column: Any) -> Summary:
        """Summarise one column.

        Raises:
            DataError: the strategy needs numbers and the column has none.
        """
        if self.strategy == "most_frequent":
            return observe(self, name, column)
        values = self.present(name, column)
        return Moments.of(values) if self.strategy == "mean" else Quantiles.of(values)

    def fit(self, name: str, summary: Any) -> Any:
        """Return what to fill in.

        Raises:
            DataError: every training row is missing.
        """
        if not (summary.counts if self.strategy == "most_frequent" else summary.rows):
            mend = "Drop the column, or use strategy 'constant'"
            raise self.error(name, "it has no value in the training rows", mend=mend)
        if self.strategy == "mean":
            return summary.mean
        if self.strategy == "median":
            return summary.quantiles((0.5,))[0]
        most = max(summary.counts.values())
        return ordered(value for value, count in summary.counts.items() if count == most)[0]

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the filled column and, where declared, its indicator."""
        import numpy as np

        filler: Any = self.value if fitted is None else fitted
        held = column.values[:1] if isinstance(column, Category) else (0.0,)
        if held and isinstance(held[0], str) != isinstance(filler, str):
            holds = "text" if isinstance(held[0], str) else "numbers"
            raise self.error(name, f"it holds {holds}, and the value to fill in is {filler!r}", mend="Change 'value'")
        made: Columns = {}
        if isinstance(column, Category):
            gone = column.codes < 0
            made[name] = _fill(column, gone, filler)
        else:
            values = self.numbers(name, column)
            gone = np.isnan(values)
            made[name] = np.where(gone, filler, values)
        if self.indicator:
            made[f"{name}_missing"] = gone.astype(np.float64)
        return made

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the filling into a graph: one operation for all columns of numbers."""
        fitted = state.get("columns", {})
        fillers = {name: fitted.get(name, self.value) for name in columns}
        numbers = {name: wire for name, wire in columns.items() if wire.kind in ("number", "truth")}
        made: Wires = {}
        if numbers:
            strange = [name for name in numbers if isinstance(fillers[name], str)]
            if strange:
                raise ConfigError(f"Column '{strange[0]}' holds numbers, and is filled with text")
            held, width = graph.numbers(numbers.values()), len(numbers)
            gone = graph.add("IsNaN", held, width=width)
            values = graph.constant([float(fillers[name]) for name in numbers])
            made |= graph.wires(graph.add("Where", gone, values, held, width=width), list(numbers))
            made |= self._indicators(gone, list(numbers), graph)
        for name, wire in columns.items():
            if name not in numbers:
                gone = graph.missing(wire)
                filled = graph.add("Where", gone, graph.constant([fillers[name]], "text"), graph.text(wire))
                made[name] = Wire(filled, kind="text")
                made |= self._indicators(gone, [name], graph)
        return made

    def _indicators(self, gone: str, names: list[str], graph: Graph) -> Wires:
        if not self.indicator:
            return {}
        cast = graph.add("Cast", gone, width=len(names), to="float64")
        return graph.wires(cast, [f"{name}_missing" for name in names])


def _fill(column: Category, gone: Any, value: Any) -> Category:
    import numpy as np

    values = column.values if value in column.values else (*column.values, value)
    return Category(np.where(gone, np.int32(values.index(value)), column.codes), values)
