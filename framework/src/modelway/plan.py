"""The plan: which steps an experiment has, which of them would run, and what changed to make each run.

Planning is pure: it reads the experiment, what the ledger says ran last, and the store's index; it computes nothing.
Rendering, ``--why`` and the engine are readers of the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelway.component import Component
from modelway.errors import ConfigError, nearest
from modelway.experiment import Experiment
from modelway.fingerprint import SCHEMA, StatCache, differences, digest, ingredients
from modelway.stages import STAGES
from modelway.store import Manifest

#: The engine's own number for each stage: raised when what the engine does there changes a result.
ENGINE = {**dict.fromkeys(STAGES, 1), "predict": 1, "champion": 1, "scoring": 1}

#: What a step's mark means.
MARKS = {"=": "cached", "~": "changed", "+": "new", "?": "runs only if its input comes out different", "!": "moves an alias"}


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
    components: Mapping[str, Component] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    fold: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, word: str) -> bool:
        """Return whether a word of ``--from``, ``--to`` or ``--only`` means this step."""
        return word in (self.name, self.stage, self.name.partition("[")[0], self.name.partition(".")[0])


@dataclass(frozen=True)
class Planned:
    """A step with what would happen to it.

    Attributes:
        mark: One of ``MARKS``.
        reason: What changed, in words; empty for a cached step.
        ingredients: What enters the fingerprint, but for inputs that are not known yet.
        fingerprint: None while an input is not known.
        manifest: What is in the store under the fingerprint.
        seconds: Wall time that it took last, where known.
    """

    step: Step
    mark: str
    reason: str
    ingredients: Mapping[str, Any]
    fingerprint: str | None = None
    manifest: Manifest | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """Ordered steps, and what a run would move beyond artifacts."""

    experiment: Experiment
    steps: tuple[Planned, ...]
    effects: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing would run."""
        return all(planned.mark == "=" for planned in self.steps)

    def __str__(self) -> str:
        lines = [f"{p.mark} {p.step.name:<20} {p.reason}".rstrip() for p in self.steps]
        return "\n".join([*lines, *(f"! {effect}" for effect in self.effects)])

    def plain(self) -> dict[str, Any]:
        """Return the plan as plain JSON."""
        rows = [
            {
                "mark": p.mark,
                "step": p.step.name,
                "stage": p.step.stage,
                "use": [c.name for c in p.step.components.values()],
                "reason": p.reason,
                "fingerprint": p.fingerprint,
                "digest": p.manifest.digest if p.manifest else None,
                "seconds": p.seconds,
            }
            for p in self.steps
        ]
        return {"project": self.experiment.project, "steps": rows, "effects": list(self.effects)}


def steps_of(experiment: Experiment, champion: Mapping[str, Any] | None = None) -> list[Step]:
    """Return the steps of an experiment, in an order in which each comes after its inputs.

    Args:
        experiment: The experiment.
        champion: The project's champion version, where a gate will compare with it.
    """
    one, every = experiment.one, experiment.all
    schema = _schema_facts(experiment)
    steps = [
        Step(f"source.{label}" if len(every("acquire")) > 1 else "source", "acquire", {label: source}, own={"types": schema["types"]})
        for label, source in every("acquire").items()
    ]
    sources = tuple(step.name for step in steps)
    table = sources[0]
    if every("prepare") or len(sources) > 1:
        if not every("prepare"):
            raise ConfigError(
                "The project has several sources and no 'prepare' that makes one table of them",
                where=experiment.where("source"), mend="Declare how they join under 'prepare'",
            )  # fmt: skip
        steps.append(Step("prepare", "prepare", every("prepare"), sources))
        table = "prepare"
    if every("validate"):
        steps.append(Step("checks", "validate", every("validate"), (table,), own={"schema": schema["rules"]}))
    if every("profile"):
        steps.append(Step("profile", "profile", every("profile"), (table,), own={"schema": schema["columns"]}))
    learnt = {"schema": schema["columns"], "task": experiment.settings.task}
    splitter = one("split")
    steps.append(Step("split", "split", every("split"), (table,), own=learnt))
    folds = splitter.folds()
    scored = []
    for fold in folds:
        tag = f"[{fold}]" if len(folds) > 1 else ""
        here = {**learnt, "fold": fold}
        steps.append(Step(f"features{tag}", "features", every("features"), ("split",), fold, here))
        steps.append(Step(f"model{tag}", "train", every("train"), ("split", f"features{tag}"), fold, here))
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
            own = {"model": champion["model"], "phases": list(experiment.settings.phases), "folds": list(folds)}
            steps.append(Step("champion", "champion", metrics, ("split",), own=own))
            judged = ("metrics", "champion")
        steps.append(Step("gates", "gate", every("gate"), judged))
    last = ("split", f"features{tag}", f"model{tag}")
    rows = tuple(name for name in (table,) if every("prepare"))
    own = {"schema": schema["rules"], "prepare": [c.config() for c in every("prepare").values() if c.row]}  # type: ignore[attr-defined]
    steps.append(Step("scoring", "scoring", {}, (*last, *rows), folds[-1], {**own, "project": experiment.project}))
    if every("package"):
        steps.append(Step("package", "package", every("package"), ("scoring",), own={"schema": experiment.schema.plain()}))
    return steps


def _schema_facts(experiment: Experiment) -> dict[str, Any]:
    schema = experiment.schema.plain()
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
class History:
    """What planning reads: the store's index, what ran last, and what data and libraries are there."""

    lookup: Callable[[str], Manifest | None]
    last: Mapping[str, str]
    data: Mapping[str, str]
    libraries: Callable[[str], str]
    code: StatCache
    champion: Mapping[str, Any] | None = None


def make(experiment: Experiment, history: History, *, force: bool = False, select: Select | None = None) -> Plan:
    """Plan an experiment.

    Args:
        experiment: What is declared.
        history: What is there already.
        force: Compute every selected step anew.
        select: Steps to keep.

    Raises:
        ConfigError: ``select`` names no step, or needs a step that was never computed.
    """
    known: dict[str, str | None] = {}
    planned: list[Planned] = []
    steps = steps_of(experiment, history.champion)
    chosen = (select or Select()).steps(steps)
    for step in steps:
        own = own_ingredients(step, experiment, history)
        inputs = {name: known.get(name) for name in step.inputs}
        found = _plan_step(experiment, step, own, inputs, history, force=force and step.name in chosen.run)
        known[step.name] = identity(step, found.manifest) if found.mark == "=" and found.manifest else None
        if step.name in chosen.needed and found.mark != "=":
            raise ConfigError(
                f"Step '{step.name}' comes before what was asked for, and is not in the store as declared now",
                where=found.reason, mend=f"Run it too: leave --from out, or start from '{step.name}'",
            )  # fmt: skip
        if step.name in chosen.run or step.name in chosen.needed:
            planned.append(found)
    return Plan(experiment, tuple(planned), tuple(_effects(experiment, history, planned)))


def own_ingredients(step: Step, experiment: Experiment, history: History) -> dict[str, Any]:
    """Return what enters a step's fingerprint, but for its inputs."""
    found = {
        "schema": SCHEMA,
        "engine": ENGINE[step.stage],
        "stage": step.stage,
        "components": ingredients(step.components, history.code, history.libraries, experiment.settings.seed),
        "own": dict(step.own),
    }
    if step.stage == "acquire":
        found["data"] = history.data.get(step.name, "")
    if step.stage == "scoring":  # row preparers travel with the model, so their code is part of it
        row = {label: c for label, c in experiment.all("prepare").items() if c.row}
        found["prepare"] = ingredients(row, history.code, history.libraries, 0)
    return found


def identity(step: Step, manifest: Manifest) -> str:
    """Return what later steps take for the identity of a step's output.

    For most steps that is the content's digest, so that equal outputs compute nothing anew. A transform or a model is
    applied by its component's code, which is not in the content: code and libraries count there too.
    """
    if step.stage not in ("features", "train"):
        return manifest.digest
    components = manifest.facts.get("ingredients", {}).get("components", {})
    return digest([manifest.digest, {k: [c["code"], c["libraries"]] for k, c in components.items()}])


def fingerprint_of(own: Mapping[str, Any], inputs: Mapping[str, str | None]) -> str:
    """Return the fingerprint of a step whose inputs are all known."""
    return digest({**own, "inputs": dict(inputs)})


def _plan_step(
    experiment: Experiment, step: Step, own: dict[str, Any], inputs: dict[str, str | None], history: History, *, force: bool
) -> Planned:
    before = history.lookup(history.last[step.name]) if step.name in history.last else None
    seconds = before.facts.get("cost", {}).get("wall") if before else None
    planned = Planned(step, "+", "new", own, seconds=seconds)
    changes = list(_changes(experiment, step, before.facts.get("ingredients", {}), own)) if before else []
    waits = [name for name, found in inputs.items() if found is None]
    if not waits:
        fingerprint = fingerprint_of(own, inputs)
        planned = replace(planned, fingerprint=fingerprint)
        manifest = None if force else history.lookup(fingerprint)
        if manifest is not None:
            return replace(planned, mark="=", reason="", manifest=manifest)
        if before and not changes and not force:
            old = before.facts["ingredients"].get("inputs", {})
            changes = [f"{name} is different" for name, found in inputs.items() if old.get(name) != found]
    if force:
        return replace(planned, mark="~", reason="forced")
    if changes:
        more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
        return replace(planned, mark="~", reason=", ".join(changes[:3]) + more)
    if before and waits:
        return replace(planned, mark="?", reason=f"if {' or '.join(waits)} comes out different")
    if before:
        return replace(planned, mark="~", reason="not in the store any more")
    return planned


def _changes(experiment: Experiment, step: Step, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key, a, b in differences({k: v for k, v in old.items() if k != "inputs"}, new):
        parts = key.split(".")
        if parts[0] == "components":
            found.append(_component_change(experiment, step, parts[1:], a, b))
        elif parts[0] == "data":
            found.append("data")
        elif parts[0] == "own":
            what = ".".join(parts[1:])
            found.append(f"{what} {_short(a)} -> {_short(b)}")
        else:
            found.append(f"modelway {parts[0]} {_short(a)} -> {_short(b)}")
    return list(dict.fromkeys(found))


def _component_change(experiment: Experiment, step: Step, parts: Sequence[str], a: Any, b: Any) -> str:
    label, what = parts[0], parts[1] if len(parts) > 1 else ""
    stage = "evaluate" if step.stage == "champion" else step.stage
    key = experiment.key(stage, label)
    if what == "":
        return f"{key} {'added' if a is None else 'removed'}"
    if what == "params":
        return f"{key}.{'.'.join(parts[2:])} {_short(a)} -> {_short(b)}"
    if what == "code":
        return f"code {'.'.join(parts[2:])}"
    if what == "libraries":
        return f"library {'.'.join(parts[2:])} {a} -> {b}"
    return f"{key if what != 'seed' else 'seed'} {_short(a)} -> {_short(b)}"


def _short(value: Any) -> str:
    text = "unset" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:20]}..."


def _effects(experiment: Experiment, history: History, planned: Sequence[Planned]) -> list[str]:
    if not any(p.step.name == "scoring" and p.mark != "=" for p in planned):
        return []
    project = experiment.project
    if history.champion is None:
        return [f"{project}@champion is set to the new version, if its gates pass"]
    if experiment.settings.promote == "auto":
        return [f"{project}@champion moves from version {history.champion['number']} to the new one, if its gates pass"]
    return []


@dataclass(frozen=True)
class Select:
    """Which steps to run: from one, to one, or only one; names are those of steps or stages."""

    start: str = ""
    end: str = ""

    def steps(self, steps: Sequence[Step]) -> Chosen:
        """Return the names of the steps to run, and of those whose outputs must be there already.

        Raises:
            ConfigError: a word that means no step.
        """
        first = self._place(self.start, steps)[0] if self.start else 0
        last = self._place(self.end, steps)[-1] if self.end else len(steps) - 1
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
