"""Model versions and the aliases that point to them; what is decided about them is an event."""

from __future__ import annotations

from modelway.errors import ConfigError, ConflictError, nearest
from modelway.ledger.database import Database, Row
from modelway.ledger.events import Events
from modelway.ledger.stamp import now


class Versions:
    """The versions of each project's model.

    Args:
        db: The database that holds them.
        events: Where decisions are entered.
    """

    def __init__(self, db: Database, events: Events) -> None:
        self.db, self.events = db, events

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
            made = {"model": model, "bundle": bundle, "run": run}
            self.events.event("registered", f"{project}@{row['number']}", made)
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
            moved = {"alias": alias, "from": before, "to": number, "why": why}
            self.events.event("promoted", f"{project}@{number}", moved)

    def took_over_from(self, project: str, number: int, alias: str = "champion") -> int | None:
        """Return the version that an alias pointed to before it first pointed to this one; None where to none."""
        subject = f"{project}@{number}"
        for event in self.events.events(subject):
            if event["subject"] == subject and event["kind"] == "promoted" and event["body"]["alias"] == alias:
                before: int | None = event["body"]["from"]
                return before
        return None
