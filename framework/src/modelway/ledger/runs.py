"""Runs, their steps and their scores, entered as they happen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modelway.errors import ConfigError, nearest
from modelway.ledger.database import Database, Row
from modelway.ledger.stamp import now
from modelway.values.artifact import dumps


class Runs:
    """What ran, and what came out.

    Args:
        db: The database that holds them.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

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
        return self._one(prefix, "run")

    def newest(self, what: str = "") -> Row:
        """Return the newest run of a project, or a run by id or unique prefix; where nothing is said, the newest.

        Raises:
            ConfigError: there is none, or several begin like that.
        """
        latest = self.runs(what or None, limit=1)
        if latest:
            return self.run(latest[0]["id"])
        if not what:
            raise ConfigError("There is no run on record yet", mend="Start one: modelway run PROJECT")
        projects = [row["project"] for row in self.db.execute("SELECT DISTINCT project FROM runs")]
        return self._one(what, "run or project", projects)

    def _one(self, prefix: str, kind: str, beside: Sequence[str] = ()) -> Row:
        """Return the run that begins so; ``beside``: what else the word may have meant."""
        rows = self.db.execute(
            "SELECT * FROM runs WHERE id LIKE :prefix ORDER BY id DESC LIMIT 3", {"prefix": f"{prefix}%"}
        )
        exact = [row for row in rows if row["id"] == prefix]
        if len(rows) != 1 and not exact:
            ids = [row["id"] for row in self.db.execute("SELECT id FROM runs ORDER BY id DESC LIMIT 50")]
            what = f"Several runs begin with '{prefix}'" if rows else f"There is no {kind} '{prefix}'"
            more = f"Say more of it: {', '.join(row['id'] for row in rows)}" if rows else ""
            raise ConfigError(what, mend=more or nearest(prefix, [*beside, *ids]))
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

    def needed(self, keep: int = 0, runs: Iterable[str] | None = None) -> set[str]:
        """Return the fingerprints that runs on record need.

        Args:
            keep: Of each project's newest runs, this many (0: all), and of the runs behind every version.
            runs: Of these runs instead.
        """
        kept = self._kept(keep) if runs is None else set(runs)
        steps = self.db.execute("SELECT run, fingerprint FROM steps WHERE fingerprint <> ''")
        return {step["fingerprint"] for step in steps if step["run"] in kept}

    def provenance(self, runs: Iterable[str] | None = None) -> set[tuple[str, str]]:
        """Return kind and digest of what tells the environment and the code of these runs (None: of all)."""
        kept = self._kept(0) if runs is None else set(runs)
        found: set[tuple[str, str]] = set()
        for row in self.db.execute("SELECT id, environment, code FROM runs"):
            if row["id"] in kept:
                patch = (json.loads(row["code"]).get("project") or {}).get("dirty")
                found |= {("Environment", row["environment"])} | ({("Patch", patch)} if patch else set())
        return found

    def _kept(self, keep: int) -> set[str]:
        count: dict[str, int] = {}
        kept = {row["run"] for row in self.db.execute("SELECT run FROM versions")}
        for row in self.db.execute("SELECT id, project FROM runs ORDER BY id DESC"):
            count[row["project"]] = count.get(row["project"], 0) + 1
            if not keep or count[row["project"]] <= keep:
                kept.add(row["id"])
        return kept
