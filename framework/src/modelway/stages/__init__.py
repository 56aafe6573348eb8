"""The contract: one abstract class per stage of the lifecycle, in order.

A component subclasses one of these as a frozen dataclass and gives itself a name; its fields are its configuration and
its method is the stage. Every method takes its inputs and ``run``, and returns one value: the contract grows by fields
of ``run``, never by arguments. ``CONTRACT`` is its version.
"""

from __future__ import annotations

from modelway.component import Component
from modelway.stages.carrying import Compute, Launcher, Sweeper
from modelway.stages.data import Check, Preparer, Profiler, RowPreparer, Source, Splitter
from modelway.stages.learning import Feature, Gate, Metric, Trainer
from modelway.stages.release import Monitor, Packager, Sink, Target, Trigger, Writer

#: Version of the contract between the engine and plugins.
CONTRACT = 1

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

__all__ = [
    "CONTRACT",
    "STAGES",
    "Check",
    "Compute",
    "Feature",
    "Gate",
    "Launcher",
    "Metric",
    "Monitor",
    "Packager",
    "Preparer",
    "Profiler",
    "RowPreparer",
    "Sink",
    "Source",
    "Splitter",
    "Sweeper",
    "Target",
    "Trainer",
    "Trigger",
    "Writer",
]  # fmt: skip
