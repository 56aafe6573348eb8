"""The ledger: what ran, what came out, which versions exist, who decided what. Append-only where it is a record.

Runs, steps and scores are written as they happen. Decisions (a version registered, an alias moved) are events, each of
which carries the hash of the one before it, so that an edited or deleted entry shows.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from modelway.errors import ConfigError, ConflictError, LedgerError, nearest
from modelway.ledger.database import Database, Row, connect
from modelway.values.artifact import dumps

__all__ = ["Ledger", "Row", "actor", "new_id", "now"]

#: Version of the tables; a ledger of a later one is refused, an earlier one is migrated.
SCHEMA = 1

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
  fingerprint TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL, wall REAL NOT NULL, cpu REAL NOT NULL,
  peak BIGINT NOT NULL, bytes BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, name));
CREATE INDEX IF NOT EXISTS steps_digest ON steps (digest);
CREATE TABLE IF NOT EXISTS scores (
  run TEXT NOT NULL, metric TEXT NOT NULL, phase TEXT NOT NULL, value REAL, low REAL, high REAL, std REAL,
  support BIGINT, PRIMARY KEY (run, metric, phase));
CREATE TABLE IF NOT EXISTS versions (
  project TEXT NOT NULL, number INTEGER NOT NULL, model TEXT NOT NULL, bundle TEXT NOT NULL, run TEXT NOT NULL,
  created TEXT NOT NULL, PRIMARY KEY (project, number));
CREATE TABLE IF NOT EXISTS aliases (
  project TEXT NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (project, alias));
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
  fingerprint TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires REAL NOT NULL);
"""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: ids are read aloud


def new_id() -> str:
    """Return a short id that sorts by time: eight characters of milliseconds, two of chance."""
    stamp, text = int(time.time() * 1000) & (2**40 - 1), ""
    for _ in range(8):
        text, stamp = _ALPHABET[stamp & 31] + text, stamp >> 5
    return text + "".join(secrets.choice(_ALPHABET) for _ in range(2))


def now() -> str:
    """Return the UTC time in ISO form, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def actor() -> str:
    """Return who acts: ``MODELWAY_ACTOR``, or the user's login name."""
    told = os.environ.get("MODELWAY_ACTOR")
    if told:
        return told
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


class Ledger:
    """Runs, versions, aliases, events and leases, in one database.

    Args:
        url: Path of an SQLite file, or a SQLAlchemy URL.

    Raises:
        LedgerError: it cannot be opened, or another version of Modelway wrote it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.db: Database = connect(url)
        found = self.db.execute("SELECT value FROM meta WHERE key = 'schema'") if self.db.has("meta") else []
        if not found:
            self._create()
        elif int(found[0]["value"]) > SCHEMA:
            raise LedgerError(
                f"The ledger has layout {found[0]['value']}, and this Modelway knows {SCHEMA}", where=url,
                mend="Upgrade modelway, or point 'ledger' at another one",
            )  # fmt: skip

    def _create(self) -> None:
        with self.db.transaction():
            for statement in _TABLES.split(";"):
                if statement.strip():
                    self.db.execute(statement)
            self.db.execute(
                "INSERT INTO meta (key, value) VALUES ('schema', :v) ON CONFLICT (key) DO NOTHING", {"v": str(SCHEMA)}
            )

    # Runs

    def start(self, run: Mapping[str, Any], tags: Mapping[str, Any]) -> None:
        """Enter a run that starts; ``run`` has the columns of ``runs``, structured ones as plain values."""
        values = {"finished": None, "parent": None, "note": "", "body": {}, **run}
        for key in ("overrides", "config", "code", "body"):
            values[key] = dumps(values[key]).decode()
        with self.db.transaction():
            self.db.execute(
                "INSERT INTO runs (id, project, created, finished, status, actor, parent, overrides, config, code,"
                " environment, note, body) VALUES (:id, :project, :created, :finished, :status, :actor, :parent,"
                " :overrides, :config, :code, :environment, :note, :body)",
                values,
            )
            for name, value in tags.items():
                self.tag(run["id"], name, value)

    def finish(self, run: str, status: str, **columns: Any) -> None:
        """Enter how a run ended: ``done``, ``refused``, ``failed`` or ``stopped``."""
        values = {"run": run, "status": status, "finished": now()}
        sets = "status = :status, finished = :finished"
        for key, value in columns.items():
            values[key], sets = dumps(value).decode() if key in ("code", "body") else value, f"{sets}, {key} = :{key}"
        self.db.execute(f"UPDATE runs SET {sets} WHERE id = :run", values)

    def step(self, run: str, step: Mapping[str, Any]) -> None:
        """Enter a step's outcome; ``step`` has the columns of ``steps`` but for ``run``."""
        self.steps_done(run, [step])

    def steps_done(self, run: str, steps: Iterable[Mapping[str, Any]]) -> None:
        """Enter the outcomes of steps."""
        rows = [{**step, "run": run, "body": dumps(step.get("body", {})).decode()} for step in steps]
        self.db.many(
            "INSERT INTO steps (run, name, place, stage, status, fingerprint, digest, reason, wall, cpu, peak, bytes,"
            " body) VALUES (:run, :name, :place, :stage, :status, :fingerprint, :digest, :reason, :wall, :cpu, :peak,"
            " :bytes, :body) ON CONFLICT (run, name) DO UPDATE SET status = :status, fingerprint = :fingerprint,"
            " digest = :digest, reason = :reason, wall = :wall, cpu = :cpu, peak = :peak, bytes = :bytes, body = :body",
            rows,
        )

    def measured(self, run: str, scores: Sequence[Mapping[str, Any]]) -> None:
        """Enter a run's scores, with the columns of ``scores`` but for ``run``."""
        self.db.many(
            "INSERT INTO scores (run, metric, phase, value, low, high, std, support) VALUES (:run, :metric, :phase,"
            " :value, :low, :high, :std, :support) ON CONFLICT (run, metric, phase) DO NOTHING",
            [{**score, "run": run} for score in scores],
        )

    def tag(self, run: str, name: str, value: Any) -> None:
        """Set a tag of a run."""
        self.db.execute(
            "INSERT INTO tags (run, name, value) VALUES (:run, :name, :value)"
            " ON CONFLICT (run, name) DO UPDATE SET value = :value",
            {"run": run, "name": name, "value": str(value)},
        )

    def note(self, run: str, text: str) -> None:
        """Set a run's note."""
        self.db.execute("UPDATE runs SET note = :text WHERE id = :run", {"run": run, "text": text})

    def runs(self, project: str | None = None, limit: int = 20, tags: Mapping[str, str] | None = None) -> list[Row]:
        """Return runs, newest first, without their configurations."""
        sql = "SELECT id, project, created, finished, status, actor, parent, overrides, note FROM runs WHERE 1 = 1"
        values: dict[str, Any] = {"limit": limit}
        if project:
            sql, values = f"{sql} AND project = :project", {**values, "project": project}
        for i, (name, value) in enumerate((tags or {}).items()):
            sql += f" AND EXISTS (SELECT 1 FROM tags WHERE run = runs.id AND name = :n{i} AND value = :v{i})"
            values |= {f"n{i}": name, f"v{i}": value}
        rows = self.db.execute(f"{sql} ORDER BY id DESC LIMIT :limit", values)
        return [{**row, "overrides": json.loads(row["overrides"])} for row in rows]

    def run(self, prefix: str) -> Row:
        """Return a run by id or unique prefix, structured columns as plain values.

        Raises:
            ConfigError: no run, or several, begin like that.
        """
        rows = self.db.execute(
            "SELECT * FROM runs WHERE id LIKE :prefix ORDER BY id DESC LIMIT 3", {"prefix": f"{prefix}%"}
        )
        exact = [row for row in rows if row["id"] == prefix]
        if len(rows) != 1 and not exact:
            ids = [row["id"] for row in self.db.execute("SELECT id FROM runs ORDER BY id DESC LIMIT 50")]
            what = f"Several runs begin with '{prefix}'" if rows else f"There is no run '{prefix}'"
            raise ConfigError(
                what, mend=f"Say more of it: {', '.join(r['id'] for r in rows)}" if rows else nearest(prefix, ids)
            )
        row = (exact or rows)[0]
        return {**row, **{key: json.loads(row[key]) for key in ("overrides", "config", "code", "body")}}

    def steps(self, run: str) -> list[Row]:
        """Return a run's steps in order."""
        rows = self.db.execute("SELECT * FROM steps WHERE run = :run ORDER BY place", {"run": run})
        return [{**row, "body": json.loads(row["body"])} for row in rows]

    def scores(self, runs: Sequence[str]) -> list[Row]:
        """Return the scores of some runs."""
        names = {f"r{i}": run for i, run in enumerate(runs)}
        marks = ", ".join(f":{name}" for name in names) or "NULL"
        return self.db.execute(f"SELECT * FROM scores WHERE run IN ({marks}) ORDER BY run, metric, phase", names)

    def tags(self, run: str) -> dict[str, str]:
        """Return a run's tags."""
        rows = self.db.execute("SELECT name, value FROM tags WHERE run = :run ORDER BY name", {"run": run})
        return {row["name"]: row["value"] for row in rows}

    def last_fingerprints(self, project: str) -> dict[str, str]:
        """Return the fingerprint that each step of a project had last, by step name."""
        rows = self.db.execute(
            "SELECT name, fingerprint, MAX(run) AS latest FROM steps WHERE status IN ('ran', 'cached') AND run IN"
            " (SELECT id FROM runs WHERE project = :project ORDER BY id DESC LIMIT 100) GROUP BY name, fingerprint",
            {"project": project},
        )
        latest: dict[str, Row] = {}
        for row in rows:
            if row["name"] not in latest or row["latest"] > latest[row["name"]]["latest"]:
                latest[row["name"]] = row
        return {name: row["fingerprint"] for name, row in latest.items()}

    def producers(self, digest: str) -> list[Row]:
        """Return the steps whose output has a digest, or a prefix of one, newest first."""
        return self.db.execute(
            "SELECT run, name, stage, status, fingerprint, digest FROM steps WHERE digest LIKE :digest"
            " ORDER BY run DESC LIMIT 20",
            {"digest": f"{digest}%"},
        )

    def needed(self, keep: int = 0) -> set[str]:
        """Return the fingerprints that runs on record need: of each project's newest ``keep`` runs (0: all), and of
        the runs behind every version."""
        rows = self.db.execute("SELECT id, project FROM runs ORDER BY id DESC")
        count: dict[str, int] = {}
        kept = {row["run"] for row in self.versions()}
        for row in rows:
            count[row["project"]] = count.get(row["project"], 0) + 1
            if not keep or count[row["project"]] <= keep:
                kept.add(row["id"])
        steps = self.db.execute("SELECT run, fingerprint FROM steps")
        return {step["fingerprint"] for step in steps if step["run"] in kept}

    # Versions, aliases and decisions

    def register(self, project: str, model: str, bundle: str, run: str) -> Row:
        """Register a model version; equal model and bundle are the version that they were before."""
        with self.db.transaction():
            rows = self.versions(project)
            for row in rows:
                if row["model"] == model and row["bundle"] == bundle:
                    return row
            row = {"project": project, "number": rows[0]["number"] + 1 if rows else 1, "model": model, "bundle": bundle}
            row |= {"run": run, "created": now()}
            self.db.execute(
                "INSERT INTO versions (project, number, model, bundle, run, created)"
                " VALUES (:project, :number, :model, :bundle, :run, :created)",
                row,
            )
            self.event("registered", f"{project}@{row['number']}", {"model": model, "bundle": bundle, "run": run})
            return row

    def versions(self, project: str | None = None) -> list[Row]:
        """Return versions, newest first."""
        where = "WHERE project = :project" if project else ""
        return self.db.execute(
            f"SELECT * FROM versions {where} ORDER BY project, number DESC", {"project": project} if project else {}
        )

    def aliases(self, project: str) -> dict[str, int]:
        """Return a project's aliases."""
        rows = self.db.execute("SELECT alias, number FROM aliases WHERE project = :p", {"p": project})
        return {row["alias"]: row["number"] for row in rows}

    def version(self, reference: str) -> Row:
        """Return a version by ``project@champion``, ``project@3`` or ``project`` (its champion, else its newest).

        Raises:
            ConfigError: there is no such version.
        """
        project, _, which = reference.partition("@")
        rows, aliases = self.versions(project), self.aliases(project)
        if not rows:
            projects = {row["project"] for row in self.versions()}
            raise ConfigError(
                f"Project '{project}' has no model version",
                mend=nearest(project, projects) or f"modelway run {project} makes one",
            )
        number = aliases.get(which or "champion", rows[0]["number"] if not which else None)
        if which.lstrip("v").isdigit():
            number = int(which.lstrip("v"))
        for row in rows:
            if row["number"] == number:
                return row
        known = [*aliases, *(str(row["number"]) for row in rows)]
        raise ConfigError(f"There is no version '{which}' of project '{project}'", mend=nearest(which, known))

    def point(self, project: str, alias: str, number: int, why: str, expected: int | str | None = "any") -> None:
        """Move an alias to a version, and put it on record.

        Raises:
            ConflictError: the alias is not at ``expected`` any more (None: not set).
        """
        with self.db.transaction():
            before = self.aliases(project).get(alias)
            if expected != "any" and before != expected:
                raise ConflictError(
                    f"The {alias} of '{project}' is version {before}, and was {expected} when this was decided",
                    mend="Look at 'modelway models' and decide again",
                )
            self.db.execute(
                "INSERT INTO aliases (project, alias, number) VALUES (:project, :alias, :number)"
                " ON CONFLICT (project, alias) DO UPDATE SET number = :number",
                {"project": project, "alias": alias, "number": number},
            )
            self.event("promoted", f"{project}@{number}", {"alias": alias, "from": before, "to": number, "why": why})

    def took_over_from(self, project: str, number: int, alias: str = "champion") -> int | None:
        """Return the version that an alias pointed to before it first pointed to this one; None where to none."""
        subject = f"{project}@{number}"
        for event in self.events(subject):
            if event["subject"] == subject and event["kind"] == "promoted" and event["body"]["alias"] == alias:
                return event["body"]["from"]  # type: ignore[no-any-return]
        return None

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

    # Leases: who computes what

    def lease(self, fingerprint: str, holder: str, dead: Any, seconds: float = 30.0) -> int | None:
        """Take the right to compute a fingerprint; None while another living holder has it.

        Args:
            fingerprint: What is to be computed.
            holder: Who asks.
            dead: Tells of a holder's name whether it is known to be dead.
            seconds: How long the right lasts unless it is renewed.

        Returns:
            The fencing token, which grows with every change of holder.
        """
        with self.db.transaction():
            values = {"f": fingerprint, "holder": holder, "expires": time.time() + seconds}
            found = self.db.execute(
                "SELECT holder, token, expires FROM leases WHERE fingerprint = :f", {"f": fingerprint}
            )
            if found and found[0]["expires"] > time.time() and not dead(found[0]["holder"]):
                return None
            token = found[0]["token"] + 1 if found else 1
            self.db.execute(
                "INSERT INTO leases (fingerprint, holder, token, expires) VALUES (:f, :holder, :token, :expires) ON"
                " CONFLICT (fingerprint) DO UPDATE SET holder = :holder, token = :token, expires = :expires",
                {**values, "token": token},
            )
            return int(token)

    def renew(self, fingerprint: str, token: int, seconds: float = 30.0) -> bool:
        """Extend a lease; False where it was lost to another holder."""
        with self.db.transaction():
            self.db.execute(
                "UPDATE leases SET expires = :expires WHERE fingerprint = :f AND token = :token",
                {"f": fingerprint, "token": token, "expires": time.time() + seconds},
            )
            found = self.db.execute("SELECT token FROM leases WHERE fingerprint = :f", {"f": fingerprint})
            return bool(found) and found[0]["token"] == token

    def release(self, fingerprint: str, token: int) -> None:
        """Give a lease back; the row stays, so that tokens keep growing."""
        self.db.execute(
            "UPDATE leases SET expires = 0 WHERE fingerprint = :f AND token = :token",
            {"f": fingerprint, "token": token},
        )
