"""A sweep: trials that a sweeper proposes and a launcher carries out, frozen when it is submitted, on record as one.

A trial is named by its content, never by its place: a sweep that was cut short goes on with what is missing, and a
point that another sweep has made is not made again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelway.builtin import Basic, Grid
from modelway.config.trials import Frozen, words
from modelway.engine.trial import Host, Result, Trial, code_of, run_trial, welcome
from modelway.errors import ConfigError, ModelwayError, nearest
from modelway.experiment import Experiment
from modelway.fingerprint import digest
from modelway.ledger import Row, actor, new_id, now
from modelway.plan import Select
from modelway.plugins import Plugins
from modelway.search import Choices, Interval, Point, Search
from modelway.workspace import Workspace

#: Keys of the configuration that say how a sweep is made, and not what its trials are.
_ABOUT = ("launcher", "sweeper", "space", "objective", "compute", "tags", "description", "owners")


@dataclass
class Done:
    """A trial of a sweep with what it was asked for and how it ended."""

    point: Point
    overrides: list[str]
    result: Result
    scores: dict[str, float | None] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "name": self.result.name, "overrides": self.overrides, "values": dict(self.point.values),
            "status": self.result.status, "run": self.result.run or None, "ran": self.result.ran,
            "scores": self.scores, "error": self.result.error or None, "seconds": self.result.seconds,
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
    """

    def __init__(
        self, project: str, overrides: Sequence[str], *, select: Select | None = None, force: bool = False
    ) -> None:
        workspace, root = Workspace.project(project)
        plugins = Plugins(inline=root / "plugin.py")
        self.given = list(overrides)
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
        space = {key: repr(found) for key, found in self.frozen.space.items()} if self.sweeper.seeded else {}
        config = {key: value for key, value in self.frozen.base.config.items() if key not in _ABOUT}
        grid = None if self.sweeper.seeded else {key: repr(found) for key, found in self.frozen.space.items()}
        return digest([config, space, grid, self.sweeper.name, list(self.objectives), self.host.code])[:16]

    def run(self, told: Callable[[Done], None], *, fail_fast: bool = False, note: str = "") -> list[Done]:
        """Make the trials; ``told`` hears of each as it ends.

        Raises:
            KeyboardInterrupt: stopped by hand; what was done is on record.
        """
        ledger, done = self.engine.ledger, list[Done]()
        row: dict[str, Any] = {"id": self.id, "project": self.project, "created": now(), "status": "running"}
        row |= {"actor": actor(), "name": self.name, "overrides": self.given}
        about = {"objectives": self.objectives, "note": note, "code": self.host.code}
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
        self, search: Search, executor: Any, width: int, done: list[Done], told: Callable[[Done], None], *,
        fail_fast: bool,
    ) -> None:  # fmt: skip
        waiting: dict[Future[Result], tuple[Point, list[str]]] = {}
        over, place = False, 0
        while True:
            points = search.ask(width - len(waiting)) if not over and len(waiting) < width else []
            over = over or (not points and not waiting)
            for point in points:
                trial = self._trial(point, search, width)
                overrides = words(point.values)
                row = {"name": trial.name, "place": place, "overrides": overrides, "status": "running"}
                self.engine.ledger.trial(self.id, row)
                place += 1
                waiting[executor.submit(run_trial, trial)] = (point, overrides)
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                point, overrides = waiting.pop(future)
                one = self._take(search, point, overrides, future)
                done.append(one)
                told(one)
                over = over or (fail_fast and one.result.status == "failed")

    def _trial(self, point: Point, search: Search, width: int) -> Trial:
        experiment = self.frozen.trial(point.values)
        config = {key: value for key, value in experiment.config.items() if key not in _ABOUT}
        return Trial(
            name=digest([config, self.host.code])[:12], overrides=experiment.overrides, config=experiment.config,
            origin=experiment.origin, root=str(self.root), workspace=str(self.workspace.root), sweep=self.id,
            code=self.host.code, select=self.select, force=self.force, threads=_share_of_cores(width),
            watch=search.watch(point), experiment=experiment,
        )  # fmt: skip

    def _take(self, search: Search, point: Point, overrides: list[str], future: Future[Result]) -> Done:
        try:
            result = future.result()
        except ModelwayError as error:
            result = Result("", "failed", error=str(error))
        scores = {f"{m['phase']}.{m['metric']}": m["value"] for m in result.measured}
        values = [_value(scores, name) for name in self.objectives]
        good = result.status in ("done", "kept") and all(value is not None for value in values)
        search.tell(point, values if good else None, pruned=result.status == "pruned")  # type: ignore[arg-type]
        if result.name:
            row: dict[str, Any] = {"name": result.name, "overrides": overrides, "run": result.run}
            row |= {"status": result.status}
            row |= {"error": result.error, "vals": dict(zip(self.objectives, values, strict=True))}
            self.engine.ledger.trial(self.id, {**row, "seconds": result.seconds})
        return Done(point, overrides, result, scores)


def best(rows: Sequence[Row], objectives: Mapping[str, bool]) -> list[Row]:
    """Return the best trial on record, or with several objectives those that no other one beats in all of them."""
    found = []
    for row in rows:
        values = [row["vals"].get(name) for name in objectives]
        if row["status"] in ("done", "kept") and all(value is not None for value in values):
            found.append((row, [v if lower else -v for v, lower in zip(values, objectives.values(), strict=True)]))
    front = [
        row for row, values in found
        if not any(all(a <= b for a, b in zip(other, values, strict=True)) and other != values for _, other in found)
    ]  # fmt: skip
    return front[: 1 if len(objectives) == 1 else None]


def values_of(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the values of a trial's overrides, as it has them on record."""
    import yaml

    return {key: yaml.safe_load(text) for key, _, text in (word.partition("=") for word in overrides)}


def importances(rows: Sequence[Row], objectives: Mapping[str, bool]) -> dict[str, float]:
    """Return, by key, the share of the first objective's variance that lies between the key's values.

    The main effects of an analysis of variance: exact for a whole grid. A key of more than eight values is cut into
    eight groups of equal size first.
    """
    name = next(iter(objectives))
    made = [(values_of(r["overrides"]), r["vals"][name]) for r in rows if r["vals"].get(name) is not None]
    mean = sum(v for _, v in made) / len(made) if made else 0.0
    total = sum((v - mean) ** 2 for _, v in made)
    if len(made) < 4 or total <= 0:
        return {}
    found = {}
    for key in made[0][0]:
        groups: dict[Any, list[float]] = {}
        ranked = sorted(made, key=lambda one: one[0][key] if _orders(one[0][key]) else 0.0)
        many = len({repr(values[key]) for values, _ in made}) > 8
        for place, (values, v) in enumerate(ranked):
            groups.setdefault(place * 8 // len(ranked) if many else repr(values[key]), []).append(v)
        found[key] = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups.values()) / total
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _orders(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if width == 1 else max(1, cores // width)
