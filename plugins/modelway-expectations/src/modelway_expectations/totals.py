"""The check ``totals``: whether a table's sums are those that another table says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from modelway import ConfigError, Findings, Run, Table, param
from modelway_expectations.expectation import Expectation, other_table, require
from modelway_expectations.keys import COUNT, ROW, SUM, common_kinds, counted, key_names, named

#: Share of both sums that rounding may make up.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Totals(Expectation, name="totals"):
    """Checks that a column's sum per key equals what another table says of that key.

    Each key of the other table is looked at: one that has no rows here sums to nothing. A key that the other table does
    not have is ``foreign_key``'s affair. Of a key that occurs several times in the other table, its values are summed
    too; where all of them are missing, there is nothing to compare with. Memory is that of the distinct keys.
    """

    across: ClassVar[bool] = True

    column: str = param(..., "Column that is summed.")
    other: str = param(..., "Label of the source that says the totals.")
    equals: str = param(..., "The other table's column that says the total.")
    keys: dict[str, str] = param(..., "Columns of the key, and what they are called in the other table.")
    tolerance: float = param(0.0, "Largest difference allowed, beside rounding, in the column's unit.", at_least=0)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ConfigError("The check 'totals' has no key", where="keys", mend="Write keys: {order_id: id}")

    def check(self, table: Table, run: Run) -> Findings:
        """Compare the sums.

        Raises:
            ConfigError: there is no such source, or the keys' types can never be equal.
            DataError: a column is absent, or cannot be summed.
        """
        import numpy as np
        import pyarrow.compute as pc

        where = f"checks.{run.label}"
        other = other_table(self.other, run.tables, f"{where}.other")
        whose = f"The source '{self.other}'"
        require(table, [self.column, *self.keys], where)
        require(other, [self.equals, *self.keys.values()], where, whose)
        for held, name in ((table, self.column), (other, self.equals)):
            kind = dict(held.columns)[name]
            if not kind.startswith(("int", "uint", "float", "double", "half", "decimal", "bool", "null")):
                raise ConfigError(f"Column '{name}' is held as {kind}, and cannot be summed", where=where)
        kinds = common_kinds(table, other, self.keys, f"{where}.keys")
        mine = counted(table, list(self.keys), kinds, run, value=self.column)
        theirs = counted(other, list(self.keys.values()), kinds, run, value=self.equals)
        theirs = theirs.rename_columns({ROW: "place", SUM: "total", COUNT: "times"})
        both = theirs.join(mine, key_names(self.keys), join_type="left outer", use_threads=False).sort_by("place")
        both = both.filter(pc.is_valid(both["total"]))
        total, summed = both["total"].to_numpy(), both[SUM].fill_null(0).to_numpy()
        slack = self.tolerance + _ROUNDING * (np.abs(total) + np.abs(summed))
        odd = np.flatnonzero(~(np.abs(summed - total) <= slack))
        if not len(odd):
            return Findings((), table.rows, 1)
        rows = [row for row in both[ROW].take(odd[: self.samples]).to_pylist() if row is not None]
        samples = [f"{named(both, self.keys, i)}: {summed[i]:.10g}, not {total[i]:.10g}" for i in odd[: self.samples]]
        text = f"the sum per {', '.join(self.keys)} is '{self.equals}' of {self.other}"
        found = self.finding("totals", self.column, len(odd), text, unit="keys", rows=rows, samples=samples)
        return Findings((found,), table.rows, 1)
