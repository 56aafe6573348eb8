"""Ratio of two columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from modelway import Columns, ConfigError, Feature, Graph, Wire, Wires, nearest, param
from modelway_features.columnwise import data_error, numbers


@dataclass(frozen=True, kw_only=True)
class Ratio(Feature, name="ratio"):
    """Add the ratio of two columns, which both stay.

    A division by zero, or a result too large for a number, becomes ``missing``, is refused (``error``), or becomes a
    declared number. The ratio is missing where either column is.
    """

    fitted: ClassVar[bool] = False
    keeps_inputs: ClassVar[bool] = True

    numerator: str = param(..., "Column above the line.")
    denominator: str = param(..., "Column below the line.")
    output: str = param("", "Name of the ratio; by default <numerator>_per_<denominator>.")
    zero: Literal["missing", "error"] | float = param("missing", "What becomes of a division by zero.")

    @property
    def title(self) -> str:
        """Name of the column that is made."""
        return self.output or f"{self.numerator}_per_{self.denominator}"

    def inputs(self, available: Columns) -> tuple[str, ...]:
        """Return the two columns.

        Raises:
            ConfigError: one of them is not there.
        """
        for name in (self.numerator, self.denominator):
            if name not in available:
                raise ConfigError(f"Feature 'ratio' names column '{name}'", mend=nearest(name, available))
        return tuple(dict.fromkeys((self.numerator, self.denominator)))

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        """Return the ratio.

        Raises:
            DataError: a division by zero, where that is to be refused.
        """
        import numpy as np

        above = numbers("ratio", self.numerator, columns[self.numerator])
        below = numbers("ratio", self.denominator, columns[self.denominator])
        with np.errstate(all="ignore"):
            made = above / below
        if np.isfinite(made).all():
            return {self.title: made}
        bad = ~(np.isfinite(made) | np.isnan(above) | np.isnan(below))
        if self.zero == "error" and bad.any():
            row = int(np.flatnonzero(bad)[0])
            what = f"{self.numerator} / {self.denominator} is {above[row]:g} / {below[row]:g}"
            raise data_error("ratio", self.title, what, row=row, mend="Set the feature's 'zero' to what should happen")
        made[bad] = np.nan if isinstance(self.zero, str) else self.zero
        return {self.title: made}

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the ratio into a graph."""
        add = graph.add
        above, below = (graph.numbers([columns[name]]) for name in (self.numerator, self.denominator))
        made = add("Div", above, below)
        if self.zero == "missing":
            return {self.title: Wire(graph.arithmetic.finite_or_missing(made))}
        bad = add("Not", add("Or", graph.arithmetic.finite(made),
                             add("Or", add("IsNaN", above), add("IsNaN", below))))  # fmt: skip
        if self.zero == "error":
            graph.refuse(bad, f"{self.numerator} / {self.denominator} is no finite number")
            return {self.title: Wire(made)}
        answer = graph.constant([float(self.zero)])
        return {self.title: Wire(add("Where", bad, answer, made))}
