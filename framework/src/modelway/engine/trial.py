"""One trial of a sweep: an experiment that is composed already, carried out in whichever process it was sent to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelway.config import resolve
from modelway.context import Event
from modelway.engine import Engine
from modelway.engine.meter import memory_limit, version_of
from modelway.errors import ConflictError, ModelwayError, PrunedError
from modelway.experiment import Experiment
from modelway.fingerprint import StatCache, digest, ingredients
from modelway.plan import Select
from modelway.plugins import Plugins
from modelway.workspace import Workspace

Watch = Callable[[int, Mapping[str, float]], bool]


@dataclass(frozen=True)
class Trial:
    """What a process needs to carry a trial out; plain values only.

    Attributes:
        name: Digest of the trial's content, short.
        config, origin: The composed configuration.
        code: Digest of the code that the sweep was submitted with.
        threads: Cores that the trial may use; 0 means all.
        together: Whether other trials may go on in the same process meanwhile.
        watch: Asked after each training round whether to go on.
        experiment: The same, resolved already, for this very process; sent to another one, it stays behind.
    """

    name: str
    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    origin: Mapping[str, str]
    root: str
    workspace: str
    sweep: str
    code: str
    select: Select = field(default_factory=Select)
    force: bool = False
    threads: int = 0
    together: bool = False
    watch: Watch | None = None
    experiment: Experiment | None = field(default=None, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "experiment": None}


@dataclass(frozen=True)
class Result:
    """How a trial ended: ``done``, ``kept`` (every step was there), ``failed`` or ``pruned``."""

    name: str
    status: str
    run: str = ""
    ran: int = 0
    measured: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    seconds: float = 0.0

    @property
    def scores(self) -> dict[str, float | None]:
        """Return what was measured, by phase and metric."""
        return {f"{m['phase']}.{m['metric']}": m["value"] for m in self.measured}


class Shared:
    """What trials of one process share: made once, also where several want it at the same time; oldest go first."""

    def __init__(self, most: int) -> None:
        self.most, self.lock = most, threading.Lock()
        self.kept: OrderedDict[str, tuple[int, threading.Lock, list[Any]]] = OrderedDict()

    def share(self, name: str, make: Callable[[], Any], size: int) -> Any:
        """Return what is kept under a name, or make it and keep it."""
        if size > self.most:
            return make()
        with self.lock:
            if name not in self.kept:
                self.kept[name] = (size, threading.Lock(), [])
                while sum(found[0] for found in self.kept.values()) > self.most:
                    self.kept.popitem(last=False)
            found = self.kept.get(name)
            if found is None:
                return make()
            self.kept.move_to_end(name)
        with found[1]:
            if not found[2]:
                made = make()
                found[2].append(list(made) if isinstance(made, Iterator) else made)
        return found[2][0]


class Host:
    """What the trials of a sweep have in common in one process: plugins, state of files, memory."""

    def __init__(self, workspace: Workspace, plugins: Plugins, code: str) -> None:
        self.workspace, self.plugins, self.code = workspace, plugins, code
        self.stats = StatCache(workspace.cache / "files.json")
        self.shared = Shared(min(1 << 30, memory_limit() // 4))
        self._first: Engine | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Let the trials that are under way in this process end at their next step or training round."""
        self._stopped = True

    def heard(self, event: Event) -> None:
        """Hear of what a trial does next.

        Raises:
            KeyboardInterrupt: the sweep was stopped.
        """
        if self._stopped and event.kind.startswith("step_"):
            raise KeyboardInterrupt

    def hold(self, experiment: Experiment) -> None:
        """Take the state of the code as it is now for what it is until the process ends."""
        self.stats.hold({type(component) for _, _, component in experiment.items()})

    def engine(self, experiment: Experiment) -> Engine:
        """Return the engine of a trial."""
        with self._lock:
            if self._first is None:
                self._first = Engine(experiment, self.workspace, self.plugins)
                self._first.stats = self.stats
                self._first.facts = (self._first.code(), self._first.environment())
        engine = Engine(experiment, self.workspace, self.plugins, self.heard, beside=self._first)
        engine.facts = self._first.facts
        return engine


_HOSTS: dict[tuple[str, str, str], Host] = {}
_LOCK = threading.Lock()


def code_of(experiment: Experiment, stats: StatCache) -> str:
    """Return the digest of the code of an experiment's components."""
    found = {}
    for stage, label, component in experiment.items():
        if stage in ("launch", "search", "compute"):
            continue  # they say how trials are made, not what comes out
        own = ingredients({label: component}, stats, version_of, 0)[label]
        found[f"{stage} {component.name}"] = [own["code"], own["libraries"]]
    return digest(found)


def welcome(host: Host, root: Path) -> None:
    """Let the trials that run in this very process use what the sweep itself uses."""
    _HOSTS[str(host.workspace.root), str(root), host.code] = host


def _host(trial: Trial) -> tuple[Host, Experiment]:
    key = (trial.workspace, trial.root, trial.code)
    with _LOCK:
        host = _HOSTS.get(key)
        if host is None:
            workspace = Workspace(Path(trial.workspace))
            plugins = Plugins(inline=Path(trial.root) / "plugin.py")
            host = Host(workspace, plugins, trial.code)
            experiment = _experiment(trial, host)
            host.hold(experiment)
            if code_of(experiment, host.stats) != trial.code:
                raise ConflictError(
                    "This worker has other code than the sweep was submitted with", where=trial.root,
                    mend="Restart the workers with the same code, or submit the sweep again",
                )  # fmt: skip
            _HOSTS[key] = host
    return host, _experiment(trial, host)


def _experiment(trial: Trial, host: Host) -> Experiment:
    if trial.experiment is not None:
        return trial.experiment
    return resolve(trial.config, trial.origin, Path(trial.root), trial.overrides, host.plugins)


def run_trial(trial: Trial) -> Result:
    """Carry a trial out; what goes wrong with it is part of the result."""
    try:
        host, experiment = _host(trial)
        engine = host.engine(experiment)
    except ModelwayError as error:
        return Result(trial.name, "failed", error=str(error))
    return _run(trial, engine, host)


def _run(trial: Trial, engine: Engine, host: Host) -> Result:
    def report(round: int, scores: Mapping[str, float]) -> bool:
        if trial.watch is not None and not trial.watch(round, scores):
            raise PrunedError(f"The sweep's sweeper pruned the trial after round {round}")
        return True

    engine.more = {"threads": trial.threads, "on_share": host.shared.share}
    engine.on_report, engine.alone = report, not trial.together
    try:
        plan = engine.plan(force=trial.force, select=trial.select)
        metrics = next((p.manifest for p in plan.steps if p.step.name == "metrics"), None)
        if plan.idle and metrics is not None:
            measured = metrics.facts["summary"]["measured"]
            return Result(trial.name, "kept", metrics.facts.get("run", ""), 0, tuple(measured))
        outcome = engine.run(plan, parent=trial.sweep)
    except PrunedError as error:
        return Result(trial.name, "pruned", error=str(error))
    except ModelwayError as error:
        return Result(trial.name, "failed", error=str(error))
    measured = outcome.summary("metrics").get("measured", [])
    ran = len(outcome.steps) - len(outcome.cached)
    return Result(trial.name, "done", outcome.run, ran, tuple(measured), "", outcome.seconds)
