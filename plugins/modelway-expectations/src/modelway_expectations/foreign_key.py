"""The check ``foreign_key``: whether each key of a table is one that another table has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from modelway import ConfigError, Findings, Run, Table, param
from modelway_expectations.expectation import Expectation, other_table, require
from modelway_expectations.keys import COUNT, ROW, common_kinds, counted, key_names, named


@dataclass(frozen=True, kw_only=True)
class ForeignKey(Expectation, name="foreign_key"):
    """Checks that each key of a table occurs in another table, and reports those that do not.

    A key of which a part is missing refers to nothing, as in SQL, and passes. Memory is that of the distinct keys of
    both tables.
    """

    across: ClassVar[bool] = True

    other: str = param(..., "Label of the source that has the keys.")
    keys: dict[str, str] = param(..., "Columns of the key, and what they are called in the other table.")

    def __post_init__(self) -> None:
        if not self.keys:
            raise ConfigError("The check 'foreign_key' has no key", where="keys", mend="Write keys: {customer_id: id}")

    def check(self, table: Table, run: Run) -> Findings:
        """Compare the keys.

        Raises:
            ConfigError: there is no such source, or the keys' types can never be equal.
            DataError: a column is absent.
        """
        where = f"checks.{run.label}"
        other = other_table(self.other, run.tables, f"{where}.other")
        require(table, self.keys, f"{where}.keys")
        require(other, self.keys.values(), f"{where}.keys", f"The source '{self.other}'")
        kinds = common_kinds(table, other, self.keys, f"{where}.keys")
        mine, theirs = counted(table, list(self.keys), kinds, run), counted(other, list(self.keys.values()), kinds, run)
        keys = key_names(self.keys)
        lost = mine.join(theirs.select(keys), keys, join_type="left anti", use_threads=False).sort_by(ROW)
        if not lost.num_rows:
            return Findings((), table.rows, 1)
        column, count = ", ".join(self.keys), sum(lost[COUNT].to_pylist())
        text = f"each key is one of {self.other}; {lost.num_rows} {'are' if lost.num_rows != 1 else 'is'} not"
        samples = [named(lost, self.keys, i) for i in range(min(lost.num_rows, self.samples))]
        rows = lost[ROW].slice(0, self.samples).to_pylist()
        found = self.finding("foreign_key", column, count, text, rows=rows, samples=samples)
        return Findings((found,), table.rows, 1)
