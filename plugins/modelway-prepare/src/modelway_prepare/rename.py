"""Other names for columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway import Columns, ConfigError, DataError, Graph, RowPreparer, Run, Table, Wire, Wires, param
from modelway_prepare.tables import changed, require

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Rename(RowPreparer, name="rename"):
    """Give columns other names, in place; the others keep theirs.

    The step travels with the model into services; there, a request has the declared names already, and columns of
    either name are taken.
    """

    columns: dict[str, str] = param(..., "New name of each column, by its old name.")

    def __post_init__(self) -> None:
        if not self.columns:
            raise ConfigError("The step 'rename' has no column to rename", where="columns")
        new = list(self.columns.values())
        for old, name in self.columns.items():
            if new.count(name) > 1:
                raise ConfigError(f"Several columns would be named '{name}'", where=f"columns.{old}")
            if name in self.columns:
                raise ConfigError(
                    f"'{name}' is a new name and an old one: which is which could not be told in a service",
                    where=f"columns.{old}",
                    mend="Choose a name that no column has had",
                )

    def apply(self, columns: Columns) -> Columns:
        """Return the columns by their new names, in their old places."""
        return {self.columns.get(name, name): column for name, column in columns.items()}

    def to_onnx(self, columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Name the columns of a graph anew."""
        return {self.columns.get(name, name): wire for name, wire in columns.items()}

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Rename the columns of every part.

        Raises:
            DataError: a column is absent, or the table has one of a new name already.
        """
        table = tables["table"]
        require(table, self.columns, "columns")
        for old, name in self.columns.items():
            if name in table.names:
                raise DataError(f"The table has a column '{name}' already", where=f"columns.{old}")

        def change(batch: pa.Table) -> tuple[pa.Table, Mapping[str, int]]:
            return batch.rename_columns([self.columns.get(name, name) for name in batch.column_names]), {}

        return changed(table, change, run)
