"""A run on record: its rows in the ledger, and the values that its steps left in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from modelway.component import Component
from modelway.engine import load_value
from modelway.errors import ConfigError, ModelwayError
from modelway.ledger import Ledger, Row
from modelway.plugins import Plugins
from modelway.stages import STAGES
from modelway.store import Manifest, Store
from modelway.workspace import Workspace


@dataclass
class Record:
    """A run, with what it takes to read its outputs.

    Attributes:
        run: Its row in the ledger.
        steps: Rows of its steps, by name, in order.
        gone: Outputs that could not be read, with the reason.
    """

    ledger: Ledger
    store: Store
    run: Row
    steps: dict[str, Row]
    gone: dict[str, str] = field(default_factory=dict)

    @classmethod
    def find(cls, workspace: Workspace, what: str = "") -> Record:
        """Find a run by id or its beginning, by project (its newest), by ``project@version``; by default the newest.

        Raises:
            ConfigError: nothing on record has that name.
        """
        ledger = workspace.ledger()
        if "@" in what:
            run = ledger.run(ledger.version(what)["run"])
        else:
            run = ledger.newest(what)
        return cls(ledger, workspace.store(), run, {step["name"]: step for step in ledger.steps(run["id"])})

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins that made the outputs, the project's own among them."""
        return Plugins(inline=Path(self.run["body"]["root"]) / "plugin.py")

    def manifest(self, step: str) -> Manifest | None:
        """Return what is stored of a step; None where nothing is any more."""
        found = self.steps[step]["fingerprint"]
        return self.store.lookup(found) if found else None

    def value(self, step: str) -> Any:
        """Load a step's output; None where there is none, or it cannot be read, which ``gone`` tells then."""
        if step not in self.steps or not self.steps[step]["digest"]:
            return None
        try:
            manifest = self.manifest(step)
            if manifest is not None:
                return load_value(self.store, manifest, self.plugins)
            self.gone[step] = "it is not in the store any more"
        except ModelwayError as error:
            self.gone[step] = str(error).rstrip(".")
        return None

    def of_stage(self, stage: str) -> list[Row]:
        """Return the steps of a stage, in order."""
        return [step for step in self.steps.values() if step["stage"] == stage]

    def components(self, step: str) -> dict[str, dict[str, Any]]:
        """Return the components of a step by label, each with ``use`` and ``params``."""
        manifest = self.manifest(step)
        found: dict[str, dict[str, Any]] = manifest.facts["ingredients"]["components"] if manifest else {}
        return found

    def offered(self, stage: str, use: str) -> type[Component] | None:
        """Return a component's class; None where nothing offers it here."""
        try:
            return self.plugins.get(stage, use) if stage in STAGES else None
        except ModelwayError:
            return None

    def environment(self) -> dict[str, Any]:
        """Return what the run ran in; empty where it is not on record any more."""
        try:
            found: dict[str, Any] = json.loads(self.store.open(self.run["environment"]).read_bytes())
        except ModelwayError:
            return {}
        return found

    def maker(self) -> Row:
        """Return the run that trained the model; an earlier one where this run found it."""
        for step in reversed(self.of_stage("train")):
            manifest = self.manifest(step["name"])
            if manifest and manifest.facts["run"] != self.run["id"]:
                try:
                    return self.ledger.run(manifest.facts["run"])
                except ConfigError:
                    break
        return self.run

    def version(self) -> dict[str, Any] | None:
        """Return the model version that the run made or found again, and whether it is the champion now."""
        digests = {step["stage"]: step["digest"] for step in self.steps.values()}
        project = self.run["project"]
        for version in self.ledger.versions(project):
            if version["model"] == digests.get("scoring") and version["bundle"] == digests.get("package", ""):
                champion = self.ledger.aliases(project).get("champion")
                return {**version, "is_champion": champion == version["number"], "champion": champion}
        return None
