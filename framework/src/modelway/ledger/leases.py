"""Leases: who computes what. One holder at a time; a dead one's right runs out, and a stale one is fenced off.

Times are those of the database's clock, so that hosts whose clocks differ agree on what has run out.
"""

from __future__ import annotations

from collections.abc import Callable

from modelway.ledger.database import Database


class Leases:
    """The right to compute a fingerprint.

    Args:
        db: The database that holds them.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    def lease(self, fingerprint: str, holder: str, dead: Callable[[str], bool], seconds: float = 30.0) -> int | None:
        """Take the right to compute a fingerprint; None while another living holder has it.

        Args:
            fingerprint: What is to be computed.
            holder: Who asks.
            dead: Tells of a holder's name whether it is known to be dead.
            seconds: How long the right lasts unless it is renewed.

        Returns:
            The fencing token, which grows with every change of holder.
        """
        if self._taken(fingerprint, dead):  # who waits only reads, and keeps no writer waiting
            return None
        with self.db.transaction():
            if self._taken(fingerprint, dead):
                return None
            self.db.execute(
                "INSERT INTO leases (fingerprint, holder, token, expires)"
                f" VALUES (:f, :holder, 1, {self.db.clock} + CAST(:seconds AS DOUBLE PRECISION))"
                " ON CONFLICT (fingerprint) DO UPDATE SET holder = excluded.holder, token = leases.token + 1,"
                " expires = excluded.expires",
                {"f": fingerprint, "holder": holder, "seconds": seconds},
            )
            found = self.db.execute("SELECT token FROM leases WHERE fingerprint = :f", {"f": fingerprint})
            return int(found[0]["token"])

    def _taken(self, fingerprint: str, dead: Callable[[str], bool]) -> bool:
        found = self.db.execute(
            f"SELECT holder FROM leases WHERE fingerprint = :f AND expires > {self.db.clock}", {"f": fingerprint}
        )
        return bool(found) and not dead(found[0]["holder"])

    def renew(self, fingerprint: str, token: int, seconds: float = 30.0) -> bool:
        """Extend a lease; False where it was lost to another holder."""
        with self.db.transaction():
            self.db.execute(
                f"UPDATE leases SET expires = {self.db.clock} + CAST(:seconds AS DOUBLE PRECISION)"
                " WHERE fingerprint = :f AND token = :token",
                {"f": fingerprint, "token": token, "seconds": seconds},
            )
            found = self.db.execute("SELECT token FROM leases WHERE fingerprint = :f", {"f": fingerprint})
            return bool(found) and found[0]["token"] == token

    def release(self, fingerprint: str, token: int) -> None:
        """Give a lease back; the row stays, so that tokens keep growing."""
        self.db.execute(
            "UPDATE leases SET expires = 0 WHERE fingerprint = :f AND token = :token",
            {"f": fingerprint, "token": token},
        )
