"""The source ``sql``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from modelway import ConfigError, DataError, Part, Run, Source, Table, param, secret
from modelway_sql.asking import Asking
from modelway_sql.database import Database
from modelway_sql.ranges import Ranges


@dataclass(frozen=True, kw_only=True)
class Sql(Source, name="sql"):
    """The rows of a table or a query of a database, streamed, at any URL that SQLAlchemy knows.

    ``url`` names what holds the URL, an environment variable or a file; an SQLite ``file`` needs none. All reads of a
    load see the database at one moment. Columns get the types that the schema declares, and undeclared ones those of
    the first 65,536 rows; decimals become numbers, times UTC.

    A plan tells whether the rows changed without loading them, in the first way of these that applies:

    - ``version_query``: a query of one row, such as ``select count(*), max(updated) from payments``. It is trusted.
    - ``increment``: the number of rows and the smallest and largest value of that column. Rows that are changed in
      place are not noticed.
    - an SQLite file without ``increment``: the file's content, which is not read again while its time and size stay.
    - otherwise every plan reads the whole result and hashes it: exact, and as slow as the query. Without an order, the
      same rows in another order count as changed.

    With ``increment`` rows are read in ranges of ``every`` days (of a date or time) or numbers, each a part of the
    table. A range with as many rows and the same largest value as in an earlier run is taken from there; only
    what came in is read. Rows that lack the increment are refused, since no range would hold them.
    """

    libraries = ("pyarrow", "sqlalchemy")

    url: str = secret("What holds the URL of the database: env:NAME or file:PATH.")
    file: str = param("", "SQLite file in place of a URL; its path starts from the workspace.")
    table: str = param("", "Table or view to read, such as payments or shop.payments; or else a query.")
    query: str = param("", "Query to read.")
    parameters: dict[str, str | int | float | bool] = param(
        {}, "Values of the query's parameters, written :name there."
    )
    order_by: tuple[str, ...] = param((), "Columns that put the rows in order; by default a table's primary key.")
    version_query: str = param("", "Query of one row that changes whenever the rows do.")
    increment: str = param(
        "", "Column of whole numbers, dates or times by which rows come in, to read what is new only."
    )
    every: int = param(7, "Length of a range of the increment column: days, or numbers.", at_least=1)
    since: str | int | None = param(None, "First day or number of the increment column to take; null means the first.")
    until: str | int | None = param(None, "Last day or number of the increment column to take; null means the last.")

    def __post_init__(self) -> None:
        if bool(self.table) == bool(self.query):
            raise ConfigError("The source 'sql' reads either a table or a query", where="source.table, source.query")
        if not self.increment and (self.since is not None or self.until is not None):
            raise ConfigError("A range needs the column that it is of", where="source.increment")

    def version(self, run: Run) -> str:
        """Identify the rows; see the class for what each way costs.

        Raises:
            DataError: the database or table is not there, or refuses the query.
        """
        database = Database.of(self.url, self.file, run)
        if not self.version_query and not self.increment and database.file is not None:
            return self._of_file(database, run)
        with database.open() as connection:
            asking = self._asking(connection)
            if self.version_query:
                row = asking.one(self.version_query)
                return f"{database.label}: {', '.join(map(str, row))}"
            if self.increment:
                ranges, low, high = self._range(asking)
                found = asking.extent(*(None if edge is None else ranges.bound(edge) for edge in (low, high)))
                return f"{database.label}: {', '.join(map(str, found))}"
            state = hashlib.sha256()
            for names, rows in asking.rows():
                state.update(repr(names).encode())
                for row in rows:
                    state.update(repr(tuple(row)).encode())
            return state.hexdigest()

    def load(self, run: Run) -> Table:
        """Load the rows.

        Raises:
            DataError: as ``version``; no rows; a value that is not of its declared type.
        """
        database = Database.of(self.url, self.file, run)
        about = {"database": database.label, "table": self.table or "query"}
        with database.open() as connection:
            asking = self._asking(connection)
            table = (
                self._increments(asking, database, run, about) if self.increment else self._whole(asking, run, about)
            )
        if not table.rows:
            raise DataError("The query gives no rows", where=f"{database.shown}, {self.table or 'source.query'}")
        return table

    def _asking(self, connection: Any) -> Asking:
        return Asking(connection, self.query, self.table, self.parameters, self.order_by, self.increment)

    @staticmethod
    def _of_file(database: Database, run: Run) -> str:
        file = database.file
        assert file is not None
        if not file.is_file():
            raise DataError(
                "The database is not there", where=database.shown, mend="The path starts from the workspace"
            )
        log = Path(f"{file}-wal")  # what was committed and not yet moved into the file
        return " ".join(run.digest(path) for path in (file, log) if path.is_file() and path.stat().st_size)

    @staticmethod
    def _whole(asking: Asking, run: Run, about: dict[str, Any]) -> Table:
        def shown() -> Any:
            done, known = 0, dict[str, Any]()
            for table in asking.tables(run, known):
                yield table
                done += table.num_rows
                run.progress("rows", done)

        return run.table(shown(), about)

    def _range(self, asking: Asking) -> tuple[Ranges, int | None, int | None]:
        count, low, _ = asking.extent()
        ranges = Ranges(low, self.every, self.increment)
        if not count or low is None:
            return Ranges(0, self.every, self.increment), None, None
        first = None if self.since is None else ranges.edge(self.since, "since")
        behind = None if self.until is None else ranges.edge(self.until, "until") + 1
        if first is not None and behind is not None and first >= behind:
            raise ConfigError(f"The range ends at {self.until}, before it begins at {self.since}", where="source.until")
        return ranges, first, behind

    def _increments(self, asking: Asking, database: Database, run: Run, about: dict[str, Any]) -> Table:
        unplaced = asking.unplaced()
        if unplaced:
            raise DataError(
                f"The increment '{self.increment}' is missing in {unplaced} rows",
                where=database.shown,
                mend="Leave them out in the query, or fill the column",
            )
        ranges, first, behind = self._range(asking)
        edges = (None if edge is None else ranges.bound(edge) for edge in (first, behind))
        count, low, high = asking.extent(*edges)
        spans = list(ranges.cut(ranges.place(low), ranges.place(high), first, behind)) if count else []
        columns: list[list[str]] = []
        parts: list[Part] = []
        known: dict[str, Any] = {}
        read = filled = 0
        for done, span in enumerate(spans, 1):
            found, fresh = self._piece(asking, database, run, known, *span)
            if found is not None:
                columns = columns or found["columns"]
                _agree(columns, found["columns"])
                parts += [Part(*part) for part in found["parts"]]
                read, filled = read + fresh, filled + 1
            run.progress("ranges", done, len(spans))
        run.log("ranges", {"read": read, "reused": filled - read})
        return Table(tuple((name, kind) for name, kind in columns), tuple(parts), run.blobs, about)

    def _piece(
        self, asking: Asking, database: Database, run: Run, known: dict[str, Any], low: Any, high: Any
    ) -> tuple[dict[str, Any] | None, bool]:
        """Return what a range of rows became, or None where it holds none, and whether it was read now."""
        extent = asking.extent(low, high)
        if not extent[0]:
            return None, False
        types = {name: column.type for name, column in run.schema.columns.items()}
        asked = [self.table, self.query, self.parameters, list(self.order_by), self.increment, types]
        facts = json.dumps([database.shown, asked, str(low), str(high), list(map(str, extent)), _code()])
        key = hashlib.sha256(f"modelway-sql\0{facts}".encode()).hexdigest()
        found: dict[str, Any] | None = run.recall(key)
        if found is not None and all(run.blobs.has(digest, size) for digest, _, size in found["parts"]):
            return found, False
        table = run.table(asking.tables(run, known, low, high))
        found = {
            "columns": [list(c) for c in table.columns],
            "parts": [[p.digest, p.rows, p.bytes] for p in table.parts],
        }
        run.remember(key, found)
        return found, True


def _agree(first: list[list[str]], found: list[list[str]]) -> None:
    was = {column[0]: column[1] for column in first}
    for name, kind in found:
        if was.get(name) != kind:
            raise DataError(
                f"Column '{name}' is {kind} in one range and {was.get(name, 'absent')} in another",
                mend=f"Declare '{name}' in the schema, or cast it in the query",
            )


@cache
def _code() -> str:
    """Return the digest of this package's code: what other code made of a range is not taken for its own."""
    state = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        state.update(path.read_bytes())
    return state.hexdigest()
