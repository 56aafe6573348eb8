"""The experiment: a composed configuration as a frozen tree of components, and the checks across them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from modelway.component import Component, Locate, param
from modelway.errors import ConfigError, nearest
from modelway.schema import Schema, Task
from modelway.stages import STAGES

#: Stages that one project may have several labelled components of.
SEVERAL = ("acquire", "prepare", "validate", "features", "evaluate", "gate", "monitor", "notify")
#: Stages without which there is nothing to train.
NEEDED = ("acquire", "split", "train", "evaluate")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The keys of a project that are not components."""

    project: str = param(..., "Name of the project; by default that of its folder.")
    task: Task = param(..., "What is predicted: binary, multiclass or regression.")
    seed: int = param(0, "Seed of every random choice.", at_least=0)
    description: str = param("", "What the model is for.")
    owners: tuple[str, ...] = param((), "Who answers for the model.")
    tags: dict[str, str | int | float | bool] = param({}, "Tags that each run gets.")
    phases: tuple[Literal["train", "valid", "test"], ...] = param(
        ("valid", "test"), "Phases that are scored and measured."
    )
    promote: Literal["manual", "auto"] = param(
        "manual", "Whether a version that passes its gates becomes champion at once; the first always does."
    )
    naming: str = param("{project}/{kind}/{version}", "Pattern of the names that are written.")
    store: str = param("", "Folder or fsspec URL of the store; by default MODELWAY_STORE, else the workspace's own.")
    ledger: str = param("", "File or URL of the ledger; by default MODELWAY_LEDGER, else the workspace's own.")
    space: dict[str, str] = param(
        {}, "What a sweep (-m) searches beside what the command line says: by key, as range(2,9) or interval(0.1,1)."
    )
    objective: tuple[str, ...] = param(
        (), "What a sweep improves: metrics, as accuracy or test.accuracy; by default the first, on validation rows."
    )
    vars: dict[str, Any] = param({}, "Values of your own, to refer to as ${vars.name}.")


@dataclass(frozen=True)
class Experiment:
    """One declared experiment.

    Attributes:
        settings: The keys that are not components.
        schema: The declared schema, of the prepared table.
        components: Components by stage and label, in the configuration's order.
        config: The resolved configuration, as plain JSON.
        origin: Where each dotted key came from: file and line, override, or plugin.
        root: The project's folder.
        overrides: As given on the command line.
        schemas: Schemas of sources, by label, where they have their own.
    """

    settings: Settings
    schema: Schema
    components: Mapping[str, Mapping[str, Component]]
    config: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    root: Path = field(default_factory=Path)
    overrides: tuple[str, ...] = ()
    schemas: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """Name of the project."""
        return self.settings.project

    def all(self, stage: str) -> Mapping[str, Any]:
        """Return a stage's components by label; empty where the project has none."""
        return self.components.get(stage, {})

    def one(self, stage: str) -> Any:
        """Return the only component of a stage, or None."""
        return next(iter(self.all(stage).values()), None)

    def items(self) -> Iterator[tuple[str, str, Component]]:
        """Yield (stage, label, component) of every component."""
        for stage, labelled in self.components.items():
            for label, component in labelled.items():
                yield stage, label, component

    @property
    def uses(self) -> tuple[str, ...]:
        """Distributions that offer its components, and those whose version shapes what these compute."""
        found = {name for _, _, c in self.items() for name in (c.distribution, *c.libraries)}
        return tuple(sorted(found - {""}))

    def schema_of(self, source: str) -> Schema:
        """Return the schema of a source: its own, or the project's."""
        return self.schemas.get(source, self.schema)

    def where(self, key: str) -> str:
        """Return where a key came from; for a key that is not set itself, its nearest parent."""
        return locate(self.origin, key)

    def check(self) -> None:
        """Check what concerns several components at once.

        Raises:
            ConfigError: a missing stage, a task that the trainer or a metric cannot do, a gate on an unknown metric.
        """
        keys = [STAGES[stage][2] for stage in NEEDED if not self.all(stage)]
        if keys:
            told = " and no ".join(f"'{key}'" for key in keys)
            raise ConfigError(
                f"The project declares no {told}",
                where=str(self.root / "conf" / "config.yaml"),
                mend=f"Add '{keys[0]}: {{use: ...}}'; 'modelway plugins {keys[0]}' lists what there is",
            )
        for stage in ("train", "evaluate"):
            for label, component in self.all(stage).items():
                if self.settings.task not in component.tasks:
                    raise ConfigError(
                        f"'{component.name}' cannot do a {self.settings.task} task",
                        where=self.where(self.key(stage, label)),
                        mend=f"It does {', '.join(component.tasks)}",
                    )
        sources = list(self.all("acquire"))
        asked = {f"schemas.{label}": label for label in self.schemas}
        for label, check in self.all("validate").items():
            asked[f"{self.key('validate', label)}.table"] = str(getattr(check, "table", ""))
        for key, label in asked.items():
            if label and label not in sources:
                raise ConfigError(
                    f"'{key}' means source '{label}', which the project does not have", where=self.where(key),
                    mend=nearest(label, sources),
                )  # fmt: skip
        metrics = list(self.all("evaluate"))
        for label, gate in self.all("gate").items():
            metric = str(getattr(gate, "metric", ""))
            if metric and metric.partition(".")[0] not in metrics:
                raise ConfigError(
                    f"Gate '{label}' asks for metric '{metric}', which the project does not measure",
                    where=self.where(f"{self.key('gate', label)}.metric"),
                    mend=nearest(metric, metrics),
                )
        self.schema.one("weight")
        self.schema.classes(self.settings.task) if self.schema.target else ()

    def key(self, stage: str, label: str) -> str:
        """Return the dotted key of a component in the configuration."""
        key = STAGES[stage][2]
        node = self.config.get(key, {})
        return key if "use" in node else f"{key}.{label}"


def locate(origin: Mapping[str, str], key: str) -> str:
    """Return the origin of a dotted key, or of a key below it, or of its nearest parent that has one."""
    below = next((name for name in origin if name.startswith(f"{key}.")), "") if key not in origin else ""
    key = below or key
    while key:
        if key in origin:
            return origin[key]
        key = key.rpartition(".")[0]
    return ""


def locator(origin: Mapping[str, str]) -> Locate:
    """Return the function that ``build`` asks for a key's place."""
    return lambda key: locate(origin, key.replace("[", ".").replace("]", ""))
