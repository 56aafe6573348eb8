"""The plan: which steps an experiment has, which of them would run, and what changed to make each run.

Planning is pure: it reads the experiment, what the ledger says ran last, and the store's index; it computes nothing.
Rendering, ``--why`` and the engine are readers of the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelway.errors import ConfigError
from modelway.experiment import Experiment
from modelway.fingerprint import SCHEMA, StatCache, differences, digest, ingredients
from modelway.plan.steps import ENGINE, Select, Step, steps_of
from modelway.stages import STAGES
from modelway.store import Manifest

__all__ = [
    "MARKS", "History", "Plan", "Planned", "Select", "Step", "fingerprint_of", "identity", "make", "own_ingredients",
    "steps_of",
]  # fmt: skip

#: What a step's mark means.
MARKS = {
    "=": "cached",
    "~": "changed",
    "+": "new",
    "?": "runs only if its input comes out different",
    "!": "moves an alias",
}


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


@dataclass(frozen=True)
class History:
    """What planning reads: the store's index, what ran last, and what data and libraries are there.

    Attributes:
        lookup: What is in the store under a fingerprint.
        last: The fingerprint that each step had last.
        data: Version of each source's data, by step, and of what a check depends on besides, as ``check LABEL``.
        libraries: Version of a distribution.
        code: Remembers code that has not changed.
        champion: The project's champion version.
        predecessor: The version that the champion took over from when it became the champion.
        shape: The shape of the cluster that the work would go to; empty in-process.
    """

    lookup: Callable[[str], Manifest | None]
    last: Mapping[str, str]
    data: Mapping[str, str]
    libraries: Callable[[str], str]
    code: StatCache
    champion: Mapping[str, Any] | None = None
    predecessor: Mapping[str, Any] | None = None
    shape: Mapping[str, Any] = field(default_factory=dict)


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
    planned: list[Planned] = []
    steps = steps_of(experiment, history.champion, history.shape)
    chosen = (select or Select()).steps(steps)
    every = _plan_steps(experiment, steps, history, chosen.run if force else set())
    if _is_champion(every, history):
        # What a version had to beat stays what it was, or a released model would be judged against itself.
        steps = steps_of(experiment, history.predecessor, history.shape)
        chosen = (select or Select()).steps(steps)
        every = _plan_steps(experiment, steps, history, set())
    for found in every:
        step = found.step
        if step.name in chosen.needed and found.mark != "=":
            raise ConfigError(
                f"Step '{step.name}' comes before what was asked for, and is not in the store as declared now",
                where=found.reason, mend=f"Run it too: leave --from or --only out, or start from '{step.name}'",
            )  # fmt: skip
        if step.name in chosen.run or step.name in chosen.needed:
            planned.append(found)
    return Plan(experiment, tuple(planned), tuple(_effects(experiment, history, planned)))


def _plan_steps(experiment: Experiment, steps: Sequence[Step], history: History, forced: set[str]) -> list[Planned]:
    known: dict[str, str | None] = {}
    planned = []
    for step in steps:
        own = own_ingredients(step, experiment, history)
        inputs = {name: known.get(name) for name in step.inputs}
        found = _plan_step(experiment, step, own, inputs, history, force=step.name in forced)
        known[step.name] = identity(step, found.manifest) if found.mark == "=" and found.manifest else None
        planned.append(found)
    return planned


def _is_champion(planned: Sequence[Planned], history: History) -> bool:
    """Whether the model as declared is the champion itself, and its gates would compare it with that."""
    if history.champion is None or all(p.step.stage != "champion" for p in planned):
        return False
    scoring = next(p for p in planned if p.step.stage == "scoring")
    return scoring.mark == "=" and scoring.manifest is not None and scoring.manifest.digest == history.champion["model"]


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
    moments = {label: history.data[f"check {label}"] for label in step.components if f"check {label}" in history.data}
    if step.stage == "validate" and moments:
        found["data"] = moments
    if step.stage == "scoring":  # row preparers travel with the model, so their code is part of it
        row = {label: c for label, c in experiment.all("prepare").items() if c.row}
        found["prepare"] = ingredients(row, history.code, history.libraries, 0)
    return found


def identity(step: Step, manifest: Manifest) -> str:
    """Return what later steps take for the identity of a step's output.

    For most steps that is the content's digest, so that equal outputs compute nothing anew. A transform or a model is
    applied by its component's code, which is not in the content: code and libraries count there too. A scoring model
    is all that it was made from: its bundle carries their code. A source is its rows, whichever files they came in.
    """
    if step.stage == "acquire":  # what a table says of its origin reaches nothing that is made of it
        return digest(
            [manifest.kind, {name: found for name, (found, _) in manifest.files.items() if name != "table.json"}]
        )
    if step.stage == "scoring":
        return digest([manifest.digest, manifest.facts.get("ingredients", {}).get("inputs", {})])
    if step.stage not in ("features", "train"):
        return manifest.digest
    components = manifest.facts.get("ingredients", {}).get("components", {})
    return digest([manifest.digest, {k: [c["code"], c["libraries"]] for k, c in components.items()}])


def fingerprint_of(own: Mapping[str, Any], inputs: Mapping[str, str | None]) -> str:
    """Return the fingerprint of a step whose inputs are all known."""
    return digest({**own, "inputs": dict(inputs)})


def _plan_step(
    experiment: Experiment,
    step: Step,
    own: dict[str, Any],
    inputs: dict[str, str | None],
    history: History,
    *,
    force: bool,
) -> Planned:
    waits = [name for name, found in inputs.items() if found is None]
    last, fingerprint = history.last.get(step.name), None if waits else fingerprint_of(own, inputs)
    manifest = history.lookup(fingerprint) if fingerprint and not force else None
    before = manifest if manifest and last == fingerprint else history.lookup(last) if last else None
    seconds = before.facts.get("cost", {}).get("wall") if before else None
    planned = Planned(step, "+", "new", own, fingerprint, seconds=seconds)
    if manifest is not None:
        return replace(planned, mark="=", reason="", manifest=manifest)
    changes = list(_changes(experiment, step, before.facts.get("ingredients", {}), own)) if before else []
    if before and not (waits or changes or force):
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
        same = planned.fingerprint == history.last[step.name]
        return replace(planned, mark="~", reason="not in the store any more" if same else "declared in another order")
    return planned


def _changes(experiment: Experiment, step: Step, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key, a, b in differences({k: v for k, v in old.items() if k != "inputs"}, new):
        parts = key.split(".")
        if isinstance(a, list) and isinstance(b, list) and a != b and sorted(map(str, a)) == sorted(map(str, b)):
            found.append(f"order of {_named(experiment, step, parts)}")
        elif parts[0] in ("components", "prepare"):  # a scoring model holds the row preparers beside its own inputs
            stage = {"champion": "evaluate", "scoring": "prepare"}.get(step.stage, step.stage)
            found.append(_component_change(experiment, stage, parts[1:], a, b))
        elif parts[0] == "data":
            found.append("data")
        elif parts[0] == "own":
            what = ".".join(parts[1:])
            found.append(f"{what} {_short(a)} -> {_short(b)}")
        else:
            found.append(f"modelway {parts[0]} {_short(a)} -> {_short(b)}")
    return list(dict.fromkeys(found))


def _named(experiment: Experiment, step: Step, parts: Sequence[str]) -> str:
    if parts == ["components"]:
        return STAGES[step.stage][2] if step.stage in STAGES else STAGES["evaluate"][2]
    if parts[0] == "components" and len(parts) > 3:
        return f"{experiment.key(step.stage, parts[1])}.{'.'.join(parts[3:])}"
    return ".".join(parts[1:])


def _component_change(experiment: Experiment, stage: str, parts: Sequence[str], a: Any, b: Any) -> str:
    label, what = parts[0], parts[1] if len(parts) > 1 else ""
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
