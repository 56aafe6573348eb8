"""The contract: one abstract class per stage of the lifecycle, in order.

A component subclasses one of these as a frozen dataclass and gives itself a name; its fields are its configuration and
its method is the stage. Every method takes its inputs and ``run``, and returns one value: the contract grows by fields
of ``run``, never by arguments. ``CONTRACT`` is its version.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Self

from modelway.component import Component, param
from modelway.context import Event, Run, Workers
from modelway.schema import Schema, Task
from modelway.search import Choices, Interval, Search
from modelway.values import (
    Bundle,
    Columns,
    Deployment,
    Findings,
    Model,
    Predictions,
    Profile,
    Reason,
    Scores,
    ScoringModel,
    Split,
    Table,
)

#: Version of the contract between the engine and plugins.
CONTRACT = 1


class Source(Component, ABC):
    """acquire: where a table comes from."""

    stage: ClassVar[str] = "acquire"

    @abstractmethod
    def version(self, run: Run) -> str:
        """Identify the data without loading it: equal text means equal rows.

        Raises:
            DataError: the source is absent or unreadable.
        """

    @abstractmethod
    def load(self, run: Run) -> Table:
        """Load the rows, with ``run.table`` or ``run.keep``.

        Raises:
            DataError: the source is absent, empty, cut short, or not what it claims to be.
        """


class Preparer(Component, ABC):
    """prepare: clean, join, aggregate, derive; nothing is fitted here."""

    stage: ClassVar[str] = "prepare"
    #: Whether a row's result needs that row only, so that the step travels with the model into the service.
    row: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Make the prepared table from tables by label; ``tables["table"]`` is what the step before made.

        Raises:
            DataError: a column that the step needs is absent, or rows are lost that may not be.
        """


class RowPreparer(Preparer, ABC):
    """A preparer whose result for a row needs that row only."""

    row: ClassVar[bool] = True

    @abstractmethod
    def apply(self, columns: Columns) -> Columns:
        """Return the changed columns, of as many rows; needs numpy only, since it runs in services too."""

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Apply to every batch of the table; columns that the step passes on keep their arrow type."""
        from modelway.values import from_arrow, to_arrow

        def change(batch: Any) -> Any:
            columns = from_arrow(batch)
            made = self.apply(columns)
            changed = to_arrow({name: column for name, column in made.items() if column is not columns.get(name)})
            origin = {name: changed if name in changed.column_names else batch for name in made}
            return type(batch).from_pydict({name: table.column(name) for name, table in origin.items()})

        return tables["table"].map(change, run)


class Check(Component, ABC):
    """validate: whether a table is what it was declared to be."""

    stage: ClassVar[str] = "validate"

    @abstractmethod
    def check(self, table: Table, run: Run) -> Findings:
        """Check every rule over every part, and report all that is broken; ``run.schema`` is the declared schema."""


class Profiler(Component, ABC):
    """profile: what a table holds, as a summary that merges."""

    stage: ClassVar[str] = "profile"

    def bound(self, schema: Schema, task: Task) -> Self:
        """Return the profiler with what is declared about the table; one that does not need to know returns itself."""
        return self

    @abstractmethod
    def summarise(self, columns: Columns) -> Any:
        """Summarise one batch."""

    @abstractmethod
    def merge(self, a: Any, b: Any) -> Any:
        """Merge two summaries; ``a`` is of earlier rows."""

    @abstractmethod
    def finish(self, summary: Any) -> Profile:
        """Turn the summary of all rows into a profile."""


class Splitter(Component, ABC):
    """split: which rows train, validate and test, per fold; moves no data."""

    stage: ClassVar[str] = "split"
    seeded: ClassVar[bool] = True

    def fold_names(self) -> tuple[str, ...]:
        """Return the names of the folds, known from the configuration alone; the last one's model is kept."""
        return ("holdout",)

    @abstractmethod
    def split(self, table: Table, run: Run) -> Split:
        """Label the rows; ``Split.of(table, {fold: codes}, run)`` makes the split.

        Raises:
            DataError: the table cannot be split as declared.
        """


class Feature(Component, ABC):
    """features: a change of columns that may need to be fitted on training rows first.

    A field ``columns`` holds names or patterns of the inputs. A feature that needs no fitting leaves
    ``summarise``, ``merge`` and ``finish`` alone and sets ``fitted = False``.
    """

    stage: ClassVar[str] = "features"
    #: Whether ``summarise`` must see the training rows.
    fitted: ClassVar[bool] = True
    #: Whether the input columns stay beside the outputs; otherwise outputs replace them.
    keeps_inputs: ClassVar[bool] = False

    def inputs(self, available: Columns) -> tuple[str, ...]:
        """Return the names of the columns that the feature reads, given those that are there: a few rows of each.

        Raises:
            ConfigError: a name or pattern of ``columns`` that matches nothing.
        """
        from fnmatch import fnmatchcase

        from modelway.errors import ConfigError, nearest

        found: list[str] = []
        for key in getattr(self, "columns", ()):
            matched = [key] if key in available else [name for name in available if fnmatchcase(name, key)]
            if not matched:
                raise ConfigError(f"Feature '{self.name}' names column '{key}'", mend=nearest(key, available))
            found += matched
        return tuple(dict.fromkeys(found))

    def summarise(self, columns: Columns) -> Any:
        """Summarise the input columns of one batch of training rows."""
        return None

    def merge(self, a: Any, b: Any) -> Any:
        """Merge two summaries; ``a`` is of earlier rows. The order of merging is that of the rows."""
        return None

    def finish(self, summary: Any) -> Mapping[str, Any]:
        """Turn the summary of all training rows into the fitted state: plain JSON only."""
        return {}

    @abstractmethod
    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        """Compute the output columns, row by row alike, from the input columns and the fitted state.

        Needs numpy only: the same code serves training, batch scoring and the service.
        """


class Trainer(Component, ABC):
    """train: fit a model."""

    stage: ClassVar[str] = "train"
    seeded: ClassVar[bool] = True
    #: The ``Model`` subclass that ``fit`` returns, so that it can be loaded again.
    model: ClassVar[type[Model]]
    #: Tasks that the trainer can do.
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")
    #: Whether ``fit`` uses ``run.workers.client``, so that the cluster's shape is part of the fingerprint.
    distributed: ClassVar[bool] = False

    @abstractmethod
    def fit(self, split: Split, run: Run) -> Model:
        """Fit on ``split.batches("train")``; ``split.batches("valid")`` may stop early.

        Raises:
            DataError: the training rows cannot be learnt from (one class, no feature, a text column left over).
        """


class Metric(Component, ABC):
    """evaluate: measure predictions."""

    stage: ClassVar[str] = "evaluate"
    seeded: ClassVar[bool] = True
    #: Tasks that the metric is defined for.
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")
    #: Whether a smaller value is better.
    lower_is_better: ClassVar[bool] = False

    @abstractmethod
    def measure(self, predictions: Predictions, run: Run) -> Scores:
        """Measure the rows of one fold and phase: ``Scores.of(value, ...)`` or ``Scores.named({...})``."""


class Gate(Component, ABC):
    """gate: whether a model may be released; pure."""

    stage: ClassVar[str] = "gate"
    #: Whether the decision needs the champion's scores on the same rows.
    needs_champion: ClassVar[bool] = False

    @abstractmethod
    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        """Decide; ``champion`` holds its scores on the same rows, or is None while there is no champion."""


class Packager(Component, ABC):
    """package: make something that a target can run."""

    stage: ClassVar[str] = "package"

    @abstractmethod
    def package(self, model: ScoringModel, run: Run) -> Bundle:
        """Write a bundle below ``run.scratch`` that holds all that is needed to score, golden rows included."""

    def command(self, root: Path, host: str, port: int) -> tuple[list[str], dict[str, str]]:
        """Return the command, and its extra environment, that serves an unpacked bundle at an address."""
        raise NotImplementedError


class Target(Component, ABC):
    """deploy: where bundles run."""

    stage: ClassVar[str] = "deploy"

    @abstractmethod
    def deploy(self, bundle: Bundle, run: Run) -> Deployment:
        """Make a bundle the one that runs."""

    @abstractmethod
    def current(self, run: Run) -> Deployment | None:
        """Return what runs now, or None."""

    @abstractmethod
    def rollback(self, to: Deployment, run: Run) -> Deployment:
        """Return to an earlier deployment."""


class Writer(Component, ABC):
    """score: where batch predictions go."""

    stage: ClassVar[str] = "score"

    @abstractmethod
    def write(self, predictions: Table, run: Run) -> str:
        """Write a table of predictions; returns where they are."""


class Monitor(Component, ABC):
    """monitor: what a deployment does, against a reference."""

    stage: ClassVar[str] = "monitor"

    @abstractmethod
    def observe(self, deployment: Deployment, reference: Profile, window: Table, run: Run) -> Findings:
        """Compare a window of captured predictions with the training reference."""


class Trigger(Component, ABC):
    """retrain: whether to train again; pure."""

    stage: ClassVar[str] = "retrain"

    @abstractmethod
    def decide(self, findings: Findings, history: Sequence[Mapping[str, Any]], run: Run) -> Reason:
        """Decide from what monitoring found and from the runs so far, newest last."""


class Sink(Component, ABC):
    """notify: where events are sent."""

    stage: ClassVar[str] = "notify"

    @abstractmethod
    def send(self, event: Event, run: Run) -> None:
        """Send an event; raising means that it is tried again."""


class Compute(Component, ABC):
    """compute: what carries the work."""

    stage: ClassVar[str] = "compute"

    def shape(self, run: Run) -> Mapping[str, Any]:
        """Return what a distributed result may depend on, before anything starts; empty in one process.

        Raises:
            ComputeError: nothing answers where the cluster should be.
        """
        return {}

    @abstractmethod
    def open(self, run: Run) -> AbstractContextManager[Workers]:
        """Start, or connect, and check that the workers can do the work.

        Raises:
            ComputeError: too few workers, or workers with other code or without the store.
        """


class Launcher(Component, ABC):
    """launch: where the trials of a sweep run."""

    stage: ClassVar[str] = "launch"

    def width(self, run: Run) -> int:
        """Return how many trials go on at once."""
        return 1

    @abstractmethod
    def open(self, run: Run) -> AbstractContextManager[Executor]:
        """Start; the context's value is an executor of ``concurrent.futures``."""


class Sweeper(Component, ABC):
    """search: which trials a sweep makes."""

    stage: ClassVar[str] = "search"
    seeded: ClassVar[bool] = True

    @abstractmethod
    def search(
        self, space: Mapping[str, Choices | Interval], objectives: Mapping[str, bool], run: Run
    ) -> AbstractContextManager[Search]:
        """Begin a search, or go on with one of the same ``run.id``.

        Args:
            space: What each key may be.
            objectives: By name, as ``test.accuracy``, whether a smaller value is better.
            run: ``run.id`` names the sweep; ``run.workspace`` and ``run.scratch`` are at hand.

        Raises:
            ConfigError: a space that the sweeper cannot search.
        """


#: Each stage's base class, in lifecycle order, with the hook that registers it and its key in the configuration.
STAGES: dict[str, tuple[type[Component], str, str]] = {
    "acquire": (Source, "sources", "source"),
    "prepare": (Preparer, "preparers", "prepare"),
    "validate": (Check, "checks", "checks"),
    "profile": (Profiler, "profilers", "profile"),
    "split": (Splitter, "splitters", "split"),
    "features": (Feature, "features", "features"),
    "train": (Trainer, "trainers", "model"),
    "evaluate": (Metric, "metrics", "metrics"),
    "gate": (Gate, "gates", "gates"),
    "package": (Packager, "packagers", "package"),
    "deploy": (Target, "targets", "deploy"),
    "score": (Writer, "writers", "writer"),
    "monitor": (Monitor, "monitors", "monitors"),
    "retrain": (Trigger, "triggers", "retrain"),
    "notify": (Sink, "sinks", "notify"),
    "compute": (Compute, "computes", "compute"),
    "launch": (Launcher, "launchers", "launcher"),
    "search": (Sweeper, "sweepers", "sweeper"),
}

__all__ = [name for name, _ in ((c.__name__, c) for c, _, _ in STAGES.values())]
__all__ += ["CONTRACT", "STAGES", "RowPreparer", "Schema", "param"]
