"""Suites of monitors, triggers, sinks and computes: a tiny good component passes, rude ones are caught."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelway import (
    Compute,
    Deployment,
    Event,
    Finding,
    Findings,
    Monitor,
    Profile,
    Reason,
    Run,
    Sink,
    Table,
    Trigger,
    Workers,
    param,
)
from modelway.testing import ComputeSuite, MonitorSuite, SinkSuite, TriggerSuite

_COUNTER = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Shift(Monitor, name="shift"):
    """Finds a mean that moved."""

    most: float = param(1.0, "Largest move.")

    def observe(self, deployment: Deployment, reference: Profile, window: Table, run: Run) -> Findings:
        mean = self.mean(window)
        moved = abs(mean - reference.body["a"]) > self.most
        items = (Finding("shift", "a", window.rows, "warn", text=f"The mean is {mean}."),) if moved else ()
        return Findings(items, window.rows, 1)

    def mean(self, window: Table) -> float:
        return float(window.read(["a"])["a"].mean())  # type: ignore[union-attr]


@dataclass(frozen=True, kw_only=True)
class ShiftOfFirstPart(Shift, name="shift_of_first_part"):
    """Looks at the first part alone."""

    def mean(self, window: Table) -> float:
        return super().mean(window.only(window.parts[:1]))


@dataclass(frozen=True, kw_only=True)
class Asleep(Shift, name="asleep"):
    """Finds nothing."""

    def mean(self, window: Table) -> float:
        return 2.0


@dataclass(frozen=True, kw_only=True)
class Alarmed(Shift, name="alarmed"):
    """Finds something everywhere, and something else each time."""

    def observe(self, deployment: Deployment, reference: Profile, window: Table, run: Run) -> Findings:
        return Findings((Finding("shift", "a", next(_COUNTER), "stop"),), window.rows, 1)


class ShiftSuite(MonitorSuite):
    __test__ = False
    component = Shift()

    def reference(self) -> Profile:
        return Profile({"a": 2.0})

    def quiet(self) -> Mapping[str, Any]:
        return {"a": [1.0, 2.0, 3.0, 2.5, 1.5, 2.0]}

    def drifted(self) -> Mapping[str, Any]:
        return {"a": [2.0, 2.0, 2.0, 9.0, 9.0, 9.0]}


class TestShift(ShiftSuite):
    __test__ = True


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (ShiftOfFirstPart(), "test_findings_do_not_depend_on_how_the_window_is_cut"),
        (Asleep(), "test_a_window_unlike_the_reference_is_found"),
        (Alarmed(), "test_a_window_like_the_reference_is_quiet"),
        (Alarmed(), "test_findings_are_repeatable_and_can_be_kept"),
    ],
)
def test_a_rude_monitor_is_caught(caught: Any, component: Monitor, rule: str) -> None:
    assert caught(ShiftSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class OnStop(Trigger, name="on_stop"):
    """Fires when a finding says stop."""

    def decide(self, findings: Findings, history: Sequence[Mapping[str, Any]], run: Run) -> Reason:
        return Reason(self.name, not findings.passed, f"{len(findings.items)} findings.")


@dataclass(frozen=True, kw_only=True)
class Impulsive(OnStop, name="impulsive"):
    """Says something else each time."""

    def decide(self, findings: Findings, history: Sequence[Mapping[str, Any]], run: Run) -> Reason:
        return Reason(self.name, True, f"Decision {next(_COUNTER)}.")


@dataclass(frozen=True, kw_only=True)
class Lazy(OnStop, name="lazy"):
    """Never fires."""

    def decide(self, findings: Findings, history: Sequence[Mapping[str, Any]], run: Run) -> Reason:
        return Reason(self.name, False, "Not today.")


@dataclass(frozen=True, kw_only=True)
class Nostalgic(OnStop, name="nostalgic"):
    """Needs an earlier run."""

    def decide(self, findings: Findings, history: Sequence[Mapping[str, Any]], run: Run) -> Reason:
        return Reason(self.name, True, f"The last run was {history[-1]['id']}.")


@dataclass(frozen=True, kw_only=True)
class Forger(OnStop, name="forger"):
    """Adds itself to the history."""

    def decide(self, findings: Findings, history: Sequence[Mapping[str, Any]], run: Run) -> Reason:
        history.append({"id": "r9"})  # type: ignore[attr-defined]
        return super().decide(findings, history, run)


class TestOnStop(TriggerSuite):
    component = OnStop()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Impulsive(), "test_decides_the_same_each_time"),
        (Forger(), "test_decides_the_same_each_time"),
        (Lazy(), "test_fires_and_says_why"),
        (Nostalgic(), "test_answers_before_anything_happened"),
    ],
)
def test_a_rude_trigger_is_caught(caught: Any, component: Trigger, rule: str) -> None:
    assert caught(TriggerSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Append(Sink, name="append"):
    """Appends events to a file."""

    path: str = param("events.jsonl", "File.")

    def send(self, event: Event, run: Run) -> None:
        with run.path(self.path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(event)) + "\n")


@dataclass(frozen=True, kw_only=True)
class Swallow(Append, name="swallow"):
    """Says nothing when it fails."""

    def send(self, event: Event, run: Run) -> None:
        try:
            super().send(event, run)
        except OSError:
            return


@dataclass(frozen=True, kw_only=True)
class Choosy(Append, name="choosy"):
    """Sends what it likes."""

    def send(self, event: Event, run: Run) -> None:
        if event.kind.startswith("run"):
            super().send(event, run)


@dataclass(frozen=True, kw_only=True)
class Editor(Append, name="editor"):
    """Writes into the event."""

    def send(self, event: Event, run: Run) -> None:
        super().send(event, run)
        event.body["seen"] = True  # type: ignore[index]


class AppendSuite(SinkSuite):
    __test__ = False
    sink: type[Append] = Append

    def make(self, folder: Path) -> Append:
        return self.sink()

    def received(self, sink: Any, run: Any) -> int:
        return len(run.path(sink.path).read_text(encoding="utf-8").splitlines())

    def down(self, folder: Path) -> Append:
        return self.sink(path="absent/events.jsonl")


class TestAppend(AppendSuite):
    __test__ = True


@pytest.mark.parametrize(
    ("sink", "rule"),
    [
        (Swallow, "test_a_failure_is_raised"),
        (Choosy, "test_sends_every_kind_of_event"),
        (Editor, "test_sends_every_kind_of_event"),
    ],
)
def test_a_rude_sink_is_caught(caught: Any, sink: type, rule: str) -> None:
    assert caught(AppendSuite, rule, sink=sink) == {rule}


@dataclass(frozen=True, kw_only=True)
class Threads(Compute, name="threads"):
    """Threads of this process."""

    def open(self, run: Run) -> AbstractContextManager[Any]:
        return self.workers()

    @contextmanager
    def workers(self) -> Iterator[Any]:
        with ThreadPoolExecutor(2) as pool:
            yield Workers(pool.map)


@dataclass(frozen=True, kw_only=True)
class AsTheyCome(Threads, name="as_they_come"):
    """Yields results as they are finished."""

    @contextmanager
    def workers(self) -> Iterator[Any]:
        with ThreadPoolExecutor(2) as pool:
            yield Workers(lambda f, items: (one.result() for one in as_completed([pool.submit(f, i) for i in items])))


@dataclass(frozen=True, kw_only=True)
class Processes(Threads, name="processes"):
    """Processes that take plain functions alone."""

    @contextmanager
    def workers(self) -> Iterator[Any]:
        def carried(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
            function = pickle.loads(pickle.dumps(function))
            return [function(item) for item in items]

        yield Workers(carried)


@dataclass(frozen=True, kw_only=True)
class Rewording(Threads, name="rewording"):
    """Tells its own story of a failure."""

    @contextmanager
    def workers(self) -> Iterator[Any]:
        def told(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
            try:
                yield from map(function, items)
            except Exception as error:
                raise RuntimeError("A worker failed") from error

        yield Workers(told)


@dataclass(frozen=True, kw_only=True)
class Once(Threads, name="once"):
    """Can be opened once."""

    def open(self, run: Run) -> AbstractContextManager[Any]:
        place = run.scratch / "opened"
        place.mkdir()
        return self.workers()


class TestThreads(ComputeSuite):
    component = Threads()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (AsTheyCome(), "test_results_come_in_the_order_of_the_items"),
        (Processes(), "test_work_may_close_over_values"),
        (Processes(), "test_parts_of_a_table_are_changed_as_in_one_process"),
        (Rewording(), "test_an_error_of_the_work_reaches_the_caller"),
        (Once(), "test_can_be_opened_again"),
    ],
)
def test_a_rude_compute_is_caught(caught: Any, component: Compute, rule: str) -> None:
    assert caught(ComputeSuite, rule, component=component) == {rule}
