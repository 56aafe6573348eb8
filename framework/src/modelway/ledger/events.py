"""Decisions on record, each with the hash of the one before it, so that an edited or deleted one shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from modelway.ledger.database import Database, Row
from modelway.ledger.stamp import actor, now
from modelway.values.artifact import dumps


class Events:
    """The chain of decisions.

    Args:
        db: The database that holds it.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    def event(self, kind: str, subject: str, body: Mapping[str, Any]) -> None:
        """Append a decision to the record."""
        with self.db.transaction():
            last = self.db.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")
            seq, previous = (last[0]["seq"] + 1, last[0]["hash"]) if last else (1, "")
            row = {"seq": seq, "at": now(), "actor": actor(), "kind": kind, "subject": subject}
            row |= {"body": dumps(dict(body)).decode(), "previous": previous}
            row["hash"] = hashlib.sha256(dumps(row)).hexdigest()
            self.db.execute(
                "INSERT INTO events (seq, at, actor, kind, subject, body, previous, hash)"
                " VALUES (:seq, :at, :actor, :kind, :subject, :body, :previous, :hash)",
                row,
            )

    def events(self, subject: str = "") -> list[Row]:
        """Return decisions in order; ``subject`` narrows to those that begin like it."""
        rows = self.db.execute("SELECT * FROM events WHERE subject LIKE :s ORDER BY seq", {"s": f"{subject}%"})
        return [{**row, "body": json.loads(row["body"])} for row in rows]
