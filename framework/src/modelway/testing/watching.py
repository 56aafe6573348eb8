"""Suites of the stages around a running model: monitors, triggers, sinks, and the compute that carries the work."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from modelway.context import Event
from modelway.errors import DataError
from modelway.hookspecs import OBSERVERS
from modelway.testing.make import make_table
from modelway.testing.suite import ComponentSuite, NoBlobs, saved, strict
from modelway.values import Deployment, Finding, Findings, Profile, Reason


class MonitorSuite(ComponentSuite):
    """Checks of a monitor; override ``reference``, ``quiet`` and ``drifted``."""

    def reference(self) -> Profile:
        """Return the training reference."""
        raise NotImplementedError(f"{type(self).__name__} needs reference(): a profile of training rows")

    def quiet(self) -> Mapping[str, Any]:
        """Return the columns of a window that looks like the reference."""
        raise NotImplementedError(f"{type(self).__name__} needs quiet(): a window like the reference")

    def drifted(self) -> Mapping[str, Any]:
        """Return the columns of a window that does not."""
        raise NotImplementedError(f"{type(self).__name__} needs drifted(): a window unlike the reference")

    def observe(self, folder: Path, columns: Mapping[str, Any], parts: int = 1) -> Findings:
        """Observe a window."""
        run = self.run(folder)
        deployment = Deployment("test", "0" * 64, since="2024-01-01T00:00:00Z")
        found = self.make(folder).observe(deployment, self.reference(), make_table(run, columns, parts), run)
        assert isinstance(found, Findings), f"observe() returns {type(found).__name__}, not Findings"
        return found

    def test_a_window_like_the_reference_is_quiet(self, tmp_path: Path) -> None:
        """A monitor that cries wolf is switched off."""
        found = self.observe(tmp_path, self.quiet())
        assert found.passed, f"It finds {[(i.rule, i.column) for i in found.items]} in rows like the reference"

    def test_a_window_unlike_the_reference_is_found(self, tmp_path: Path) -> None:
        """A monitor that finds nothing lets a model rot."""
        assert self.observe(tmp_path, self.drifted()).items, "It finds nothing in rows unlike the reference"

    def test_findings_do_not_depend_on_how_the_window_is_cut(self, tmp_path: Path) -> None:
        """Captures come in files of any size."""
        expected = _found(self.observe(tmp_path, self.drifted()))
        for parts in (2, 5):
            assert _found(self.observe(tmp_path, self.drifted(), parts)) == expected, f"Others in {parts} parts"

    def test_findings_are_repeatable_and_can_be_kept(self, tmp_path: Path) -> None:
        """Findings are committed like every result."""
        one, two = (saved(self.observe(tmp_path, self.drifted(), 2), tmp_path / str(i)) for i in range(2))
        assert one == two, "The same window gives other findings the second time"


def _found(findings: Findings) -> list[tuple[str, str, str]]:
    return sorted((item.rule, item.column, item.severity) for item in findings.items)


class TriggerSuite(ComponentSuite):
    """Checks of a trigger; override ``findings`` and ``history`` with some on which it fires."""

    def findings(self) -> Findings:
        """Return findings on which the trigger fires."""
        return Findings((Finding("drift", "a", 10, "stop"),), rows=100, rules=1)

    def history(self) -> Sequence[Mapping[str, Any]]:
        """Return the runs so far, newest last."""
        return []

    def decide(self, folder: Path, findings: Findings, history: Sequence[Mapping[str, Any]]) -> Reason:
        """Decide, with nothing but the arguments within reach."""
        run = replace(self.run(folder), blobs=NoBlobs())
        before = copy.deepcopy((findings, history))
        found = self.make(folder).decide(findings, history, run)
        assert isinstance(found, Reason), f"decide() returns {type(found).__name__}, not a Reason"
        assert (findings, history) == before, "decide() changes what it was given"
        assert not list(run.scratch.iterdir()), "decide() writes files, and must be pure"
        return found

    def test_decides_the_same_each_time(self, tmp_path: Path) -> None:
        """A policy is tried on history before it is switched on: it must answer there as it will live."""
        one, two = (self.decide(tmp_path, self.findings(), self.history()) for _ in range(2))
        assert one == two, "The same findings give another decision"

    def test_fires_and_says_why(self, tmp_path: Path) -> None:
        """The sentence is what people read when a model is trained at night."""
        found = self.decide(tmp_path, self.findings(), self.history())
        assert found.passed is True, f"It does not fire: {found.text}"
        assert found.text, "The decision gives no reason"
        strict(asdict(found), "The reason")

    def test_answers_before_anything_happened(self, tmp_path: Path) -> None:
        """The first day has neither findings nor runs."""
        assert isinstance(self.decide(tmp_path, Findings(), []).passed, bool), "It does not answer with yes or no"


class SinkSuite(ComponentSuite):
    """Checks of a sink; override ``received`` to tell what arrived, and ``down`` to break the other end."""

    def received(self, sink: Any, run: Any) -> int | None:
        """Return the number of events that arrived, or None where it cannot be told."""
        return None

    def down(self, folder: Path) -> Any:
        """Return a sink whose other end does not answer, or None."""
        return None

    def event(self, kind: str) -> Event:
        """Return an event of a kind."""
        return Event(kind, "r1", "test", "2024-01-01T00:00:00Z", "train", {"text": "Müller < 3", "value": 0.5})

    def test_sends_every_kind_of_event(self, tmp_path: Path) -> None:
        """A sink that chokes on one kind loses the one that mattered."""
        sink, run = self.make(tmp_path), self.run(tmp_path)
        for kind in OBSERVERS:
            event = self.event(kind)
            before = copy.deepcopy(event)
            assert sink.send(event, run) is None, "send() returns something"
            assert event == before, "send() changes the event, which others get too"
        count = self.received(sink, run)
        assert count in (None, len(OBSERVERS)), f"{count} of {len(OBSERVERS)} events arrived"

    def test_a_failure_is_raised(self, tmp_path: Path) -> None:
        """An event is tried again only if the sink says that it was not sent."""
        sink, run = self.down(tmp_path), self.run(tmp_path)
        if sink is None:
            return
        try:
            sink.send(self.event("alert_raised"), run)
        except Exception:
            return
        raise AssertionError("send() says nothing although the other end does not answer")


class ComputeSuite(ComponentSuite):
    """Checks of a compute."""

    def test_results_come_in_the_order_of_the_items(self, tmp_path: Path) -> None:
        """Tables and summaries are put together in that order."""
        with self.make(tmp_path).open(self.run(tmp_path)) as workers:
            assert list(workers.map(_slow_first, range(8))) == [n * n for n in range(8)], "Results are out of order"
            assert list(workers.map(_slow_first, (n for n in range(3)))) == [0, 1, 4], "It takes no generator"
            assert list(workers.map(_slow_first, [])) == [], "It cannot map nothing"

    def test_work_may_close_over_values(self, tmp_path: Path) -> None:
        """Components hand over functions that hold their configuration."""
        with self.make(tmp_path).open(self.run(tmp_path)) as workers:
            assert list(workers.map(_adder(10), [1, 2])) == [11, 12], "It cannot carry a closure"

    def test_an_error_of_the_work_reaches_the_caller(self, tmp_path: Path) -> None:
        """The paragraph that the worker wrote is the one that the user reads."""
        told: list[DataError] = []
        with self.make(tmp_path).open(self.run(tmp_path)) as workers:
            try:
                list(workers.map(_fail, [1]))
            except DataError as error:
                told.append(error)
        assert told, "The work's error is lost"
        words = (told[0].what, told[0].where, told[0].mend)
        assert words == ("Part 1 is bad", "p1.csv", "Mend it"), f"The work's error arrives as {words}"

    def test_parts_of_a_table_are_changed_as_in_one_process(self, tmp_path: Path) -> None:
        """The same configuration gives the same bytes on any compute."""
        run = self.run(tmp_path)
        table = make_table(run, {"a": list(range(50))}, parts=5)
        with self.make(tmp_path).open(run) as workers:
            there = table.map(_same_rows, replace(run, workers=workers))
        assert there == table.map(_same_rows, run), "A table mapped there has other parts than one mapped here"

    def test_can_be_opened_again(self, tmp_path: Path) -> None:
        """A process may run more than once."""
        component = self.make(tmp_path)
        for _ in range(2):
            with component.open(self.run(tmp_path)) as workers:
                assert list(workers.map(_slow_first, [3])) == [9], "It cannot be opened twice"


def _slow_first(number: int) -> int:
    import time

    time.sleep(0.05 if number == 0 else 0.0)
    return number * number


def _adder(amount: int) -> Callable[[int], int]:
    return lambda number: number + amount


def _fail(number: int) -> int:
    raise DataError(f"Part {number} is bad", where=f"p{number}.csv", mend="Mend it")


def _same_rows(batch: Any) -> Any:
    return batch
