"""One row per group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway import ConfigError, DataError, Preparer, Run, Table, nearest, param
from modelway_prepare.tables import account, require

if TYPE_CHECKING:
    import pyarrow as pa

#: Our names of functions, and arrow's.
FUNCTIONS = {
    "count": "count", "sum": "sum", "mean": "mean", "min": "min", "max": "max", "std": "stddev",
    "nunique": "count_distinct", "first": "first", "last": "last",
}  # fmt: skip
_NUMBERS = ("int", "uint", "float", "double", "half", "bool", "decimal")
#: A name that no column is likely to have.
_GROUP = "\0group"
_NUMERIC = ("sum", "mean", "std")


@dataclass(frozen=True, kw_only=True)
class Aggregate(Preparer, name="aggregate"):
    """Make one row per group, of counts, sums, means and the like of its rows.

    Functions are ``count``, ``sum``, ``mean``, ``min``, ``max``, ``std`` (of a sample), ``nunique``, ``first`` and
    ``last`` (in the table's order), as in ``spent: sum(amount)``; ``count()`` counts rows, all others leave missing
    values out, and a function of no value but a count is missing. Groups stand in order of their first row. Rows whose
    group is missing are a group of their own, so that none is lost. Columns that are not asked for are left out.
    """

    libraries = ("pyarrow",)

    by: tuple[str, ...] = param(..., "Columns whose values together name a group.")
    columns: dict[str, str] = param(..., "Function of each column to make, by its name: sum(amount), count().")

    def __post_init__(self) -> None:
        if not self.by:
            raise ConfigError("The step 'aggregate' has no group", where="by")
        for name in self.columns:
            _parsed(self.columns[name], f"columns.{name}")
            if name in self.by:
                raise ConfigError(f"'{name}' is a group already", where=f"columns.{name}")

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Aggregate; the columns that are needed are read whole.

        Raises:
            DataError: a column is absent, or a function cannot be computed of its type.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        from modelway_prepare.keys import encoded

        table = tables["table"]
        require(table, self.by, "by")
        asked = {name: _parsed(text, f"columns.{name}") for name, text in self.columns.items()}
        for name, (function, column) in asked.items():
            require(table, [column] if column else [], f"columns.{name}")
            kind = dict(table.columns)[column] if column else ""
            if function in _NUMERIC and not kind.startswith(_NUMBERS):
                raise DataError(
                    f"'{function}({column})' needs numbers, and the column holds {kind}",
                    where=f"columns.{name}",
                    mend="Cast it to number first",
                )
        whole = _plain(table.arrow([*self.by, *dict.fromkeys(c for _, c in asked.values() if c)]))
        options = {"std": pc.VarianceOptions(ddof=1, min_count=2), "sum": pc.ScalarAggregateOptions(min_count=1)}
        todo = [
            (column, FUNCTIONS[function], options.get(function)) if column else ([], "count_all", None)
            for function, column in asked.values()
        ]
        codes, _ = encoded([whole.column(name) for name in self.by])
        rows = pa.array(np.unique(codes, return_index=True)[1])
        # One thread: otherwise sums are taken in the order of chance.
        grouped = pa.TableGroupBy(whole.append_column(_GROUP, pa.array(codes)), _GROUP, use_threads=False)
        made = grouped.aggregate(todo).sort_by(_GROUP)
        columns = {name: whole.column(name).take(rows) for name in self.by}
        for name, (function, column) in asked.items():
            columns[name] = made.column(f"{column}_{FUNCTIONS[function]}" if column else "count_all")
        result = run.table([pa.table(columns)])
        account(run, table.rows, result.rows, dropped={"grouped": table.rows - result.rows})
        return result


def _parsed(text: str, where: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*(\w+)\s*\(\s*(.*?)\s*\)\s*", text)
    if found is None:
        raise ConfigError(f"'{text}' is no function of a column", where=where, mend="Write it as in sum(amount)")
    function, column = found[1], found[2].strip("`")
    if function not in FUNCTIONS:
        raise ConfigError(f"There is no function '{function}'", where=where, mend=nearest(function, FUNCTIONS))
    if not column and function != "count":
        raise ConfigError(f"'{function}' needs a column to be of", where=where)
    return function, column


def _plain(table: pa.Table) -> pa.Table:
    """Return a table in one chunk, with NaN as missing: neither chunks nor NaN may shape a result."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, name in enumerate(table.column_names):
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        elif pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        table = table.set_column(place, name, column)
    return table.combine_chunks()
