"""Steps: what an experiment consists of, in an order in which each step comes after its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelway.errors import ConfigError, nearest
from modelway.experiment import Experiment
from modelway.schema import Schema
from modelway.stages import STAGES

#: The engine's own number for each stage: raised when what the engine does there changes a result.
ENGINE = {**dict.fromkeys(STAGES, 1), "features": 2, "profile": 2, "predict": 1, "champion": 1, "scoring": 1}


@dataclass(frozen=True)
class Step:
    """One step: some components of a stage, on the outputs of earlier steps.

    Attributes:
        name: Key in the configuration, with label or fold where there are several: ``source.raw``, ``model[cv1]``.
        stage: Stage, or ``predict``, ``champion``, ``scoring`` for what the engine does itself.
        components: The components by label.
        inputs: Names of the steps whose outputs it takes.
        fold: Fold that it works on.
        own: What enters its fingerprint besides components and inputs.
    """

    name: str
    stage: str
    components: Mapping[str, Any] = field(default_factory=dict)  # each of its stage's class
    inputs: tuple[str, ...] = ()
    fold: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, word: str) -> bool:
        """Return whether a word of ``--from``, ``--to`` or ``--only`` means this step."""
        return word in (self.name, self.stage, self.name.partition("[")[0], self.name.partition(".")[0])


def steps_of(
    experiment: Experiment, champion: Mapping[str, Any] | None = None, shape: Mapping[str, Any] | None = None
) -> list[Step]:
    """Return the steps of an experiment, in an order in which each comes after its inputs.

    Args:
        experiment: The experiment.
        champion: The project's champion version, where a gate will compare with it.
        shape: The cluster's shape, where a trainer's result depends on it.
    """
    one, every = experiment.one, experiment.all
    schema = _schema_facts(experiment.schema)
    steps = [
        Step(
            f"source.{label}" if len(every("acquire")) > 1 else "source",
            "acquire",
            {label: source},
            own={"types": _schema_facts(experiment.schema_of(label))["types"]},
        )
        for label, source in every("acquire").items()
    ]
    sources = tuple(step.name for step in steps)
    for label, step in zip(every("acquire"), list(steps), strict=True):
        steps += _checks(experiment, f"checks.{label}", label, step.name, sources)
    table = sources[0]
    if every("prepare") or len(sources) > 1:
        if not every("prepare"):
            raise ConfigError(
                "The project has several sources and no 'prepare' that makes one table of them",
                where=experiment.where("source"), mend="Declare how they join under 'prepare'",
            )  # fmt: skip
        held: dict[str, Any] = {"target": list(experiment.schema.with_role("target"))}  # which no window may see early
        held |= {"schema": schema["rules"]} if any(p.of_schema for p in every("prepare").values()) else {}
        steps.append(Step("prepare", "prepare", every("prepare"), sources, own=held))
        table = "prepare"
    steps += _checks(experiment, "checks", "", table, sources)
    if every("profile"):
        steps.append(Step("profile", "profile", every("profile"), (table,), own={"schema": schema["columns"]}))
    learnt = {"schema": schema["columns"], "task": experiment.settings.task}
    splitter = one("split")
    steps.append(Step("split", "split", every("split"), (table,), own=learnt))
    folds = splitter.fold_names()
    scored = []
    for fold in folds:
        tag = f"[{fold}]" if len(folds) > 1 else ""
        here = {**learnt, "fold": fold}
        steps.append(Step(f"features{tag}", "features", every("features"), ("split",), fold, here))
        trained = {**here, "compute": dict(shape)} if shape and one("train").distributed else here
        steps.append(Step(f"model{tag}", "train", every("train"), ("split", f"features{tag}"), fold, trained))
        if len(folds) == 1 or fold != folds[-1]:
            inputs = ("split", f"features{tag}", f"model{tag}")
            phases = {**here, "phases": list(experiment.settings.phases)}
            steps.append(Step(f"predictions{tag}", "predict", {}, inputs, fold, phases))
            scored.append(f"predictions{tag}")
    metrics = every("evaluate")
    steps.append(Step("metrics", "evaluate", metrics, tuple(scored)))
    tag = f"[{folds[-1]}]" if len(folds) > 1 else ""
    if every("gate"):
        judged: tuple[str, ...] = ("metrics",)
        if champion and any(gate.needs_champion for gate in every("gate").values()):
            # Its final fit saw every row of a cross-validation, so scoring it on those folds would flatter it: what a
            # cross-validated challenger compares with is the champion's own cross-validation.
            judge = {"scores": champion["metrics"]} if len(folds) > 1 else {"model": champion["model"]}
            own = {**judge, "phases": list(experiment.settings.phases), "folds": list(folds)}
            steps.append(Step("champion", "champion", metrics, ("split",), own=own))
            judged = ("metrics", "champion")
        steps.append(Step("gates", "gate", every("gate"), judged))
    last = ("split", f"features{tag}", f"model{tag}")
    rows = tuple(name for name in (table,) if every("prepare"))
    own = {"schema": schema["rules"], "prepare": [c.config() for c in every("prepare").values() if c.row]}
    steps.append(Step("scoring", "scoring", {}, (*last, *rows), folds[-1], {**own, "project": experiment.project}))
    if every("package"):
        steps.append(
            Step("package", "package", every("package"), ("scoring",), own={"schema": experiment.schema.plain()})
        )
    return steps


def _checks(experiment: Experiment, name: str, source: str, table: str, sources: tuple[str, ...]) -> list[Step]:
    """Return the step that checks a source's table, or the prepared one; none where nothing is declared about it."""
    own = source in experiment.schemas
    found = {
        label: check for label, check in experiment.all("validate").items()
        if getattr(check, "table", "") == source or (own and check.of_schema)
    }  # fmt: skip
    across = tuple(s for s in sources if s != table) if any(check.across for check in found.values()) else ()
    rules = _schema_facts(experiment.schema_of(source))["rules"]
    return [Step(name, "validate", found, (table, *across), own={"schema": rules})] if found else []


def _schema_facts(declared: Schema) -> dict[str, Any]:
    schema = declared.plain()
    columns: dict[str, Any] = schema["columns"]
    learnt = ("type", "role", "values", "positive")
    rules = {
        **schema,
        "columns": {n: {k: v for k, v in c.items() if k != "description"} for n, c in columns.items()},
        "rules": {n: {k: v for k, v in r.items() if k != "description"} for n, r in schema["rules"].items()},
    }
    return {
        "types": {name: column["type"] for name, column in columns.items()},
        "columns": {name: {key: column[key] for key in learnt} for name, column in columns.items()},
        "rules": rules,
    }


@dataclass(frozen=True)
class Select:
    """Which steps to run: from one, to one, or only one; names are those of steps or stages."""

    start: str = ""
    end: str = ""

    def steps(self, steps: Sequence[Step]) -> Chosen:
        """Return the names of the steps to run, and of those whose outputs must be there already.

        Raises:
            ConfigError: a word that means no step, or a start that comes after the end.
        """
        first = self._place(self.start, steps)[0] if self.start else 0
        last = self._place(self.end, steps)[-1] if self.end else len(steps) - 1
        if first > last:
            raise ConfigError(
                f"'{self.start}' comes after '{self.end}', so there is nothing from the one to the other",
                mend="Name the earlier step in --from",
            )
        run = {step.name for step in steps[first : last + 1]}
        needed: set[str] = set()
        for step in reversed(steps):
            if step.name in run or step.name in needed:
                needed.update(name for name in step.inputs if name not in run)
        return Chosen(run, needed)

    @staticmethod
    def _place(word: str, steps: Sequence[Step]) -> list[int]:
        places = [i for i, step in enumerate(steps) if step.matches(word)]
        if not places:
            names = {step.name for step in steps} | {step.name.partition("[")[0] for step in steps}
            raise ConfigError(f"No step is called '{word}'", mend=nearest(word, names))
        return places


@dataclass(frozen=True)
class Chosen:
    """Names of steps to run, and of those that must be there already."""

    run: set[str]
    needed: set[str]
