"""The writer ``sql``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from modelway import DataError, Run, Table, Writer, nearest, param, secret
from modelway_sql.database import Database


@dataclass(frozen=True, kw_only=True)
class SqlWriter(Writer, name="sql"):
    """Writes predictions into a table of a database, all of them or none.

    The table is made where it is not there. ``append`` adds rows, ``replace`` puts them in the place of those that are
    there. With ``run_column`` each row says which run wrote it, and rows that the same run wrote before are replaced,
    so that a job that is repeated writes nothing twice.
    """

    libraries = ("sqlalchemy",)

    url: str = secret("What holds the URL of the database: env:NAME or file:PATH.")
    file: str = param("", "SQLite file in place of a URL; its path starts from the workspace.")
    table: str = param(..., "Table to write, such as scores or shop.scores.")
    mode: Literal["append", "replace"] = param("append", "Whether rows are added, or replace those that are there.")
    run_column: str = param("", "Column to write the run's id into; empty means none.")

    def write(self, predictions: Table, run: Run) -> str:
        """Write the rows; returns where they are.

        Raises:
            DataError: the database is not there, refuses the rows, or its table lacks a column of theirs.
        """
        from sqlalchemy import MetaData, delete, insert

        database = Database.of(self.url, self.file, run)
        written = 0
        with database.open(write=True) as connection:
            target = self._target(connection, predictions, MetaData(), database)
            if self.mode == "replace":
                connection.execute(delete(target))
            elif self.run_column:
                connection.execute(delete(target).where(target.c[self.run_column] == run.id))
            for batch in predictions.scan():
                rows = batch.to_pylist()
                if self.run_column:
                    rows = [{**row, self.run_column: run.id} for row in rows]
                connection.execute(insert(target), rows)
                written += len(rows)
                run.progress("rows", written, predictions.rows)
        return f"{database.shown}, table {self.table}: {written} rows"

    def _target(self, connection: Any, predictions: Table, metadata: Any, database: Database) -> Any:
        from sqlalchemy import Column, String, inspect
        from sqlalchemy import Table as Target

        schema, _, name = self.table.rpartition(".")
        wanted = [*predictions.names, *([self.run_column] if self.run_column else [])]
        if inspect(connection).has_table(name, schema or None):
            target = Target(name, metadata, schema=schema or None, autoload_with=connection)
            absent = next((column for column in wanted if column not in target.c), None)
            if absent is not None:
                raise DataError(
                    f"The table '{self.table}' has no column '{absent}'",
                    where=database.shown,
                    mend=nearest(absent, target.c.keys()),
                )
            return target
        columns = [Column(column, _type(kind)) for column, kind in predictions.columns]
        if self.run_column:
            columns.append(Column(self.run_column, String(64), index=True))
        target = Target(name, metadata, *columns, schema=schema or None)
        metadata.create_all(connection)
        return target


def _type(kind: str) -> Any:
    """Return SQLAlchemy's type of an arrow type's name."""
    from sqlalchemy import BigInteger, Boolean, Date, DateTime, Double, Text

    if kind.startswith(("int", "uint")):
        return BigInteger()
    if kind in ("float", "double", "halffloat"):
        return Double()
    if kind == "bool":
        return Boolean()
    if kind.startswith("timestamp"):
        return DateTime(timezone="tz=" in kind)
    return Date() if kind.startswith("date") else Text()
