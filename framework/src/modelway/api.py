"""The commands, from Python: compose a project, plan it, run it, open a run and read what it made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelway.engine import Engine, Outcome, load_value
from modelway.errors import ConfigError, nearest
from modelway.ledger import Row
from modelway.plan import Plan, Select
from modelway.plugins import Plugins
from modelway.workspace import Workspace


class OpenRun:
    """A run on record, and the artifacts that it made or found.

    Args:
        workspace: Where the run is.
        prefix: Its id, or a unique beginning of it.

    Raises:
        ConfigError: there is no such run.
    """

    def __init__(self, workspace: Workspace, prefix: str) -> None:
        self._ledger, self._store = workspace.ledger(), workspace.store()
        self.row: Row = self._ledger.run(prefix)
        self.id: str = self.row["id"]
        self._steps = {step["name"]: step for step in self._ledger.steps(self.id)}
        self._plugins: Plugins | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        return self.row["config"]  # type: ignore[no-any-return]

    @property
    def scores(self) -> dict[tuple[str, str], float | None]:
        """Measured values by (metric, phase)."""
        return {(s["metric"], s["phase"]): s["value"] for s in self._ledger.scores([self.id])}

    @property
    def steps(self) -> dict[str, Row]:
        """What is recorded of each step: status, digest, wall and CPU seconds, peak bytes, reason."""
        return dict(self._steps)

    def __getitem__(self, step: str) -> Any:
        """Load a step's output: a Table, Split, Model, Predictions, Scores, ...

        Raises:
            ConfigError: the run has no such step.
            StoreError: the store does not hold the output any more.
        """
        if step not in self._steps:
            raise ConfigError(f"Run {self.id} has no step '{step}'", mend=nearest(step, self._steps))
        if self._plugins is None:
            self._plugins = Plugins(inline=Path(self.row["body"]["root"]) / "plugin.py")
        manifest = self._store.lookup(self._steps[step]["fingerprint"])
        if manifest is None:
            raise ConfigError(f"The output of step '{step}' is not in the store any more", mend="Run the project again")
        return load_value(self._store, manifest, self._plugins)

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.row['project']}: {self.row['status']}>"


class Composed:
    """A composed experiment, ready to be planned and run."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        return dict(self.engine.experiment.config)

    def plan(self, *, force: bool = False, start: str = "", end: str = "") -> Plan:
        """Plan: what would run, and why; print it to read it."""
        return self.engine.plan(force=force, select=Select(start, end))

    def run(self, *, force: bool = False, start: str = "", end: str = "", note: str = "") -> OpenRun:
        """Run what the plan says, and open the run.

        Raises:
            GateError: a gate refused the model.
            ModelwayError: a step failed.
        """
        outcome: Outcome = self.engine.run(self.plan(force=force, start=start, end=end), note=note)
        return OpenRun(self.engine.workspace, outcome.run)


def compose(project: str | Path, *overrides: str) -> Composed:
    """Compose a project, by name or path, with Hydra overrides."""
    return Composed(Engine.open(str(project), overrides))


def open_run(prefix: str = "", *, workspace: str | Path | None = None) -> OpenRun:
    """Open a run by id or a unique beginning of it; by default the newest one."""
    place = Workspace.find(Path(workspace) if workspace else None)
    latest = place.ledger().runs(limit=1)
    return OpenRun(place, prefix or (latest[0]["id"] if latest else ""))


def runs(project: str | None = None, *, limit: int = 20, workspace: str | Path | None = None) -> Sequence[Row]:
    """Return runs, newest first."""
    return Workspace.find(Path(workspace) if workspace else None).ledger().runs(project, limit)
