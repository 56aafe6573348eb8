"""The engine: carries a plan out as a run, and nothing else decides what runs.

Each step is looked up, computed by one holder at a time, committed atomically, and recorded; killed at any instant, the
next run goes on after the last committed step.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelway import naming
from modelway.config import compose
from modelway.context import Event, Run
from modelway.engine import meter
from modelway.engine.findings import findings_text
from modelway.errors import ConflictError, DataError, GateError, PluginError, StoreError, explained
from modelway.experiment import Experiment
from modelway.fingerprint import StatCache, digest
from modelway.ledger import Ledger, Row, actor, new_id, now
from modelway.plan import History, Plan, Planned, Select, Step, make
from modelway.plugins import Plugins
from modelway.store import Manifest, Store, file_digest, sha256
from modelway.values.artifact import dumps
from modelway.workspace import Memory, Workspace

Listener = Callable[[Event], None]


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        run: Its id.
        status: ``done``, ``refused`` (a gate), ``failed`` or ``stopped``.
        steps: Name and manifest of each step that was carried out or found.
        cached: Names of the steps that were found.
        version: The registered model version, if one was.
        champion: Whether that version became the champion now.
        lenient: Whether it goes on where a check finds what stops a run.
        broken: Names of the checks that found such things.
    """

    run: str
    status: str = "running"
    steps: dict[str, Manifest] = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)
    version: Row | None = None
    champion: bool = False
    seconds: float = 0.0
    lenient: bool = False
    broken: list[str] = field(default_factory=list)

    def summary(self, step: str) -> dict[str, Any]:
        """Return the summary of a step's output; empty where the step was not part of the run."""
        found = self.steps.get(step)
        return found.facts.get("summary", {}) if found else {}


class Engine:
    """An experiment with its store and ledger.

    Args:
        experiment: What is declared.
        workspace: Where things are.
        plugins: The plugins that the experiment was composed with.
        listener: Told every event, besides the observers; also of progress inside steps.
        warn: Told of what does not stop a run.
        beside: An engine of the same workspace and settings, whose store, ledger and caches to share.
    """

    def __init__(
        self,
        experiment: Experiment,
        workspace: Workspace,
        plugins: Plugins,
        listener: Listener = lambda event: None,
        warn: Callable[[str], None] = lambda text: None,
        beside: Engine | None = None,
    ) -> None:
        self.experiment, self.workspace, self.plugins = experiment, workspace, plugins
        self.listener, self.warn = listener, warn
        settings = experiment.settings
        naming.check(settings.project, "project", experiment.where("project"))
        naming.name(settings.naming, project=settings.project, kind="bundle", version="1")
        self.store: Store = beside.store if beside else workspace.store(settings.store, warn)
        self.ledger: Ledger = beside.ledger if beside else workspace.ledger(settings.ledger)
        self.stats: StatCache = beside.stats if beside else StatCache(workspace.cache / "files.json")
        self.memory: Memory = beside.memory if beside else Memory(workspace.cache / "remembered.json")
        #: Processor seconds that are not the next run's; the command line, whose process is one run's alone, sets 0.
        self.cpu_before = meter.cpu()
        #: Whether the process does nothing else meanwhile, so that what it costs is what the run costs.
        self.alone = True
        #: Further fields of the ``Run`` that components get, and who answers whether training goes on.
        self.more: dict[str, Any] = {}
        self.on_report: Callable[[int, Mapping[str, float]], bool] = lambda round, scores: True
        #: Code and environment as they go on record, where somebody has looked at them already.
        self.facts: tuple[dict[str, Any], str] | None = None

    @classmethod
    def open(cls, project: str, overrides: Any = (), **more: Any) -> Engine:
        """Find a project, load plugins, compose its configuration, and open store and ledger.

        Raises:
            ConfigError, PluginError, LedgerError: as their modules say.
        """
        workspace, root = Workspace.project(project)
        plugins = Plugins(inline=root / "plugin.py")
        experiment = compose(root, list(overrides), workspace, plugins)
        return cls(experiment, workspace, plugins, **more)

    def plan(self, *, force: bool = False, select: Select | None = None) -> Plan:
        """Plan the experiment against what is there now.

        Raises:
            DataError: a source is absent or unreadable.
            ConfigError: ``select`` asks for what is not there.
        """
        with tempfile.TemporaryDirectory(prefix="modelway-") as scratch:
            context = self._context("plan", Path(scratch))
            several = len(self.experiment.all("acquire")) > 1
            data = {
                f"source.{label}" if several else "source": source.version(
                    replace(context, label=label, schema=self.experiment.schema_of(label))
                )
                for label, source in self.experiment.all("acquire").items()
            }
            for label, check in self.experiment.all("validate").items():
                moment = check.version(replace(context, label=label))
                data |= {f"check {label}": moment} if moment else {}
            trainer, compute = self.experiment.one("train"), self.experiment.one("compute")
            shape = compute.shape(context) if trainer is not None and trainer.distributed else {}
        project = self.experiment.project
        number = self.ledger.aliases(project).get("champion")
        versions = {version["number"]: version for version in self.ledger.versions(project)}
        before = self.ledger.took_over_from(project, number) if number else None
        history = History(
            self.store.lookup, self.ledger.last_fingerprints(project), data, meter.version_of, self.stats,
            self._judged(versions.get(number)), self._judged(versions.get(before)),
            shape,
        )  # fmt: skip
        plan = make(self.experiment, history, force=force, select=select)
        self._save_caches()
        return plan

    def run(self, plan: Plan, *, note: str = "", parent: str | None = None, lenient: bool = False) -> Outcome:
        """Carry a plan out.

        Args:
            plan: The plan.
            note: A note to keep with the run.
            parent: The run that it belongs to.
            lenient: Go on where a check finds what stops a run; the run ends as ``failed`` then.

        Raises:
            GateError: a gate refused the model; everything up to it is committed.
            ModelwayError: a step failed; what was committed before it stays.
        """
        began, outcome, own = time.perf_counter(), Outcome(new_id()), time.thread_time()
        settings = self.experiment.settings
        row: dict[str, Any] = {
            "id": outcome.run,
            "project": settings.project,
            "created": now(),
            "status": "running",
            "actor": actor(),
        }
        row |= {"overrides": list(self.experiment.overrides), "config": self.experiment.config, "parent": parent}
        code, environment = self.facts or ({} if plan.idle else self.code(), self.environment())
        row |= {"code": code, "environment": environment, "note": note}
        row["body"] = {"root": str(self.experiment.root), "origin": dict(self.experiment.origin)}
        self.ledger.start(row, settings.tags)
        self._tell("run_started", outcome.run, "", {"steps": [[p.step.name, p.mark] for p in plan.steps]})
        outcome.lenient = lenient
        try:
            self._carry_out(plan, outcome)
            outcome.status = "failed" if outcome.broken else "done"
        except GateError:
            outcome.status = "refused"
            raise
        except KeyboardInterrupt:
            outcome.status = "stopped"
            raise
        except BaseException:
            outcome.status = "failed"
            raise
        finally:
            outcome.seconds = time.perf_counter() - began
            used = meter.cpu() - self.cpu_before if self.alone else time.thread_time() - own
            cost = {"wall": outcome.seconds, "cpu": used, "peak": self._peak(outcome), "alone": self.alone}
            status = "failed" if outcome.status == "running" else outcome.status
            self.ledger.finish(outcome.run, status, body={**row["body"], "cost": cost})
            self._save_caches()
            self._tell("run_finished", outcome.run, "", {"status": outcome.status, "seconds": outcome.seconds})
        return outcome

    def _carry_out(self, plan: Plan, outcome: Outcome) -> None:
        if plan.idle:
            done = [self._row(p, i, p.manifest, "cached", {}) for i, p in enumerate(plan.steps) if p.manifest]
            self.ledger.steps_done(outcome.run, done)
            for planned in plan.steps:
                assert planned.manifest is not None
                outcome.steps[planned.step.name] = planned.manifest
                outcome.cached.append(planned.step.name)
                self._conclude(planned.step, planned.manifest, outcome)
        else:
            from modelway.engine.carrier import Carrier

            with ExitStack() as stack:
                Carrier(self, plan, outcome, stack).carry_out()
        self._register(outcome)

    def _peak(self, outcome: Outcome) -> int:
        """Return a run's peak; each step's meter started the kernel's count anew."""
        steps: list[int] = [
            m.facts["cost"]["peak"] for m in outcome.steps.values() if m.facts.get("run") == outcome.run
        ]
        return max([meter.peak(), *steps])

    def _conclude(self, step: Step, manifest: Manifest, outcome: Outcome) -> None:
        """Enter what a step's output means for the run, and stop where it says so."""
        summary = manifest.facts.get("summary", {})
        if step.stage == "validate" and not summary.get("passed", True):
            outcome.broken.append(step.name)
            if not outcome.lenient:
                raise DataError(findings_text(summary), where=f"step {step.name}", mend="Mend the data, or the schema")
        if step.stage == "evaluate":
            self.ledger.measured(outcome.run, summary["measured"])
        if step.stage == "gate" and not summary["passed"]:
            refused = "; ".join(f"{r['gate']}: {r['text']}" for r in summary["reasons"] if not r["passed"])
            raise GateError(
                f"The model was not released. {refused}", where=f"run {outcome.run}",
                mend="The model, its scores and this verdict are on record; 'modelway show' prints them",
            )  # fmt: skip

    def _register(self, outcome: Outcome) -> None:
        if "scoring" not in outcome.steps or outcome.broken:
            return
        bundle = outcome.steps.get("package")
        project = self.experiment.project
        outcome.version = self.ledger.register(
            project, outcome.steps["scoring"].digest, bundle.digest if bundle else "", outcome.run
        )
        outcome.champion = self._promote(outcome.run, outcome.version["number"])

    def _promote(self, run: str, number: int) -> bool:
        """Make a version the champion where that needs nobody's word; returns whether it became it now."""
        project, auto = self.experiment.project, self.experiment.settings.promote == "auto"
        for _ in range(20):
            champion = self.ledger.aliases(project).get("champion")
            why = "the first version" if champion is None else "promote: auto" if auto else ""
            if not why or champion == number:
                return False
            try:
                self.ledger.point(project, "champion", number, why, expected=champion)
            except ConflictError:  # another run's version came between: decide again
                continue
            self._tell("promoted", run, "", {"alias": "champion", "number": number, "why": why})
            return True
        return False

    def _row(
        self, planned: Planned, place: int, manifest: Manifest | None, status: str, cost: Mapping[str, Any]
    ) -> dict[str, Any]:
        step = planned.step
        return {
            "name": step.name, "place": place, "stage": step.stage, "status": status, "reason": planned.reason,
            "fingerprint": manifest.fingerprint if manifest else planned.fingerprint or "",
            "digest": manifest.digest if manifest else "", "wall": cost.get("wall", 0.0), "cpu": cost.get("cpu", 0.0),
            "peak": cost.get("peak", 0), "bytes": manifest.bytes if manifest else 0,
            "body": {k: v for k, v in (manifest.facts if manifest else {}).items() if k in ("logs", "summary")},
        }  # fmt: skip

    def _context(self, run: str, scratch: Path, **more: Any) -> Run:
        settings = self.experiment.settings
        return Run(
            run, settings.project, settings.task, settings.seed, self.experiment.schema, scratch, self.store,
            workspace=self.workspace.root, digests=self._digest, memory=self.memory,
            **{"uses": self.experiment.uses, **self.more, **more},
        )  # fmt: skip

    def _save_caches(self) -> None:
        self.stats.save(self.workspace.write_cache)
        self.memory.save(self.workspace.write_cache)

    def _digest(self, path: Path) -> str:
        return str(self.stats.get("sha256", path.resolve(), file_digest))

    def _tell(self, kind: str, run: str, step: str, body: Mapping[str, Any]) -> None:
        event = Event(kind, run, self.experiment.project, now(), step, dict(body))
        self.listener(event)
        if kind != "step_progress":  # progress is for the person who waits, not for the record
            self.plugins.notify(event)

    def _keep(self, kind: str, data: bytes) -> str:
        """Keep bytes that the ledger refers to as an artifact of their own; returns their digest."""
        found = sha256(data)
        fingerprint = digest([kind, found])
        if not self.store.has(found) or self.store.lookup(fingerprint) is None:
            self.store.commit(Manifest(fingerprint, kind, {kind.lower(): self.store.put_bytes(data)}))
        return found

    def environment(self) -> str:
        """Keep what this runs in as an artifact; returns its digest."""
        return self._keep("Environment", dumps(meter.environment_facts()))

    def code(self) -> dict[str, Any]:
        """Return the identity of the project's code, its uncommitted part kept as an artifact."""
        facts = meter.code_facts(self.experiment.root, lambda patch: self._keep("Patch", patch))
        return {"project": facts, "components": sorted({c.distribution for _, _, c in self.experiment.items()})}

    def load(self, manifest: Manifest) -> Any:
        """Load a step's output as a value."""
        return load_value(self.store, manifest, self.plugins)

    def artifact(self, digest: str) -> Manifest:
        """Return the manifest of an output by its digest."""
        return manifest_of(self.ledger, self.store, digest)

    def output(self, digest: str) -> Any:
        """Load an output by its digest: a version's scoring model, or its scores."""
        return self.load(self.artifact(digest))

    def _judged(self, version: Row | None) -> Row | None:
        """Return a version with the digest of the scores that it was registered with."""
        if version is None:
            return None
        steps = self.ledger.steps(version["run"])
        return {**version, "metrics": next((s["digest"] for s in steps if s["stage"] == "evaluate"), "")}


def load_value(store: Store, manifest: Manifest, plugins: Plugins) -> Any:
    """Load a step's output as a value; nothing that is read is executed.

    Raises:
        StoreError: a file of it is absent or corrupt.
        PluginError: the component that wrote it is not installed.
    """
    from modelway.engine.stages import KINDS

    folder = store.reading(manifest, plugins.component)
    if manifest.kind in KINDS:
        return KINDS[manifest.kind].load(folder)
    components = manifest.facts["ingredients"]["components"]
    used = next(iter(components.values()))
    trainer: Any = plugins.get("train", used["use"])
    if not hasattr(trainer, "model"):
        raise PluginError(f"The trainer '{used['use']}' does not name its model class", mend="Set 'model' beside 'fit'")
    return trainer.model.load(folder)


def manifest_of(ledger: Ledger, store: Store, digest: str) -> Manifest:
    """Return the manifest of a step's output by the output's digest.

    Raises:
        StoreError: no run on record made it, or the store does not hold it any more.
    """
    for row in ledger.producers(digest):
        found = store.lookup(row["fingerprint"])
        if found is not None and found.digest.startswith(digest):
            return found
    raise StoreError(f"The artifact {digest[:12]} is not in the store", where=store.url, mend="Run its project again")


def unpack(store: Store, manifest: Manifest, folder: Path) -> Path:
    """Lay a bundle's files down in a folder, whole or not at all; a folder that is there already is used."""
    if folder.is_dir():
        return folder
    with explained("The bundle cannot be unpacked", str(folder)):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unpacking-"))
        try:
            for name, (found, _) in manifest.files.items():
                if name.startswith("files/"):
                    path = aside / name.removeprefix("files/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(store.open(found), path)
            aside.rename(folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    return folder
