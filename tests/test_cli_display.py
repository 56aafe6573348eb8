"""What commands print: aligned for a person, plain for a pipe, and never a value that misleads."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway.cli import display
from modelway.context import Event


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Make standard output a terminal, from the moment when the test asks for it: pytest sets its own one before."""

    def turn() -> Terminal:
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        out = Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        return out

    return turn


def test_a_pipe_gets_no_colour() -> None:
    assert display.paint("good", "green") == "good"


def test_a_terminal_gets_colour_unless_it_declines(
    terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal()
    assert display.paint("good", "green") == "\x1b[32mgood\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert display.paint("good", "green") == "good"


def test_a_table_is_aligned_whatever_is_in_it() -> None:
    text = display.table(["name", "value"], [["auc", 0.97111111], ["rows", 10], ["none", None]], right=[1])
    assert text.splitlines() == ["name   value", "auc   0.9711", "rows      10", "none       -"]


def test_a_table_is_aligned_in_colour_too(terminal: Callable[[], Terminal]) -> None:
    terminal()
    text = display.table(["a", "b"], [[display.paint("x", "red"), 1], ["long", 2]])
    plain = [display._bare(line) for line in text.splitlines()]
    assert plain == ["a     b", "x     1", "long  2"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (0.5, "0.5000"),
        (-0.25, "-0.2500"),
        (1234.56, "1234.5600"),
        (1e6, "1000000"),
        (1e9, "1e+09"),
        (0.000123456, "0.0001235"),
        (None, "-"),
    ],
)
def test_a_small_or_large_value_keeps_its_digits(value: float | None, text: str) -> None:
    assert display.number(value) == text


@given(st.floats(-1e300, 1e300))
def test_a_number_is_never_told_far_from_itself(value: float) -> None:
    assert float(display.number(value)) == pytest.approx(value, rel=0.06, abs=5e-324)


@pytest.mark.parametrize(("value", "text"), [(0.0123, "12 ms"), (1.0, "1.0 s"), (119.9, "119.9 s"), (180, "3.0 min")])
def test_a_duration_has_a_unit_that_fits(value: float, text: str) -> None:
    assert display.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (250_000, "250 kB"), (3.2e6, "3.2 MB"), (5e12, "5000 GB")],
)
def test_a_size_has_a_unit_that_fits(value: float, text: str) -> None:
    assert display.size(value) == text


def measured(**more: Any) -> dict[str, Any]:
    return {
        "metric": "auc",
        "phase": "test",
        "value": 0.9,
        "low": None,
        "high": None,
        "std": None,
        "support": 9,
        **more,
    }


def test_an_interval_is_told_from_a_spread() -> None:
    one = display.scores([measured(low=0.85, high=0.99), measured(phase="valid")]).splitlines()
    assert "95% interval" in one[0]
    assert "0.8500 to 0.9900" in one[1]
    folds = display.scores([measured(std=0.01)]).splitlines()
    assert "std over folds" in folds[0]
    assert "interval" not in folds[0]
    assert "± 0.0100" in folds[1]


def test_json_is_whole_and_readable(capsys: pytest.CaptureFixture[str]) -> None:
    display.emit({"name": "café", "path": Path("/a")})
    said = capsys.readouterr().out
    assert json.loads(said) == {"name": "café", "path": "/a"}
    assert "café" in said


def event(kind: str, **body: Any) -> Event:
    return Event(kind, "r1", "shop", "2026-01-01T00:00:00Z", "model", body)


DONE = {"status": "ran", "digest": "d", "bytes": 2_000, "cost": {"wall": 1.5, "cpu": 1.0, "peak": 3e6}}


def test_a_pipe_gets_one_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    show = display.Progress(3)
    for told in (
        event("step_started", reason="new"),
        event("step_progress", round=1, scores={"auc": 0.5}),
        event("step_finished", **DONE, rows=7),
        event("step_finished", **{**DONE, "status": "cached"}),
        event("step_started", reason="another run computes it; waiting"),
        event("step_failed", error="x"),
        event("run_finished", status="failed"),
    ):
        show(told)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["✓", "model"], ["=", "model"], ["…", "model"], ["x", "model"]]
    assert "1.5 s" in lines[0]
    assert "3.0 MB peak" in lines[0]
    assert lines[0].endswith("7 rows")
    assert "waiting" in lines[2]


def test_a_terminal_sees_a_step_move(terminal: Callable[[], Terminal]) -> None:
    out = terminal()
    show = display.Progress(1)
    show(event("step_started", reason="new"))
    show(event("step_progress", round=3, scores={"auc": 0.5}))
    show(event("step_progress", unit="batches", done=4, total=None))  # too soon after the other to be shown
    show(event("step_finished", **DONE))
    said = out.getvalue()
    assert "round 3  auc 0.5000" in said
    assert "batches" not in said
    assert display._bare(said).rstrip().endswith("2.0 kB")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {
                "measured": [
                    {"metric": "auc", "phase": "valid", "value": 1.0},
                    {"metric": "auc", "phase": "test", "value": 0.5},
                ]
            },
            "auc 0.5000",
        ),
        ({"rules": 4, "items": []}, "4 rules hold"),
        ({"rules": 4, "items": [1]}, "4 rules, 1 broken"),
        ({"folds": {"holdout": {"train": 6, "valid": 0, "test": 2}}}, "6 train, 2 test"),
        (
            {"folds": {"cv1": {"train": 1, "valid": 1, "test": 3}, "final": {"train": 8, "valid": 1, "test": 0}}},
            "1 train, 1 valid, 3 test, and a final fit",
        ),
        ({"reasons": [{"passed": True}, {"passed": False}]}, "1 of 2 pass"),
        ({}, ""),
    ],
)
def test_a_step_is_summed_up_in_a_few_words(body: dict[str, Any], text: str) -> None:
    assert display.facts(body) == text
