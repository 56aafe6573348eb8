"""The hooks: one that registers components per stage, and the observers.

A registering hook returns component classes. An observer gets a frozen event and returns nothing: it cannot change a
result, and one that raises is a warning, never a failed run.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from modelway import stages
from modelway.context import Event

NAMESPACE = "modelway"
hookspec = pluggy.HookspecMarker(NAMESPACE)
hookimpl = pluggy.HookimplMarker(NAMESPACE)


@hookspec
def sources() -> Iterable[type[stages.Source]]:  # type: ignore[empty-body]
    """Offer sources: where tables come from."""


@hookspec
def preparers() -> Iterable[type[stages.Preparer]]:  # type: ignore[empty-body]
    """Offer preparers: clean, join, aggregate, derive."""


@hookspec
def checks() -> Iterable[type[stages.Check]]:  # type: ignore[empty-body]
    """Offer checks of tables."""


@hookspec
def profilers() -> Iterable[type[stages.Profiler]]:  # type: ignore[empty-body]
    """Offer profilers of tables."""


@hookspec
def splitters() -> Iterable[type[stages.Splitter]]:  # type: ignore[empty-body]
    """Offer splitters: which rows train, validate and test."""


@hookspec
def features() -> Iterable[type[stages.Feature]]:  # type: ignore[empty-body]
    """Offer features: fitted or plain changes of columns."""


@hookspec
def trainers() -> Iterable[type[stages.Trainer]]:  # type: ignore[empty-body]
    """Offer trainers of models."""


@hookspec
def metrics() -> Iterable[type[stages.Metric]]:  # type: ignore[empty-body]
    """Offer metrics of predictions."""


@hookspec
def gates() -> Iterable[type[stages.Gate]]:  # type: ignore[empty-body]
    """Offer gates that a model must pass."""


@hookspec
def packagers() -> Iterable[type[stages.Packager]]:  # type: ignore[empty-body]
    """Offer packagers of bundles."""


@hookspec
def targets() -> Iterable[type[stages.Target]]:  # type: ignore[empty-body]
    """Offer targets where bundles run."""


@hookspec
def writers() -> Iterable[type[stages.Writer]]:  # type: ignore[empty-body]
    """Offer writers of batch predictions."""


@hookspec
def monitors() -> Iterable[type[stages.Monitor]]:  # type: ignore[empty-body]
    """Offer monitors of deployments."""


@hookspec
def triggers() -> Iterable[type[stages.Trigger]]:  # type: ignore[empty-body]
    """Offer triggers of retraining."""


@hookspec
def sinks() -> Iterable[type[stages.Sink]]:  # type: ignore[empty-body]
    """Offer sinks for events."""


@hookspec
def computes() -> Iterable[type[stages.Compute]]:  # type: ignore[empty-body]
    """Offer computes that carry the work."""


@hookspec
def launchers() -> Iterable[type[stages.Launcher]]:  # type: ignore[empty-body]  # a specification
    """Offer launchers: where the trials of a sweep run."""


@hookspec
def sweepers() -> Iterable[type[stages.Sweeper]]:  # type: ignore[empty-body]  # a specification
    """Offer sweepers: which trials a sweep makes."""


@hookspec
def run_started(event: Event) -> None:
    """Told when a run starts; the body holds the plan's steps."""


@hookspec
def step_started(event: Event) -> None:
    """Told when a step starts."""


@hookspec
def step_finished(event: Event) -> None:
    """Told when a step is committed or found cached; the body holds its digest and cost."""


@hookspec
def step_failed(event: Event) -> None:
    """Told when a step fails; the body holds the error's sentence."""


@hookspec
def run_finished(event: Event) -> None:
    """Told when a run ends, however it ends; the body holds status, metrics and cost."""


@hookspec
def promoted(event: Event) -> None:
    """Told when an alias moves to a model version."""


@hookspec
def deployed(event: Event) -> None:
    """Told when a target runs another bundle."""


@hookspec
def alert_raised(event: Event) -> None:
    """Told when a monitor's rule is broken."""


#: The observers, as opposed to the hooks that register components.
OBSERVERS = (
    "run_started", "step_started", "step_finished", "step_failed", "run_finished",
    "promoted", "deployed", "alert_raised",
)  # fmt: skip
