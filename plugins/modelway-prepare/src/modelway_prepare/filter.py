"""Rows to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import Category, ConfigError, DataError, Preparer, Run, Table, from_arrow, nearest, param
from modelway_prepare.evaluate import evaluate, parsed
from modelway_prepare.tables import account

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Filter(Preparer, name="filter"):
    """Keep the rows for which an expression is true, and log how many were dropped.

    A comparison with a missing value is not true: write ``isnull(x) or x > 0`` to keep those rows. The step is not part
    of the model: a service scores every row that it is asked for. Parts that lose no row are kept as they are.
    """

    keep: str = param(..., "Expression that is true of the rows to keep.")

    def __post_init__(self) -> None:
        parsed(self.keep, "keep")

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Drop the other rows.

        Raises:
            DataError: a column is absent, the expression says neither true nor false, or no row is kept.
        """
        table, expression = tables["table"], parsed(self.keep, "keep")
        for name in expression.columns:
            if name not in table.names:
                raise DataError(
                    f"The filter '{self.keep}' needs column '{name}', which the table does not have",
                    where="keep",
                    mend=nearest(name, table.names),
                )
        names = list(expression.columns)

        def mask(batch: pa.Table) -> Any:
            kept = evaluate(expression, from_arrow(batch.select(names)), batch.num_rows)
            if isinstance(kept, Category) or kept.dtype.kind != "b":
                raise ConfigError(
                    f"The filter '{self.keep}' gives values that are neither true nor false",
                    where="keep",
                    mend="Write a comparison, such as x > 0",
                )
            return kept

        def change(part: Table) -> Table:
            if all(mask(batch).all() for batch in part.scan(names)):
                return part
            import pyarrow as pa

            return run.table(batch.filter(pa.array(mask(batch))) for batch in part.scan())

        made = [part for one in run.map(change, [table.only([p]) for p in table.parts]) for part in one.parts]
        result = table.only([part for part in made if part.rows])
        account(run, table.rows, result.rows, dropped={self.keep: table.rows - result.rows})
        if not result.rows:
            raise DataError(f"The filter '{self.keep}' keeps none of {table.rows} rows", where="keep")
        return result
