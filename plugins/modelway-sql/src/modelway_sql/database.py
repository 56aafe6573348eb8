"""The database at a URL: opened, asked, and explained when something goes wrong; its password is never shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway import ConfigError, DataError, Run, reveal

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import URL


@dataclass(frozen=True)
class Database:
    """A database.

    Attributes:
        url: SQLAlchemy's URL, password included.
        file: The file of an SQLite database, or None.
    """

    url: URL
    file: Path | None

    @classmethod
    def of(cls, secret: str, file: str, run: Run) -> Database:
        """Return the database of a component that names either.

        Args:
            secret: ``env:NAME`` or ``file:PATH``: what holds the URL.
            file: An SQLite file; its path starts from the workspace.
            run: The run.

        Raises:
            ConfigError: neither or both, a URL that is none, or a secret that is not there.
        """
        from sqlalchemy.engine import URL, make_url
        from sqlalchemy.exc import ArgumentError

        if bool(secret) == bool(file):
            raise ConfigError("A database has either a url or, for SQLite, a file", mend="Set one of them")
        if file:
            path = run.path(file)
            return cls(URL.create("sqlite", database=str(path)), path)
        try:
            url = make_url(reveal(secret))
        except ArgumentError:
            raise ConfigError(
                "The address of the database is no URL",
                where=secret,
                mend="It must be dialect+driver://user:password@host/name",
            ) from None
        local = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        return cls(url, run.path(str(url.database)) if local else None)

    @property
    def shown(self) -> str:
        """The URL without its password and options."""
        return self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def label(self) -> str:
        """What the database is called on every machine: its backend and name, for SQLite the name of the file."""
        name = self.file.name if self.file else f"{self.url.host or ''}/{self.url.database or ''}"
        return f"{self.url.get_backend_name()}:{name}"

    @contextmanager
    def open(self, *, write: bool = False) -> Iterator[Connection]:
        """Give a connection whose reads all see the same moment; what is written is kept only if all of it is.

        Raises:
            DataError: the database is not there, cannot be reached, or refuses what it is asked.
        """
        from sqlalchemy import create_engine, event
        from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
        from sqlalchemy.pool import NullPool

        if self.file is not None and not write and not self.file.is_file():
            raise DataError(
                "The database is not there", where=self.shown, mend="Check the path; it starts from the workspace"
            )
        try:
            engine = create_engine(self.url, poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise DataError(
                f"The driver of this database is not installed: {error}",
                where=self.shown,
                mend="Install it, for PostgreSQL with: pip install 'modelway-sql[postgresql]'",
            ) from None
        backend = self.url.get_backend_name()
        if backend == "sqlite":
            # Python's own driver begins a transaction too late, so that two reads could see two moments
            event.listen(engine, "connect", lambda raw, record: setattr(raw, "isolation_level", None))
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        options = {"isolation_level": "REPEATABLE READ"} if backend in ("postgresql", "mysql", "mariadb") else {}
        try:
            with engine.connect().execution_options(**options) as connection, connection.begin():
                if backend == "postgresql":  # where days begin must not depend on whose session it is
                    connection.exec_driver_sql("SET TIME ZONE 'UTC'")
                yield connection
        except SQLAlchemyError as error:
            raise DataError(f"The database refuses: {_said(error)}", where=self.shown) from None
        finally:
            engine.dispose()


def _said(error: Any) -> str:
    """Return a driver's own words, on one line."""
    said = str(getattr(error, "orig", None) or error)
    return " ".join(said.split())[:500].rstrip(".")
