"""One row of each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from modelway import ConfigError, DataError, Preparer, Run, Table, param
from modelway_prepare.tables import account, kept, require


@dataclass(frozen=True, kw_only=True)
class Deduplicate(Preparer, name="deduplicate"):
    """Keep one row of each key, and account for the others.

    The row that is kept is the first or the last in the table's order, or, with ``by``, the one with the smallest or
    largest value; of equal ones it is the first or last in the table again, and a row whose ``by`` is missing is kept
    only where there is no other. Missing keys are equal to each other. The rows that stay keep their order.
    """

    keys: tuple[str, ...] = param(..., "Columns whose values together occur once.")
    keep: Literal["first", "last"] = param("first", "Which row of a key is kept.")
    by: str | None = param(None, "Column that says which row is first, such as a time; the table's order without it.")
    at_most: float = param(1.0, "Largest share of rows that may be dropped.", at_least=0, at_most=1)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ConfigError("The step 'deduplicate' has no key", where="keys")

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Drop the rows that repeat a key; the keys and ``by`` are read whole.

        Raises:
            DataError: a column is absent, or more rows repeat a key than may be dropped.
        """
        import numpy as np

        from modelway_prepare.keys import encoded, sample

        table = tables["table"]
        require(table, self.keys, "keys")
        require(table, [self.by] if self.by else [], "by")
        columns = table.arrow([*self.keys, *([self.by] if self.by else [])])
        keys = [columns.column(name) for name in self.keys]
        codes, _ = encoded(keys)
        order = np.arange(len(codes)) if self.by is None else _order(columns.column(self.by), self.keep)
        if self.keep == "last":
            order = order[::-1]
        keep = np.zeros(len(codes), bool)
        keep[order[np.unique(codes[order], return_index=True)[1]]] = True
        dropped = int((~keep).sum())
        if dropped > self.at_most * len(codes):
            raise DataError(
                f"{dropped} of {len(codes)} rows repeat a key, more than the share of {self.at_most:g} that may be"
                f" dropped, for example {sample(keys, self.keys, np.flatnonzero(~keep)[:3])}",
                where="at_most",
            )
        result = kept(table, keep, run)
        account(run, table.rows, result.rows, dropped={"duplicate": dropped})
        return result


def _order(column: Any, keep: str) -> Any:
    """Return the rows in order of a column, stably; missing ones at the end that is not kept."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    held, gone = np.flatnonzero(column.is_valid()), np.flatnonzero(column.is_null())
    table = pa.table({"by": column.filter(column.is_valid()), "row": held})
    rows = held[pc.sort_indices(table, [("by", "ascending"), ("row", "ascending")]).to_numpy()]
    return np.concatenate([rows, gone] if keep == "first" else [gone, rows])
