"""Derived columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import (
    Category,
    Columns,
    ConfigError,
    DataError,
    Graph,
    RowPreparer,
    Run,
    Table,
    Wire,
    Wires,
    from_arrow,
    length,
    nearest,
    param,
    to_arrow,
)
from modelway_prepare.evaluate import evaluate, parsed
from modelway_prepare.tables import account

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Derive(RowPreparer, name="derive"):
    """Add columns computed row by row from others.

    Expressions are computed in order, and may use columns derived before them. A comparison gives a boolean column,
    arithmetic float64, a difference of times seconds, and ``where(hour < 12, 'am', 'pm')`` text. A derived column of an
    existing name takes its place. The step travels with the model into services; there, a column whose inputs are not
    in the request, such as one made from the target, is left out.

    A result that is infinite is an error in training, and missing in a service: guard a division by
    ``where(b == 0, 0, a / b)``. A result without a value (``0 / 0``, ``log(-1)``) is missing in both.
    """

    columns: dict[str, str] = param(..., "Expression of each derived column, by its name.")

    def __post_init__(self) -> None:
        if not self.columns:
            raise ConfigError("The step 'derive' has no column to derive", where="columns")
        for name, text in self.columns.items():
            parsed(text, f"columns.{name}")

    def apply(self, columns: Columns) -> Columns:
        """Return the columns with the derived ones; those that lack an input are left out."""
        import numpy as np

        made, rows = dict(columns), length(columns)
        for name, text in self.columns.items():
            expression = parsed(text, f"columns.{name}")
            if all(column in made for column in expression.columns):
                column = evaluate(expression, made, rows)
                if not isinstance(column, Category) and column.dtype.kind == "f":
                    column = np.where(np.isinf(column), np.nan, column)
                made[name] = column
        return made

    def to_onnx(self, columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the expressions into a graph; those that lack an input are left out."""
        made = dict(columns)
        for name, text in self.columns.items():
            expression = parsed(text, f"columns.{name}")
            if not all(column in made for column in expression.columns):
                continue
            read = {column: made[column] for column in expression.columns}
            truths = {n: Wire(graph.numbers([wire])) for n, wire in read.items() if wire.kind == "truth"}
            found = graph.formula(expression, read | truths)
            if found.kind == "number":
                found = Wire(graph.arithmetic.finite_or_missing(found.tensor))
            made[name] = found
        return made

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Add the columns to every batch; the others are passed on untouched.

        Raises:
            DataError: an input column is absent, cannot be used as the expression does, or gives an infinite result.
        """
        table = tables["table"]
        inputs = self._inputs(table)

        def change(batch: pa.Table) -> pa.Table:
            import pyarrow as pa

            made = self._strict(from_arrow(batch.select(inputs)))
            added = to_arrow(made)
            for name in made:
                column = added.column(name)
                if pa.types.is_dictionary(column.type):
                    column = column.cast(pa.string())
                place = batch.column_names.index(name) if name in batch.column_names else None
                batch = batch.append_column(name, column) if place is None else batch.set_column(place, name, column)
            return batch

        result = table.map(change, run)
        account(run, table.rows, result.rows)
        return result

    def _inputs(self, table: Table) -> list[str]:
        known, inputs = set(table.names), dict[str, None]()
        for name, text in self.columns.items():
            for column in parsed(text, f"columns.{name}").columns:
                if column not in known:
                    raise DataError(
                        f"The derived column '{name}' needs column '{column}', which the table does not have",
                        where=f"columns.{name}",
                        mend=nearest(column, known),
                    )
                if column in table.names:
                    inputs[column] = None
            known.add(name)
        return list(inputs)

    def _strict(self, columns: Columns) -> Columns:
        """Return the derived columns alone, refusing infinite results."""
        import numpy as np

        made, rows = dict(columns), length(columns)
        for name, text in self.columns.items():
            expression = parsed(text, f"columns.{name}")
            column = evaluate(expression, made, rows)
            if not isinstance(column, Category) and column.dtype.kind == "f":
                infinite = np.flatnonzero(np.isinf(column))
                if len(infinite):
                    given = ", ".join(f"{key} = {_value(made[key], infinite[0])}" for key in expression.columns)
                    raise DataError(
                        f"The derived column '{name}' is infinite in {len(infinite)} of {rows} rows,"
                        f" for example where {given}: '{text}'",
                        where=f"columns.{name}",
                        mend="Guard the division, as in where(b == 0, 0, a / b), or drop those rows first",
                    )
            made[name] = column
        return {name: made[name] for name in self.columns}


def _value(column: Any, row: int) -> Any:
    return column.objects()[row] if isinstance(column, Category) else column[row].item()
