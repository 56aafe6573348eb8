"""A sweep: trials that a sweeper proposes and a launcher carries out, frozen when it is submitted, on record as one.

A trial is named by its content, never by its place: a sweep that was cut short goes on with what is missing, and a
point that another sweep has made is not made again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelway.builtin import Basic, Grid, cores
from modelway.config.trials import Frozen, words
from modelway.engine.flight import holder, process
from modelway.engine.standing import best, goes_on, importances
from modelway.engine.trial import Host, Result, Trial, code_of, run_trial, welcome
from modelway.errors import ComputeError, ConfigError, ConflictError, ModelwayError, nearest
from modelway.experiment import Experiment
from modelway.fingerprint import digest
from modelway.ledger import actor, new_id, now
from modelway.plan import Select
from modelway.plugins import Plugins
from modelway.search import Choices, Interval, Point, Search
from modelway.workspace import Workspace

#: Keys of the configuration that say how a sweep is made, and not what its trials are.
_ABOUT = ("launcher", "sweeper", "space", "objective", "compute", "tags", "description", "owners")

_HOW = re.compile(rf"[+~]*(hydra[./])?({'|'.join(_ABOUT)})\b")


@dataclass
class Done:
    """A trial of a sweep with what it was asked for, how it ended, and its objectives' values."""

    point: Point
    overrides: list[str]
    result: Result
    values: dict[str, float | None] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "name": self.result.name, "overrides": self.overrides, "values": dict(self.point.values),
            "status": self.result.status, "run": self.result.run or None, "ran": self.result.ran,
            "scores": self.result.scores, "error": self.result.error or None, "seconds": self.result.seconds,
        }  # fmt: skip


class Sweep:
    """A sweep of a project.

    Args:
        project: The project's name or path.
        overrides: Overrides, those with several values or an interval being the space.
        select: Steps that each trial has; by default up to the metrics.
        force: Compute each trial's steps anew.

    Attributes:
        id: Its id: a new one, or that of the sweep of the same content, which goes on.
        name: Digest of its content: space, configuration, code.
        objectives: By name, whether a smaller value is better.

    Raises:
        ConfigError: anything wrong with the configuration, the space or the objectives.
        ConflictError: another process of this host is at this very sweep.
    """

    def __init__(
        self, project: str, overrides: Sequence[str], *, select: Select | None = None, force: bool = False
    ) -> None:
        workspace, root = Workspace.project(project)
        plugins = Plugins(inline=root / "plugin.py")
        self.given, self.asked = list(overrides), project
        self.frozen = Frozen(root, overrides, workspace, plugins)
        base = self.frozen.base
        self.launcher = base.one("launch") or Basic()
        self.sweeper = base.one("search") or Grid()
        self.host = Host(workspace, plugins, "")
        first = self._first()
        self.host.hold(first)
        self.host.code = code_of(first, self.host.stats)
        self.engine = self.host.engine(first)
        self.force, self.root, self.workspace = force, root, workspace
        self.select = select or Select()
        if not self.select.start and not self.select.end:
            self.select = Select("", "metrics")
        self.objectives = _objectives(first)
        self.name = self._name()
        self.project = first.project
        ledger = self.engine.ledger
        same = [] if force else [row for row in ledger.sweeps(self.project, 1000) if row["name"] == self.name]
        self.id: str = same[0]["id"] if same else new_id()
        self.resumed = bool(same)
        if same and goes_on(same[0]):
            raise ConflictError(
                f"This sweep is going on already, in process {process(same[0]['body']['holder'])}",
                where=f"sweep {self.id}", mend=f"Look in on it with: modelway sweeps {self.id} --follow",
            )  # fmt: skip
        welcome(self.host, root)

    def _first(self) -> Experiment:
        """Compose a trial with each value of each key, so that no wrong one comes to light late; returns the first."""
        spaces = {k: s.values if isinstance(s, Choices) else (s.low, s.high) for k, s in self.frozen.space.items()}
        corner = {key: values[0] for key, values in spaces.items()}
        experiment = self.frozen.trial(self._whole(corner))
        experiment.check()
        for key, values in spaces.items():
            for value in values[1:]:
                self.frozen.trial(self._whole({**corner, key: value})).check()
        return experiment

    def _whole(self, values: Mapping[str, Any]) -> dict[str, Any]:
        whole = {k for k, s in self.frozen.space.items() if isinstance(s, Interval) and s.whole}
        return {key: int(value) if key in whole else value for key, value in values.items()}

    def _name(self) -> str:
        space = {key: repr(found) for key, found in self.frozen.space.items()}
        config = {key: value for key, value in self.frozen.base.config.items() if key not in _ABOUT}
        return digest([config, space, self.sweeper.name, list(self.objectives), self.host.code])[:16]

    def run(self, told: Callable[[Done], None], *, fail_fast: bool = False, note: str = "") -> list[Done]:
        """Make the trials; ``told`` hears of each as it ends.

        Raises:
            KeyboardInterrupt: stopped by hand; what was done is on record.
            ComputeError: the launcher cannot start, or lost what it works with.
        """
        ledger, done = self.engine.ledger, list[Done]()
        row: dict[str, Any] = {"id": self.id, "project": self.project, "created": now(), "status": "running"}
        row |= {"actor": actor(), "name": self.name, "overrides": self.given}
        about: dict[str, Any] = {"objectives": self.objectives, "note": note, "code": self.host.code}
        points = None if self.sweeper.seeded else self.frozen.points
        about |= {"holder": holder(), "asked": self.asked, "points": points}
        about["fixed"] = [word for word in self.frozen.fixed if not _HOW.match(word)]
        ledger.sweep_start({**row, "body": about})
        status = "stopped"
        try:
            with TemporaryDirectory(prefix="modelway-") as scratch, ExitStack() as stack:
                context = replace(self.engine._context(self.id, Path(scratch)), label=self.name)
                executor = stack.enter_context(self.launcher.open(context))
                search = stack.enter_context(self.sweeper.search(self.frozen.space, self.objectives, context))
                try:
                    width = max(1, self.launcher.width(context))
                    self._drive(search, executor, width, done, told, fail_fast=fail_fast)
                except BaseException:
                    self.host.stop()
                    executor.shutdown(wait=False, cancel_futures=True)
                    raise
                rows = ledger.trials(self.id)
                shares = dict(search.importances()) or importances(rows, self.objectives)
                about |= {"importances": shares, "best": [row["name"] for row in best(rows, self.objectives)]}
                ledger.sweep_start({**row, "body": about})
            failed = sum(d.result.status == "failed" for d in done)
            status = "done" if not failed else "failed" if failed == len(done) else "partial"
        finally:
            ledger.sweep_finish(self.id, status)
            self.host.stats.save(self.workspace.write_cache)
        return done

    def _drive(
        self, search: Search, executor: Executor, width: int, done: list[Done], told: Callable[[Done], None], *,
        fail_fast: bool,
    ) -> None:  # fmt: skip
        waiting: dict[Future[Result], Trial] = {}
        points: dict[str, list[Point]] = {}  # of each trial: two points may be one and the same trial
        made: dict[str, Result] = {}
        places = {row["name"]: row["place"] for row in self.engine.ledger.trials(self.id)}
        over = False
        try:
            while True:
                asked = search.ask(width - len(waiting)) if not over and len(waiting) < width else []
                over = over or (not asked and not waiting)
                for point in asked:
                    trial = self._trial(point, search, width)
                    if trial.name in points:
                        points[trial.name].append(point)
                        if trial.name in made:
                            self._tell(search, point, made[trial.name])
                        continue
                    points[trial.name] = [point]
                    place = places.setdefault(trial.name, len(places))
                    row = {"name": trial.name, "place": place, "overrides": words(point.values)}
                    self.engine.ledger.trial(self.id, {**row, "status": "running"})
                    waiting[_submitted(executor, trial)] = trial
                if not waiting and over:
                    return
                ended = wait(waiting, return_when=FIRST_COMPLETED).done if waiting else ()
                for future in ended:
                    trial = waiting.pop(future)
                    made[trial.name] = result = _result(future, trial)
                    for point in points[trial.name]:
                        values = self._tell(search, point, result)
                    done.append(self._enter(points[trial.name][0], result, values))
                    told(done[-1])
                    over = over or (fail_fast and result.status == "failed")
        finally:
            for name in points.keys() - made.keys():
                self.engine.ledger.trial(self.id, {"name": name, "status": "waiting"})

    def _trial(self, point: Point, search: Search, width: int) -> Trial:
        experiment = self.frozen.trial(point.values)
        config = {key: value for key, value in experiment.config.items() if key not in _ABOUT}
        return Trial(
            name=digest([config, self.host.code])[:12], overrides=experiment.overrides, config=experiment.config,
            origin=experiment.origin, root=str(self.root), workspace=str(self.workspace.root), sweep=self.id,
            code=self.host.code, select=self.select, force=self.force, threads=_share_of_cores(width),
            together=self.launcher.together, watch=search.watch(point), experiment=experiment,
        )  # fmt: skip

    def _tell(self, search: Search, point: Point, result: Result) -> list[float | None]:
        """Let the sweeper know how a point came out; returns the objectives' values."""
        values = [_value(result.scores, name) for name in self.objectives]
        good = result.status in ("done", "kept") and all(value is not None for value in values)
        found = [value for value in values if value is not None]
        search.tell(point, found if good else None, pruned=result.status == "pruned")
        return values

    def _enter(self, point: Point, result: Result, values: list[float | None]) -> Done:
        row: dict[str, Any] = {"name": result.name, "run": result.run, "status": result.status, "error": result.error}
        row["vals"] = dict(zip(self.objectives, values, strict=True))
        self.engine.ledger.trial(self.id, {**row, "seconds": result.seconds})
        return Done(point, words(point.values), result, row["vals"])


def _submitted(executor: Executor, trial: Trial) -> Future[Result]:
    try:
        return executor.submit(run_trial, trial)
    except BrokenExecutor as error:
        raise ComputeError(
            f"The sweep's launcher lost its workers: {error}".rstrip("."),
            mend="Repeating the command goes on with the trials that are missing",
        ) from None


def _result(future: Future[Result], trial: Trial) -> Result:
    try:
        return future.result()
    except ModelwayError as error:
        return Result(trial.name, "failed", error=str(error))
    except BrokenExecutor:
        lost = ComputeError(
            "The process that made the trial was lost",
            mend="The system's log says whether it ran out of memory: then let fewer trials go on at once",
        )
        return Result(trial.name, "failed", error=str(lost))
    except Exception as error:  # whatever a launcher may raise: the other trials go on
        return Result(trial.name, "failed", error=f"The trial was lost: {type(error).__name__}: {error}")


def _value(scores: Mapping[str, float | None], name: str) -> float | None:
    if name.partition(".")[0] in ("train", "valid", "test"):
        return scores.get(name)
    return scores.get(f"valid.{name}", scores.get(f"test.{name}"))


def _objectives(experiment: Experiment) -> dict[str, bool]:
    metrics, found = experiment.all("evaluate"), {}
    for name in experiment.settings.objective or tuple(metrics)[:1]:
        head, _, rest = name.partition(".")
        label = rest.partition(".")[0] if head in ("train", "valid", "test") else head
        if label not in metrics:
            raise ConfigError(
                f"The objective '{name}' is no metric of the project", where=experiment.where("objective"),
                mend=nearest(label, metrics),
            )  # fmt: skip
        found[name] = bool(metrics[label].lower_is_better)
    return found


def _share_of_cores(width: int) -> int:
    return 0 if width == 1 else max(1, cores() // width)
