"""What a word on the command line means where a table is asked for: a run's, a project's, or a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from modelway.cli import composing
from modelway.context import Run
from modelway.engine import Engine, load_value
from modelway.engine.profiling import Profiles, Wanted, kept_profiles
from modelway.engine.stages import Executor
from modelway.errors import ConfigError, StoreError, nearest
from modelway.fingerprint import StatCache, digest
from modelway.ledger import Ledger
from modelway.plan import Select, identity
from modelway.plan.steps import Step, steps_of
from modelway.plugins import Plugins
from modelway.schema import Schema, Task
from modelway.store import Store
from modelway.values import Predictions, Table
from modelway.workspace import Workspace

HELP = "RUN:STEP, RUN, PROJECT (its newest run, or its data as declared), or a file: parquet, CSV, JSON lines"


@dataclass(frozen=True)
class Subject:
    """A table that was named, not loaded yet.

    Attributes:
        title: What to call it.
        identity: Equal text means equal rows.
        load: Loads it.
        schema: What is declared about it; without columns where nothing is.
        profiler: The declared profiler, or None.
        stage: Stage of the step that made it; empty for a file.
        run: Id of the run that made it; empty where none did.
        store: Where what is found out about it is kept.
    """

    title: str
    identity: str
    load: Callable[[], Table]
    schema: Schema
    task: Task
    profiler: Any
    plugins: Plugins
    store: Store
    stage: str = ""
    run: str = ""

    @cached_property
    def table(self) -> Table:
        """The table."""
        return self.load()


class Tables:
    """Finds tables; a context manager, since what is loaded without a run lives in a temporary folder."""

    def __init__(self) -> None:
        self.workspace = Workspace.find()
        self.stack = ExitStack()
        self.stats = StatCache(self.workspace.cache / "files.json")

    def __enter__(self) -> Tables:
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="modelway-")))
        return self

    def __exit__(self, *raised: object) -> None:
        self.stack.close()
        self.stats.save(self.workspace.write_cache)

    @cached_property
    def run(self) -> Run:
        """A run to load and profile with, whose tables go to a temporary store."""
        store = Store(str(self.folder / "store"))
        return Run("data", "", "regression", 0, Schema(), self.folder, store, workspace=self.workspace.root)

    def find(self, what: str) -> Subject:
        """Find the table that a word means.

        Raises:
            ConfigError: it means none.
        """
        name, colon, step = what.partition(":")
        if "://" in what or Path(what).is_file() or any(sign in what for sign in "*{"):
            return self._file(what)
        ledger = self.workspace.ledger()
        run = _run_of(ledger, name)
        if run:
            return self._of_run(ledger, run, step)
        if (self.workspace.root / "projects" / name / "conf").is_dir() or (
            Path(name) / "conf" / "config.yaml"
        ).is_file():
            return self._of_project(name, step)
        if not colon and Path(what).is_dir():
            return self._file(what)
        projects = [path.parent.name for path in self.workspace.root.glob("projects/*/conf")]
        runs = [row["id"] for row in ledger.runs(limit=50)]
        close = nearest(name, [*projects, *runs])
        raise ConfigError(
            f"There is no run, project or file '{what}'",
            mend=close if close.startswith("Did") else "'modelway runs' lists runs; a table is named RUN:STEP",
        )  # fmt: skip

    def profiles(self, subject: Subject, where: str = "", by: str = "", **fields: str) -> tuple[Any, Profiles]:
        """Return the profiler that a subject's table is profiled with, and the profiles.

        Args:
            subject: The table.
            where: Expression that is true of the rows to look at; empty: all.
            by: Column by whose months to look as well.
            fields: Fields of the profiler to set, such as ``target``.
        """
        profiler = profiler_of(subject, {name: value for name, value in fields.items() if value})
        wanted = Wanted(profiler, subject.schema, subject.task, where, by)
        found = kept_profiles(wanted, subject.identity, lambda: subject.table, self.run, subject.store, self.stats)
        return profiler, found

    def _file(self, path: str) -> Subject:
        plugins = Plugins()
        place = path if "://" in path else str(Path(path).resolve())
        reader: Any = plugins.component("acquire", "files", {"path": place})
        memory = replace(self.run, digests=self._digest)
        return Subject(
            Path(path).name if "://" not in path else path, digest(["file", reader.version(memory)]),
            lambda: reader.load(memory), Schema(), "regression", None, plugins,
            self.workspace.store(warn=composing.warn),
        )  # fmt: skip

    def _digest(self, path: Path) -> str:
        from modelway.store import file_digest

        return str(self.stats.get("sha256", path.resolve(), file_digest))

    def _of_run(self, ledger: Ledger, run: str, step: str) -> Subject:
        row, store = ledger.run(run), self.workspace.store(warn=composing.warn)
        steps = {found["name"]: found for found in ledger.steps(run)}
        step = step or next((n for n, s in steps.items() if s["stage"] == "prepare"), next(iter(steps), ""))
        if step not in steps:
            raise ConfigError(f"Run {run} of {row['project']} has no step '{step}'", mend=nearest(step, steps))
        made = store.lookup(steps[step]["fingerprint"]) if steps[step]["fingerprint"] else None
        if made is None:
            raise StoreError(f"The output of step '{step}' of run {run} is not in the store", mend="Run it again")
        if made.kind not in ("Table", "Predictions"):
            kinds = ("acquire", "prepare", "predict")
            tables = [name for name, found in steps.items() if found["stage"] in kinds]
            raise ConfigError(
                f"Step '{step}' of run {run} made a {made.kind}, not a table", mend=f"These did: {', '.join(tables)}"
            )
        plugins = Plugins(inline=Path(row["body"]["root"]) / "plugin.py")
        config = row["config"]
        declared = config["schema"] if made.kind == "Table" else {}
        if steps[step]["stage"] == "acquire":
            declared = (config.get("schemas") or {}).get(step.partition(".")[2], declared)
        profile = config.get("profile") or {}
        profiler = None
        if "use" in profile:
            fields = {key: value for key, value in profile.items() if key != "use"}
            profiler = plugins.component("profile", profile["use"], fields)

        def load() -> Table:
            value = load_value(store, made, plugins)
            return value.table if isinstance(value, Predictions) else value

        return Subject(
            f"{row['project']}, run {run}, {step}", identity(Step(step, steps[step]["stage"]), made), load,
            Schema.of(declared), config["task"], profiler, plugins, store, steps[step]["stage"], run,
        )  # fmt: skip

    def _of_project(self, name: str, step: str) -> Subject:
        engine = Engine.open(name, warn=composing.warn)
        steps = [s for s in steps_of(engine.experiment) if s.stage in ("acquire", "prepare")]
        step = step or steps[-1].name
        if step not in [s.name for s in steps]:
            raise ConfigError(
                f"Project '{engine.experiment.project}' has no table '{step}' without a run",
                mend=nearest(step, [s.name for s in steps]),
            )
        planned = [p for p in engine.plan(select=Select("", step)).steps if p.step.stage in ("acquire", "prepare")]
        stage = next(p.step.stage for p in planned if p.step.name == step)

        def load() -> Table:
            values: dict[str, Any] = {}
            executor = Executor(engine.experiment, values.__getitem__, engine.output)
            context = replace(engine._context("data", self.folder), blobs=self.run.blobs)
            for one in planned:
                kept = one.manifest
                values[one.step.name] = engine.load(kept) if kept else executor.compute(one.step, context)
            table: Table = values[step]
            return table

        label = step.partition(".")[2] or next(iter(engine.experiment.all("acquire")))
        schema = engine.experiment.schema_of(label) if stage == "acquire" else engine.experiment.schema
        return Subject(
            f"{engine.experiment.project}, {step}, not from a run",
            digest([step, *(p.ingredients for p in planned)]), load, schema, engine.experiment.settings.task,
            engine.experiment.one("profile"), engine.plugins, engine.store, stage,
        )  # fmt: skip


def _run_of(ledger: Ledger, name: str) -> str:
    """Return the newest run of a project, or the run whose id begins so; empty where there is neither."""
    latest = ledger.runs(Path(name).name, limit=1)
    if latest:
        return str(latest[0]["id"])
    try:
        return str(ledger.run(name)["id"]) if name else ""
    except ConfigError as error:
        if error.what.startswith("Several"):
            raise
        return ""


def profiler_of(subject: Subject, fields: dict[str, str]) -> Any:
    """Return the profiler for a subject: the declared one, or the installed one named ``profile``.

    Raises:
        ConfigError: it has no field of a name in ``fields``.
        PluginError: there is none.
    """
    profiler = subject.profiler or subject.plugins.component("profile", "profile", {})
    for name in fields:
        if not hasattr(profiler, name):
            raise ConfigError(f"The profiler '{profiler.name}' takes no '{name}'", mend=f"Leave --{name} out")
    return replace(profiler, **fields) if fields else profiler
