"""Derived columns, by declared arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, ClassVar, Literal

from modelway import Columns, ConfigError, Expression, Feature, Graph, Wire, Wires, length, missing, nearest, param
from modelway_features.columnwise import data_error


@dataclass(frozen=True, kw_only=True)
class Derive(Feature, name="derive"):
    """Add columns computed by declared expressions; the columns that they read stay.

    An expression may use the others' columns, in whatever order they are written; its own name there means the column
    of that name in the table. Comparisons give 1 and 0, where a missing value equals nothing; the difference of two
    times is in seconds. A result that is no finite number although nothing it was computed from is missing (a division
    by zero, the logarithm of a negative number) becomes ``missing``, or is refused (``error``).
    """

    fitted: ClassVar[bool] = False
    keeps_inputs: ClassVar[bool] = True

    columns: dict[str, str] = param(..., "Expressions by the name of the column that each makes.")
    non_finite: Literal["missing", "error"] = param("missing", "What becomes of a result that is no finite number.")

    def __post_init__(self) -> None:
        """Parse every expression.

        Raises:
            ConfigError: an expression does not parse, reads no column, or needs its own result.
        """
        _ordered(self.columns)

    def inputs(self, available: Columns) -> tuple[str, ...]:
        """Return the columns that the expressions read.

        Raises:
            ConfigError: one of them is not there.
        """
        found: dict[str, None] = {}
        for name, expression in _ordered(self.columns).items():
            for needed in expression.columns:
                if needed in self.columns and needed != name:
                    continue
                if needed not in available:
                    raise ConfigError(
                        f"Feature 'derive' needs column '{needed}' for '{name}'", mend=nearest(needed, available)
                    )
                found[needed] = None
        return tuple(found)

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        """Return the derived columns as float64.

        Raises:
            DataError: a result is no finite number, where that is to be refused, or no number at all.
        """
        known, made, rows = dict(columns), {}, length(columns)
        for name, expression in _ordered(self.columns).items():
            known[name] = made[name] = self._finite(name, _number(name, expression(known), rows), expression, known)
        return made

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the expressions into a graph."""
        known, made = dict(columns), {}
        for name, expression in _ordered(self.columns).items():
            found = graph.numbers([graph.formula(expression, known)], f"the result of '{expression.text}'")
            if self.non_finite == "error":
                bad = graph.add("Not", graph.arithmetic.finite(found))
                for read in expression.columns:
                    bad = graph.add("And", bad, graph.add("Not", graph.missing(known[read])))
                graph.refuse(bad, f"'{expression.text}' gives no finite number")
            made[name] = known[name] = Wire(graph.arithmetic.finite_or_missing(found))
        return made

    def _finite(self, name: str, values: Any, expression: Expression, known: Columns) -> Any:
        import numpy as np

        finite = np.isfinite(values)
        if finite.all():
            return values
        bad = ~finite
        for read in expression.columns:
            bad &= ~missing(known[read])
        if self.non_finite == "error" and bad.any():
            row = int(np.flatnonzero(bad)[0])
            what = f"'{expression.text}' gives no finite number"
            raise data_error("derive", name, what, row=row, mend="Set 'non_finite: missing', or mend the expression")
        return np.where(finite, values, np.nan)


def _ordered(columns: Mapping[str, str]) -> Mapping[str, Expression]:
    """Return the parsed expressions, each after those that it needs: by name, since a mapping's order is no promise."""
    return _parsed(tuple(sorted(columns.items())))


@lru_cache(maxsize=256)
def _parsed(columns: tuple[tuple[str, str], ...]) -> Mapping[str, Expression]:
    found = {name: Expression(text, where=f"feature derive, column {name}") for name, text in columns}
    for name, expression in found.items():
        if not expression.columns:
            raise ConfigError(f"Feature 'derive' makes '{name}' of '{expression.text}', which reads no column")
    needs = {name: [n for n in found if n in expression.columns and n != name] for name, expression in found.items()}
    try:
        return {name: found[name] for name in TopologicalSorter(needs).static_order()}
    except CycleError as error:
        raise ConfigError(f"The columns of feature 'derive' need each other: {' of '.join(error.args[1])}") from None


def _number(name: str, result: Any, rows: int) -> Any:
    import numpy as np

    found = np.asarray(result)
    if found.dtype.kind == "m":
        found = found / np.timedelta64(1, "s")
    try:
        if found.dtype.kind not in "fiubO":
            raise TypeError
        found = found.astype(np.float64)
    except (TypeError, ValueError):
        mend = "Compare it with a value, or use 'dateparts' or an encoder"
        raise data_error("derive", name, "its expression does not give numbers", mend=mend) from None
    return found if found.shape else np.full(rows, found)
