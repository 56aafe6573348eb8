"""Sweeps and their trials: what was searched, which points were tried, and what each came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelway.errors import ConfigError, nearest
from modelway.ledger.database import Database, Row
from modelway.ledger.stamp import actor, now
from modelway.values.artifact import dumps

#: What a trial has before anything is known of it.
_TRIAL: dict[str, Any] = {
    "place": 0, "overrides": [], "run": None, "status": "waiting", "error": "", "vals": {}, "seconds": 0.0,
}  # fmt: skip
_STRUCTURED = ("overrides", "vals")


class Sweeps:
    """Sweeps, each with its trials by name.

    Args:
        db: The database that holds them.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    def sweep_start(self, sweep: Mapping[str, Any]) -> None:
        """Enter a sweep that starts, or that goes on: the row of an id that is there is brought up to date.

        Args:
            sweep: ``id``, ``project`` and ``name`` (the digest of its frozen configuration, space and code);
                ``overrides`` and ``body`` as plain values; ``created``, ``actor`` and ``status`` where they are not
                now, this user and ``running``.
        """
        values = {"created": now(), "actor": actor(), "status": "running", "overrides": [], "body": {}, **sweep}
        values |= {key: dumps(values[key]).decode() for key in ("overrides", "body")}
        self.db.execute(
            "INSERT INTO sweeps (id, project, created, finished, status, actor, name, overrides, body)"
            " VALUES (:id, :project, :created, NULL, :status, :actor, :name, :overrides, :body)"
            " ON CONFLICT (id) DO UPDATE SET finished = NULL, status = :status, overrides = :overrides, body = :body",
            values,
        )

    def sweep_finish(self, id: str, status: str) -> None:
        """Enter how a sweep ended: ``done``, ``partial``, ``failed`` or ``stopped``."""
        self.db.execute(
            "UPDATE sweeps SET status = :status, finished = :finished WHERE id = :id",
            {"id": id, "status": status, "finished": now()},
        )

    def trial(self, sweep: str, trial: Mapping[str, Any]) -> None:
        """Enter a trial, or what became of it: columns that are not given stay as they were.

        Args:
            sweep: Id of the sweep.
            trial: ``name``, and columns of ``trials``: ``place``, ``overrides``, ``run``, ``status`` (``waiting``,
                ``running``, ``done``, ``failed`` or ``pruned``), ``error``, ``vals`` (each objective's value) and
                ``seconds``.

        Raises:
            KeyError: a column that there is not.
        """
        unknown = set(trial) - {"name", *_TRIAL}
        if unknown:
            raise KeyError(f"trials have no {', '.join(sorted(unknown))}")
        values = {**_TRIAL, **trial, "sweep": sweep}
        values |= {key: dumps(values[key]).decode() for key in _STRUCTURED}
        given = [key for key in _TRIAL if key in trial]
        sets = f"UPDATE SET {', '.join(f'{key} = :{key}' for key in given)}" if given else "NOTHING"
        self.db.execute(
            "INSERT INTO trials (sweep, name, place, overrides, run, status, error, vals, seconds) VALUES"
            " (:sweep, :name, :place, :overrides, :run, :status, :error, :vals, :seconds)"
            f" ON CONFLICT (sweep, name) DO {sets}",
            values,
        )

    def sweeps(self, project: str | None = None, limit: int = 20) -> list[Row]:
        """Return sweeps, newest first."""
        where = "WHERE project = :project" if project else ""
        rows = self.db.execute(
            f"SELECT * FROM sweeps {where} ORDER BY id DESC LIMIT :limit",
            {"limit": limit, **({"project": project} if project else {})},
        )
        return [_plain(row, ("overrides", "body")) for row in rows]

    def sweep(self, prefix: str) -> Row:
        """Return a sweep by id or unique prefix; by ``name`` too, which may be the newest of several.

        Raises:
            ConfigError: no sweep, or several, begin like that.
        """
        rows = self.db.execute(
            "SELECT * FROM sweeps WHERE id LIKE :prefix OR name = :name ORDER BY id DESC LIMIT 3",
            {"prefix": f"{prefix}%", "name": prefix},
        )
        exact = [row for row in rows if prefix in (row["id"], row["name"])]
        if len(rows) != 1 and not exact:
            ids = [row["id"] for row in self.db.execute("SELECT id FROM sweeps ORDER BY id DESC LIMIT 50")]
            what = f"Several sweeps begin with '{prefix}'" if rows else f"There is no sweep '{prefix}'"
            raise ConfigError(
                what, mend=f"Say more of it: {', '.join(r['id'] for r in rows)}" if rows else nearest(prefix, ids)
            )
        return _plain((exact or rows)[0], ("overrides", "body"))

    def trials(self, sweep: str) -> list[Row]:
        """Return a sweep's trials in order."""
        rows = self.db.execute("SELECT * FROM trials WHERE sweep = :sweep ORDER BY place, name", {"sweep": sweep})
        return [_plain(row, _STRUCTURED) for row in rows]


def _plain(row: Row, keys: tuple[str, ...]) -> Row:
    return {**row, **{key: json.loads(row[key]) for key in keys}}
