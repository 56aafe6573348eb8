"""Carrying a plan out, step by step: look up, compute, commit, record."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway.component import plain
from modelway.context import Run, Workers
from modelway.engine.flight import Flight
from modelway.engine.meter import Meter
from modelway.engine.stages import Executor
from modelway.errors import ComputeError, ModelwayError, StageError, StoreError, raised_at
from modelway.plan import Plan, Planned, fingerprint_of, identity
from modelway.store import Manifest
from modelway.values import Bundle, Findings, Predictions, Scores, Split, Table, Value, Verdict

if TYPE_CHECKING:
    from modelway.engine import Engine, Outcome


class Carrier:
    """One plan on its way.

    Args:
        engine: The engine.
        plan: What to carry out.
        outcome: Where it is entered.
        stack: Closed when the run ends; the compute is opened on it.
    """

    def __init__(self, engine: Engine, plan: Plan, outcome: Outcome, stack: ExitStack) -> None:
        self.engine, self.plan, self.outcome = engine, plan, outcome
        self.values: dict[str, Any] = {}
        self.known: dict[str, str] = {}
        self.scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelway-")))
        self.executor = Executor(engine.experiment, self.value, engine.output)
        self.stack = stack

    @cached_property
    def workers(self) -> Workers:
        """What carries the work; started when the first step is to be computed."""
        compute = self.engine.experiment.one("compute")
        context = self.engine._context(self.outcome.run, self.scratch)
        workers: Workers = self.stack.enter_context(compute.open(context))
        planned = [p.ingredients["own"].get("compute") for p in self.plan.steps if p.step.stage == "train"]
        if any(shape and shape != dict(workers.shape) for shape in planned):
            raise ComputeError(
                f"The cluster was planned for as {planned[0]}, and is {dict(workers.shape)} now",
                where=self.engine.experiment.where("compute"), mend="Repeat the command, or set 'compute.workers'",
            )  # fmt: skip
        if workers.client is not None:
            link = getattr(workers.client, "dashboard_link", "")
            self.engine._tell("step_progress", self.outcome.run, "", {"dashboard": link, **workers.shape})
        return workers

    def value(self, name: str) -> Any:
        """Return the output of an earlier step, read from the store only where it is not at hand."""
        if name not in self.values:
            manifest = self.outcome.steps[name]
            share: Callable[..., Any] = self.engine.more.get("on_share", lambda _, make, size: make())
            self.values[name] = share(
                f"output {manifest.fingerprint}", lambda: self.engine.load(manifest), manifest.bytes
            )
        return self.values[name]

    def carry_out(self) -> None:
        """Carry every step out, in order."""
        for place, planned in enumerate(self.plan.steps):
            step = planned.step
            inputs: dict[str, str | None] = {name: self._known(name) for name in step.inputs}
            fingerprint = fingerprint_of(planned.ingredients, inputs)
            forced = planned.mark == "~" and planned.reason == "forced"
            found = planned.manifest if planned.fingerprint == fingerprint else None
            manifest = None if forced else found or self.engine.store.lookup(fingerprint)
            cost: dict[str, Any] = {}
            if manifest is None:
                self.engine._tell("step_started", self.outcome.run, step.name, {"reason": planned.reason})
                manifest, cost = self._single_flight(planned, fingerprint, inputs, place, forced=forced)
            status = "ran" if cost else "cached"
            self.outcome.steps[step.name] = manifest
            self.known[step.name] = identity(step, manifest)
            if status == "cached":
                self.outcome.cached.append(step.name)
            self.engine.ledger.step(self.outcome.run, self.engine._row(planned, place, manifest, status, cost))
            body = {"status": status, "digest": manifest.digest, "bytes": manifest.bytes, "cost": cost}
            self.engine._tell(
                "step_finished", self.outcome.run, step.name, {**body, **manifest.facts.get("summary", {})}
            )
            self.engine._conclude(step, manifest, self.outcome)

    @contextmanager
    def _emptied(self) -> Iterator[Path]:
        """Give a step a folder of its own: the run's, as long as steps leave nothing in it."""
        folder = self.scratch / "step"
        folder.mkdir(exist_ok=True)
        try:
            yield folder
        finally:
            if any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)

    def _known(self, name: str) -> str:
        if name not in self.known:  # a step before --from: in the store, as the plan made sure
            raise StoreError(f"The output of step '{name}' is not at hand", mend="Leave --from out")
        return self.known[name]

    def _single_flight(
        self, planned: Planned, fingerprint: str, inputs: dict[str, str | None], place: int, *, forced: bool
    ) -> tuple[Manifest, dict[str, Any]]:
        engine, step = self.engine, planned.step

        def waiting() -> None:
            engine._tell("step_started", self.outcome.run, step.name, {"reason": "another run computes it; waiting"})

        flight = Flight(
            engine.ledger, fingerprint, lambda: None if forced else engine.store.lookup(fingerprint), waiting
        )
        with flight as found:
            if found is not None:
                return found, {}
            try:
                return self._compute(planned, fingerprint, inputs, flight, forced=forced)
            except Exception as error:
                told = self._explained(error, planned)
                row = {**engine._row(planned, place, None, "failed", {}), "body": {"error": str(told)}}
                engine.ledger.step(self.outcome.run, row)
                engine._tell("step_failed", self.outcome.run, step.name, {"error": str(told)})
                raise told from error

    def _compute(
        self, planned: Planned, fingerprint: str, inputs: dict[str, str | None], flight: Flight, *, forced: bool
    ) -> tuple[Manifest, dict[str, Any]]:
        engine, step = self.engine, planned.step
        logs: dict[str, Any] = {}

        def report(round: int, scores: Any) -> bool:
            engine._tell("step_progress", self.outcome.run, step.name, {"round": round, "scores": dict(scores)})
            return engine.on_report(round, scores)

        def progress(unit: str, done: int, total: int | None) -> None:
            engine._tell("step_progress", self.outcome.run, step.name, {"unit": unit, "done": done, "total": total})

        with self._emptied() as scratch:
            asides: dict[str, Table] = {}
            context: Run = engine._context(
                self.outcome.run, scratch, workers=self.workers, on_log=logs.__setitem__, on_report=report,
                on_progress=progress, on_aside=asides.__setitem__,
            )  # fmt: skip
            meter = Meter(alone=engine.alone)
            value = self.executor.compute(step, context)
            folder = engine.store.writing()
            value.save(folder)
            for name, table in asides.items():
                table.save(folder.sub(f"aside/{name}"))
            cost = meter.read()
        facts = {"ingredients": {**planned.ingredients, "inputs": inputs}, "run": self.outcome.run, "cost": cost}
        facts |= {"logs": plain(logs), "summary": summary_of(value)}
        flight.fence()
        manifest = engine.store.commit(Manifest(fingerprint, value.kind, folder.files, facts), replace=forced)
        if not isinstance(value, Bundle):
            self.values[step.name] = value
        return manifest, cost

    def _explained(self, error: Exception, planned: Planned) -> ModelwayError:
        if isinstance(error, ComputeError):
            where = ", ".join(filter(None, (f"step {planned.step.name}", error.where)))
            return ComputeError(error.what, where=where, mend=error.mend)
        if isinstance(error, ModelwayError):
            return error
        names = ", ".join(f"{c.name} ({c.distribution})" for c in planned.step.components.values()) or "the engine"
        modules = [sys.modules[type(component).__module__] for component in planned.step.components.values()]
        place = raised_at(error, [str(Path(module.__file__ or "").parent) for module in modules])
        if isinstance(error, MemoryError):
            return StageError(
                f"Step '{planned.step.name}' ran out of memory", where=names,
                mend="Give it more memory, or a compute that spreads the work",
            )  # fmt: skip
        return StageError(
            f"Step '{planned.step.name}' failed: {type(error).__name__}: {error} at {place}", where=names,
            mend="--debug shows the way there",
        )  # fmt: skip


def summary_of(value: Value) -> dict[str, Any]:
    """Return what listings show of an output without loading it, as plain JSON."""
    if isinstance(value, Table):
        return {
            "rows": value.rows,
            "columns": len(value.columns),
            "parts": len(value.parts),
            "about": plain(value.about),
        }
    if isinstance(value, Predictions):
        return {"rows": value.table.rows}
    if isinstance(value, Split):
        return {
            "folds": {fold: {p: value.at(fold).count(p) for p in ("train", "valid", "test")} for fold in value.folds}
        }
    if isinstance(value, Findings):
        return {
            "passed": value.passed,
            "rules": value.rules,
            "rows": value.rows,
            "items": [plain(asdict(i)) for i in value.items],
        }
    if isinstance(value, Scores):
        return {"measured": _measured(value)}
    if isinstance(value, Verdict):
        return {"passed": value.passed, "reasons": [asdict(reason) for reason in value.reasons]}
    if isinstance(value, Bundle):
        return {"about": plain(value.about)}
    return {}


def _measured(scores: Scores) -> list[dict[str, Any]]:
    rows = []
    for metric in scores.metrics():
        for phase in dict.fromkeys(s.phase for s in scores.entries if s.metric == metric):
            found = [s for s in scores.entries if s.metric == metric and s.phase == phase]
            spread = scores.spread(metric, phase)
            one = found[0] if len(found) == 1 else None
            rows.append({
                "metric": metric, "phase": phase, "value": spread["mean"] if spread else None,
                "low": one.low if one else None, "high": one.high if one else None,
                "std": spread["std"] if spread and spread["folds"] > 1 else None,
                "support": sum(s.support or 0 for s in found) or None,
            })  # fmt: skip
    return rows
