"""The ledger's tables, and how those of an earlier layout become these."""

from __future__ import annotations

from modelway.errors import LedgerError
from modelway.ledger.database import Database

#: Version of the tables; a ledger of a later one is refused, an earlier one is migrated.
SCHEMA = 2

#: Floating-point columns are doubles: PostgreSQL's ``REAL`` has seven digits, too few for a score or a time.
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY, project TEXT NOT NULL, created TEXT NOT NULL, finished TEXT, status TEXT NOT NULL,
  actor TEXT NOT NULL, parent TEXT, overrides TEXT NOT NULL, config TEXT NOT NULL, code TEXT NOT NULL,
  environment TEXT NOT NULL, note TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_project ON runs (project, id);
CREATE TABLE IF NOT EXISTS tags (run TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE IF NOT EXISTS steps (
  run TEXT NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL, stage TEXT NOT NULL, status TEXT NOT NULL,
  fingerprint TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL, wall DOUBLE PRECISION NOT NULL,
  cpu DOUBLE PRECISION NOT NULL, peak BIGINT NOT NULL, bytes BIGINT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (run, name));
CREATE INDEX IF NOT EXISTS steps_digest ON steps (digest);
CREATE TABLE IF NOT EXISTS scores (
  run TEXT NOT NULL, metric TEXT NOT NULL, phase TEXT NOT NULL, value DOUBLE PRECISION, low DOUBLE PRECISION,
  high DOUBLE PRECISION, std DOUBLE PRECISION, support BIGINT, PRIMARY KEY (run, metric, phase));
CREATE TABLE IF NOT EXISTS versions (
  project TEXT NOT NULL, number INTEGER NOT NULL, model TEXT NOT NULL, bundle TEXT NOT NULL, run TEXT NOT NULL,
  created TEXT NOT NULL, PRIMARY KEY (project, number));
CREATE TABLE IF NOT EXISTS aliases (
  project TEXT NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (project, alias));
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
  fingerprint TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS sweeps (
  id TEXT PRIMARY KEY, project TEXT NOT NULL, created TEXT NOT NULL, finished TEXT, status TEXT NOT NULL,
  actor TEXT NOT NULL, name TEXT NOT NULL, overrides TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sweeps_name ON sweeps (name);
CREATE TABLE IF NOT EXISTS trials (
  sweep TEXT NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL, overrides TEXT NOT NULL, run TEXT,
  status TEXT NOT NULL, error TEXT NOT NULL, vals TEXT NOT NULL, seconds DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (sweep, name));
"""

#: Columns that layout 1 declared ``REAL``, which SQLite makes doubles and PostgreSQL does not.
_WIDENED = {"steps": ("wall", "cpu"), "scores": ("value", "low", "high", "std"), "leases": ("expires",)}


def prepare(db: Database, url: str) -> None:
    """Make the tables, or bring those that are there to this layout.

    Raises:
        LedgerError: a later Modelway wrote them.
    """
    if _found(db) == SCHEMA:
        return
    with db.transaction():
        found = _found(db)  # again: whoever had the turn before may have made them
        if found > SCHEMA:
            raise LedgerError(
                f"The ledger has layout {found}, and this Modelway knows {SCHEMA}", where=url,
                mend="Upgrade modelway, or point 'ledger' at another one",
            )  # fmt: skip
        for statement in _TABLES.split(";"):
            if statement.strip():
                db.execute(statement)
        if found == 1 and db.dialect == "postgresql":
            for table, columns in _WIDENED.items():
                for column in columns:
                    db.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE DOUBLE PRECISION")
        db.execute(
            "INSERT INTO meta (key, value) VALUES ('schema', :v) ON CONFLICT (key) DO UPDATE SET value = :v",
            {"v": str(SCHEMA)},
        )


def _found(db: Database) -> int:
    """Return the layout of the tables that are there; 0 where there are none."""
    rows = db.execute("SELECT value FROM meta WHERE key = 'schema'") if db.has("meta") else []
    return int(rows[0]["value"]) if rows else 0
