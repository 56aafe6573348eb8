"""Modelway takes a machine-learning project from declared configuration to a running, watched, retrained model.

This module is the whole public API for plugins and, through ``compose``, ``plan``, ``run`` and ``runs``, for scripts
and notebooks. Heavy libraries are imported inside the functions that need them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelway.component import Component, build, knob, param, plain, reveal, secret
from modelway.context import Event, Run, Workers
from modelway.decorators import check, feature, gate, metric, preparer, splitter
from modelway.errors import ComputeError, ConfigError, DataError, ModelwayError, PluginError, StageError, nearest
from modelway.expression import Expression
from modelway.graph import Graph, Wire, Wires
from modelway.hookspecs import hookimpl
from modelway.schema import ColumnSchema, RuleSchema, Schema, Task
from modelway.search import Choices, Interval, Point, Search
from modelway.stages import (
    CONTRACT,
    Check,
    Compute,
    Feature,
    Gate,
    Launcher,
    Metric,
    Monitor,
    Packager,
    Preparer,
    Profiler,
    RowPreparer,
    Sink,
    Source,
    Splitter,
    Sweeper,
    Target,
    Trainer,
    Trigger,
    Writer,
)
from modelway.values import (
    PHASES,
    Batch,
    Bundle,
    Category,
    Column,
    Columns,
    Deployment,
    Directory,
    Finding,
    Findings,
    Folder,
    Model,
    Part,
    Plot,
    Predictions,
    Profile,
    Reason,
    Score,
    Scores,
    ScoringModel,
    Split,
    Table,
    Transform,
    Verdict,
    from_arrow,
    from_records,
    length,
    missing,
    take,
    to_arrow,
    to_records,
)

__version__ = "0.1.0"

__all__ = [
    "CONTRACT",
    "PHASES",
    "Batch",
    "Bundle",
    "Category",
    "Check",
    "Choices",
    "Column",
    "ColumnSchema",
    "Columns",
    "Component",
    "Compute",
    "ComputeError",
    "ConfigError",
    "DataError",
    "Deployment",
    "Directory",
    "Event",
    "Expression",
    "Feature",
    "Finding",
    "Findings",
    "Folder",
    "Gate",
    "Graph",
    "Interval",
    "Launcher",
    "Metric",
    "Model",
    "ModelwayError",
    "Monitor",
    "Packager",
    "Part",
    "Plot",
    "PluginError",
    "Point",
    "Predictions",
    "Preparer",
    "Profile",
    "Profiler",
    "Reason",
    "RowPreparer",
    "RuleSchema",
    "Run",
    "Schema",
    "Score",
    "Scores",
    "ScoringModel",
    "Search",
    "Sink",
    "Source",
    "Split",
    "Splitter",
    "StageError",
    "Sweeper",
    "Table",
    "Target",
    "Task",
    "Trainer",
    "Transform",
    "Trigger",
    "Verdict",
    "Wire",
    "Wires",
    "Workers",
    "Writer",
    "build",
    "check",
    "compose",
    "feature",
    "from_arrow",
    "from_records",
    "gate",
    "hookimpl",
    "knob",
    "length",
    "metric",
    "missing",
    "nearest",
    "open_run",
    "param",
    "plain",
    "preparer",
    "reveal",
    "runs",
    "secret",
    "splitter",
    "take",
    "to_arrow",
    "to_records",
]

if TYPE_CHECKING:
    from modelway.api import compose, open_run, runs

_API = ("compose", "open_run", "runs")


def __getattr__(name: str) -> Any:
    """Import the commands' Python form when it is first used, so that plugins do not pay for it."""
    if name in _API:
        from modelway import api

        return getattr(api, name)
    raise AttributeError(f"module 'modelway' has no attribute '{name}'")
