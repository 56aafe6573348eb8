"""For plugin authors' tests: a run that needs no project, and one conformance suite per stage.

Subclass the suite of your component's stage, and pytest finds the checks::

    class TestScale(FeatureSuite):
        component = Scale(columns=("a",))
"""

from modelway.testing.data import CheckSuite, PreparerSuite, SourceSuite, SplitterSuite
from modelway.testing.delivery import PackagerSuite, TargetSuite, WriterSuite
from modelway.testing.features import FeatureSuite
from modelway.testing.make import make_run, make_table
from modelway.testing.models import GateSuite, MetricSuite, TrainerSuite
from modelway.testing.suite import ComponentSuite
from modelway.testing.summaries import ProfilerSuite
from modelway.testing.sweeping import LauncherSuite, SweeperSuite
from modelway.testing.watching import ComputeSuite, MonitorSuite, SinkSuite, TriggerSuite

#: The suite of each stage.
SUITES: dict[str, type[ComponentSuite]] = {
    "acquire": SourceSuite,
    "prepare": PreparerSuite,
    "validate": CheckSuite,
    "profile": ProfilerSuite,
    "split": SplitterSuite,
    "features": FeatureSuite,
    "train": TrainerSuite,
    "evaluate": MetricSuite,
    "gate": GateSuite,
    "package": PackagerSuite,
    "deploy": TargetSuite,
    "score": WriterSuite,
    "monitor": MonitorSuite,
    "retrain": TriggerSuite,
    "notify": SinkSuite,
    "compute": ComputeSuite,
    "launch": LauncherSuite,
    "search": SweeperSuite,
}

__all__ = [
    "SUITES",
    "CheckSuite",
    "ComponentSuite",
    "ComputeSuite",
    "FeatureSuite",
    "GateSuite",
    "LauncherSuite",
    "MetricSuite",
    "MonitorSuite",
    "PackagerSuite",
    "PreparerSuite",
    "ProfilerSuite",
    "SinkSuite",
    "SourceSuite",
    "SplitterSuite",
    "SweeperSuite",
    "TargetSuite",
    "TrainerSuite",
    "TriggerSuite",
    "WriterSuite",
    "make_run",
    "make_table",
]
