"""A source that reads tables and queries of databases, and a writer that puts predictions there."""

from __future__ import annotations

from modelway import Source, Writer, hookimpl
from modelway_sql.source import Sql
from modelway_sql.writer import SqlWriter


@hookimpl
def sources() -> list[type[Source]]:
    """Offer ``sql``."""
    return [Sql]


@hookimpl
def writers() -> list[type[Writer]]:
    """Offer ``sql``."""
    return [SqlWriter]
