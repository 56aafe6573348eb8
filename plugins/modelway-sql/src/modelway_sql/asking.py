"""The statements that a source asks: all rows in order, a range of them, and what identifies them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import DataError, Run
from modelway_sql.kinds import typed

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

#: Rows of a chunk. Fixed, since it shapes the parts that are written.
ROWS = 65_536


@dataclass(frozen=True)
class Asking:
    """A declared query on an open connection.

    Attributes:
        connection: The connection.
        query: The query, or empty.
        table: The table, where there is no query.
        parameters: Values of the query's named parameters.
        order_by: Columns that put the rows in order.
        increment: Column by whose ranges rows are read, or empty.
    """

    connection: Connection
    query: str
    table: str
    parameters: Mapping[str, Any]
    order_by: Sequence[str]
    increment: str

    def _quoted(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote(name)

    @property
    def _rows(self) -> str:
        if self.query:
            return f"({self.query.strip().rstrip(';')}) AS modelway_rows"
        return ".".join(self._quoted(piece) for piece in self.table.split("."))

    def _order(self) -> list[str]:
        from sqlalchemy import inspect

        if self.order_by or self.query:
            return list(self.order_by)
        schema, _, name = self.table.rpartition(".")
        return list(inspect(self.connection).get_pk_constraint(name, schema or None)["constrained_columns"])

    def one(self, query: str) -> tuple[Any, ...]:
        """Return the only row of a query.

        Raises:
            DataError: it gives another number of rows.
        """
        from sqlalchemy import text

        rows = self.connection.execute(text(query), self._bound(query)).fetchmany(2)
        if len(rows) != 1:
            raise DataError(f"The query gives {len(rows) or 'no'} rows and must give one", where="source.version_query")
        return tuple(rows[0])

    def _bound(self, query: str) -> dict[str, Any]:
        from sqlalchemy import text

        return {name: value for name, value in self.parameters.items() if name in text(query).compile().params}

    def extent(self, low: Any = None, high: Any = None) -> tuple[int, Any, Any]:
        """Return the number of rows in a range of the increment column, and that column's smallest and largest value.

        Args:
            low: First value, or None.
            high: Value behind the last, or None.
        """
        column, (where, bounds) = self._quoted(self.increment), self._where(low, high)
        sql = f"SELECT count(*), min({column}), max({column}) FROM {self._rows}{where}"
        count, low, high = self._ask(sql, bounds, stream=False).one()
        return int(count), low, high

    def unplaced(self) -> int:
        """Return the number of rows whose increment is missing, so that they are in no range."""
        sql = f"SELECT count(*) FROM {self._rows} WHERE {self._quoted(self.increment)} IS NULL"
        return int(self._ask(sql, {}, stream=False).scalar_one())

    def rows(self, low: Any = None, high: Any = None) -> Iterator[tuple[list[str], Sequence[Any]]]:
        """Yield the names of the columns with the rows, chunk by chunk; at least once.

        Raises:
            DataError: two columns have one name.
        """
        where, bounds = self._where(low, high)
        order = [*([self.increment] if self.increment else []), *self._order()]
        by = f" ORDER BY {', '.join(self._quoted(name) for name in dict.fromkeys(order))}" if order else ""
        with self._ask(f"SELECT * FROM {self._rows}{where}{by}", bounds) as result:
            yield from _chunks(result)

    def tables(self, run: Run, known: dict[str, Any], low: Any = None, high: Any = None) -> Iterator[pa.Table]:
        """Yield the rows as arrow tables; ``known`` holds the types found so far."""
        for names, chunk in self.rows(low, high):
            yield typed(names, chunk, run.schema, known)

    def _where(self, low: Any, high: Any) -> tuple[str, dict[str, Any]]:
        column, held, bounds = self._quoted(self.increment) if self.increment else "", [], {}
        for sign, name, value in ((">=", "modelway_low", low), ("<", "modelway_high", high)):
            if value is not None:
                held.append(f"{column} {sign} :{name}")
                bounds[name] = value
        return f" WHERE {' AND '.join(held)}" if held else "", bounds

    def _ask(self, sql: str, bounds: Mapping[str, Any], *, stream: bool = True) -> Any:
        from sqlalchemy import text

        options = {"stream_results": True, "yield_per": ROWS} if stream else {}
        return self.connection.execute(text(sql), {**self.parameters, **bounds}, execution_options=options)


def _chunks(result: Any) -> Iterator[tuple[list[str], Sequence[Any]]]:
    names = list(result.keys())
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"The query gives two columns '{twice}'", where="source.query", mend="Name them apart with AS")
    empty = True
    for chunk in result.partitions(ROWS):
        empty = False
        yield names, chunk
    if empty:
        yield names, []
