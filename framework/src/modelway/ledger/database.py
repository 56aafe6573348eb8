"""One body of SQL, two drivers: the standard library's for SQLite, SQLAlchemy for everything else.

Importing SQLAlchemy costs 0.25 s, more than a whole cached run may take, and SQLite needs none of what it adds. The
statements are the same text on both, with named parameters.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from modelway.errors import LedgerError

Row = dict[str, Any]
#: Bytes that SQLite needs to write at all: a few pages, and the index of its log.
_ROOM = 128 * 1024
#: Seconds since 1970, of the host that the database runs on, at the instant and not at the transaction's start.
_CLOCKS = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)",
}
#: Gives the turn to one writer at a time, until its transaction ends.
_TURNS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(7261)"}


class Database(Protocol):
    """Executes statements; each outside a transaction is a transaction of its own.

    Attributes:
        dialect: ``sqlite`` or ``postgresql``.
        clock: Expression for the time now, in seconds, by the clock that all who use the database share.
    """

    @property
    def dialect(self) -> str:
        """Which dialect of SQL it speaks."""
        ...

    @property
    def clock(self) -> str:
        """The expression for the time now."""
        ...

    def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a statement and return its rows."""
        ...

    def many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once per set of values."""
        ...

    def has(self, table: str) -> bool:
        """Return whether there is a table of that name."""
        ...

    def transaction(self) -> Any:
        """Return a context in which statements take effect together or not at all; writers take turns."""
        ...


class Sqlite:
    """SQLite in WAL mode, through the standard library."""

    dialect = "sqlite"
    clock = _CLOCKS["sqlite"]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()  # a lease is renewed from another thread
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
        except (sqlite3.Error, OSError) as error:
            raise self._explain(error) from None

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)  # absent where connecting failed
        if connection is not None:
            connection.close()

    def _explain(self, error: Exception) -> LedgerError:
        text = str(error)
        mend = "Restore it from a copy, or move it aside: the store's artifacts are not affected"
        if "full" in text or self._is_full():
            mend = "Free some space on its disk; what was committed is whole"
        elif "readonly" in text or "unable to open" in text or isinstance(error, OSError):
            mend = "Make the file and its folder writable, or point 'ledger' elsewhere"
        return LedgerError(f"The ledger cannot be used: {text}", where=str(self.path), mend=mend)

    def _is_full(self) -> bool:
        """Whether the disk has no room, which SQLite may tell as an I/O error only."""
        try:
            disk = os.statvfs(self.path.parent)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize < _ROOM and not disk.f_flag & os.ST_RDONLY

    def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a statement and return its rows."""
        try:
            with self._turn:
                return [dict(row) for row in self._connection.execute(statement, values or {})]
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise self._explain(error) from None

    def many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once per set of values."""
        try:
            with self.transaction():
                self._connection.executemany(statement, values)
        except sqlite3.Error as error:
            raise self._explain(error) from None

    def has(self, table: str) -> bool:
        """Return whether there is a table of that name."""
        return bool(
            self.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :table", {"table": table})
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take the write lock, then commit everything or nothing; inside another transaction, join it."""
        with self._turn:
            if self._connection.in_transaction:
                yield
                return
            self.execute(_TURNS["sqlite"])
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self.execute("COMMIT")


class Alchemy:
    """PostgreSQL, and in tests SQLite, through SQLAlchemy."""

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        self._sa = sa
        self._held: sa.Connection | None = None
        self._turn = threading.RLock()  # a lease is renewed from another thread
        where = sa.make_url(url)
        if where.drivername == "postgresql":  # not every SQLAlchemy takes the driver that is asked for here
            where = where.set(drivername="postgresql+psycopg")
        self._shown = shown = where.render_as_string(hide_password=True)
        self.dialect = where.get_backend_name()
        if self.dialect not in _CLOCKS:
            raise LedgerError(
                f"A ledger is kept in SQLite or PostgreSQL, and not in {self.dialect}", where=shown,
                mend="Set 'ledger' to a file, or to postgresql://user@host/database",
            )  # fmt: skip
        self.clock = _CLOCKS[self.dialect]
        # A statement in the turn must see what was committed before the turn came, whatever the server's default
        more = {"isolation_level": "READ COMMITTED"} if self.dialect == "postgresql" else {}
        try:
            self._engine = sa.create_engine(where, pool_pre_ping=True, **more)
            weakref.finalize(self, self._engine.dispose)
            with self._engine.connect():
                pass
        except ImportError as error:
            raise LedgerError(
                f"The ledger's driver is not installed: {error}", where=shown,
                mend="pip install 'modelway[postgresql]'",
            ) from None  # fmt: skip
        except sa.exc.SQLAlchemyError as error:
            raise LedgerError(
                f"The ledger cannot be reached: {_said(error)}", where=shown,
                mend="Check the URL 'ledger', and that its server runs and lets this user in",
            ) from None  # fmt: skip

    def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a statement and return its rows."""
        try:
            with self._turn:
                if self._held is not None:
                    return self._rows(self._held.execute(self._sa.text(statement), dict(values or {})))
                with self._engine.begin() as connection:
                    return self._rows(connection.execute(self._sa.text(statement), dict(values or {})))
        except self._sa.exc.SQLAlchemyError as error:
            raise self._explain(error) from None

    def _explain(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"The ledger cannot be used: {_said(error)}", where=self._shown, mend="Look at the database itself"
        )

    @staticmethod
    def _rows(result: Any) -> list[Row]:
        return [dict(row) for row in result.mappings()] if result.returns_rows else []

    def many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once per set of values."""
        with self.transaction():
            for value in values:
                self.execute(statement, value)

    def has(self, table: str) -> bool:
        """Return whether there is a table of that name."""
        try:
            return bool(self._sa.inspect(self._engine).has_table(table))
        except self._sa.exc.SQLAlchemyError as error:
            raise self._explain(error) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Lock the ledger against other writers until everything is committed."""
        with self._turn:
            if self._held is not None:
                yield
                return
            try:
                with self._engine.begin() as connection:
                    connection.execute(self._sa.text(_TURNS[self.dialect]))
                    self._held = connection
                    try:
                        yield
                    finally:
                        self._held = None
            except self._sa.exc.SQLAlchemyError as error:
                raise self._explain(error) from None


def _said(error: Exception) -> str:
    """Return what the driver said, without SQLAlchemy's name of it."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def connect(url: str) -> Database:
    """Open a database by path or SQLAlchemy URL."""
    if "://" not in url:
        return Sqlite(Path(url))
    if url.startswith("sqlite:///"):
        return Sqlite(Path(url.removeprefix("sqlite:///")))
    return Alchemy(url)
