"""The ledger: what ran, what came out, which versions exist, who decided what. Append-only where it is a record.

Runs, steps and scores are written as they happen. Decisions (a version registered, an alias moved) are events, each of
which carries the hash of the one before it, so that an edited or deleted entry shows.
"""

from __future__ import annotations

from modelway.ledger.database import Database, Row, connect
from modelway.ledger.events import Events
from modelway.ledger.layout import prepare
from modelway.ledger.leases import Leases
from modelway.ledger.runs import Runs
from modelway.ledger.stamp import actor, new_id, now
from modelway.ledger.sweeps import Sweeps
from modelway.ledger.versions import Versions

__all__ = ["Ledger", "Row", "actor", "new_id", "now"]


class Ledger:
    """Runs, sweeps, versions, aliases, events and leases, in one database; each module here has its part.

    Args:
        url: Path of an SQLite file, or a SQLAlchemy URL of SQLite or PostgreSQL.

    Raises:
        LedgerError: it cannot be opened, or a later version of Modelway wrote it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.db: Database = connect(url)
        prepare(self.db, url)

        runs = Runs(self.db)
        self.start, self.finish, self.step, self.steps_done = runs.start, runs.finish, runs.step, runs.steps_done
        self.measured, self.tag, self.note = runs.measured, runs.tag, runs.note
        self.runs, self.run, self.newest, self.steps = runs.runs, runs.run, runs.newest, runs.steps
        self.tags, self.scores = runs.tags, runs.scores
        self.last_fingerprints, self.producers = runs.last_fingerprints, runs.producers
        self.needed, self.provenance = runs.needed, runs.provenance

        sweeps = Sweeps(self.db)
        self.sweep_start, self.sweep_finish, self.trial = sweeps.sweep_start, sweeps.sweep_finish, sweeps.trial
        self.sweeps, self.sweep, self.trials = sweeps.sweeps, sweeps.sweep, sweeps.trials

        events = Events(self.db)
        self.event, self.events = events.event, events.events

        versions = Versions(self.db, events)
        self.register, self.versions, self.version = versions.register, versions.versions, versions.version
        self.aliases, self.point, self.took_over_from = versions.aliases, versions.point, versions.took_over_from

        leases = Leases(self.db)
        self.lease, self.renew, self.release = leases.lease, leases.renew, leases.release
