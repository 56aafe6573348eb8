"""Each hook that is specified does what it says: what it offers can be used, and what it observes is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelway.context import Event
from modelway.hookspecs import OBSERVERS
from modelway.plugins import Plugins
from modelway.stages import STAGES

#: A plugin that implements every hook: for each stage one component, and observers that take note.
PLUGIN = """
from dataclasses import dataclass

from modelway import hookimpl, stages

told = []


def offer(base):
    methods = {name: lambda self, *arguments: None for name in base.__abstractmethods__}
    made = type(base)("Made", (base,), {"__doc__": "Made.", "__module__": "elsewhere", **methods}, name="made")
    return [dataclass(frozen=True, kw_only=True)(made)]


def hook(name, function):
    function.__name__ = name
    globals()[name] = hookimpl(function)


for stage, (base, name, key) in stages.STAGES.items():
    hook(name, lambda base=base: offer(base))


@hookimpl
def run_started(event): told.append(("run_started", event))
@hookimpl
def step_started(event): told.append(("step_started", event))
@hookimpl
def step_finished(event): told.append(("step_finished", event))
@hookimpl
def step_failed(event): told.append(("step_failed", event))
@hookimpl
def run_finished(event): told.append(("run_finished", event))
@hookimpl
def promoted(event): told.append(("promoted", event))
@hookimpl
def deployed(event): told.append(("deployed", event))
@hookimpl
def alert_raised(event): told.append(("alert_raised", event))
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    found = Plugins(only=(), inline=tmp_path / "plugin.py")
    assert found.loaded["project"].broken == ""
    return found


@pytest.mark.parametrize(
    ("hook", "stage"),
    [
        ("sources", "acquire"),
        ("preparers", "prepare"),
        ("checks", "validate"),
        ("profilers", "profile"),
        ("splitters", "split"),
        ("features", "features"),
        ("trainers", "train"),
        ("metrics", "evaluate"),
        ("gates", "gate"),
        ("packagers", "package"),
        ("targets", "deploy"),
        ("writers", "score"),
        ("monitors", "monitor"),
        ("triggers", "retrain"),
        ("sinks", "notify"),
        ("computes", "compute"),
    ],
)
def test_what_a_hook_offers_is_found_under_its_stage(plugins: Plugins, hook: str, stage: str) -> None:
    assert STAGES[stage][1] == hook
    assert issubclass(plugins.get(stage, "made"), STAGES[stage][0])


def test_each_observer_is_told_of_its_own_event_and_of_no_other(plugins: Plugins) -> None:
    import sys

    told = sys.modules[plugins.loaded["project"].module].told  # type: ignore[attr-defined]
    events = [Event(kind, "r1", "shop", "2026-01-01T00:00:00Z", body={"n": n}) for n, kind in enumerate(OBSERVERS)]
    for event in events:
        plugins.notify(event)
    assert told == [(event.kind, event) for event in events]
    assert plugins.loaded["project"].observers == list(OBSERVERS)
