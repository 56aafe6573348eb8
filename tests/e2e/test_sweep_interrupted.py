"""Sweeps that are cut short, left alone, or looked in on: what was done stays, and only what is missing is made."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

PLUGIN = "projects/shop/plugin.py"
FIT = '        run.log("rows", len(rows))'
WORDS = ("run", "shop", "-m", "model.sharpness=1,2,3,4")
INTERRUPTED, CONFLICT = 130, 9


@pytest.fixture
def slow(bench: Any) -> Any:
    """The project, whose third trial takes long as long as a file says so."""
    there = f"pathlib.Path({str(bench.root / 'wait')!r}).exists()"
    wait = (
        f"        import pathlib, time\n        while self.sharpness == 3 and {there}:\n            time.sleep(0.05)\n"
    )
    bench.edit(PLUGIN, FIT, wait + FIT)
    (bench.root / "wait").touch()
    return bench


def begun(bench: Any, *words: str) -> Any:
    """Start a sweep, and return its process once two of its trials are done."""
    process = bench.start(*WORDS, *words)
    told = 0
    while told < 2:
        line = process.stdout.readline()
        assert line, process.communicate()
        told += "✓" in line
    time.sleep(0.2)  # so that the third one is under way
    return process


@pytest.mark.parametrize("launcher", ["basic", "threads"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_was_cut_short_goes_on_with_what_is_missing(
    slow: Any, ran_times: Callable[[Any], dict[str, int]], how: signal.Signals, launcher: str
) -> None:
    process = begun(slow, f"launcher={launcher}")
    process.send_signal(how)
    if launcher == "threads" and how == signal.SIGINT:
        (slow.root / "wait").unlink()  # a thread cannot be stopped within a step
    _, err = process.communicate(timeout=30)
    assert process.returncode == (INTERRUPTED if how == signal.SIGINT else -how)
    assert "Traceback" not in err
    (sweep,) = slow("sweeps", "--json").json
    assert sweep["status"] == "stopped"
    shown = slow("sweeps", sweep["id"], "--follow")
    assert shown.code == 0, "whoever follows is not left waiting for a process that is dead"
    assert f"go on: modelway run shop -m model.sharpness=1,2,3,4 launcher={launcher}" in shown.out
    (slow.root / "wait").unlink(missing_ok=True)
    before = ran_times(slow)["model"]
    again = slow(*WORDS, f"launcher={launcher}", "--json").json
    assert again["sweep"] == sweep["id"]
    assert len(again["trials"]) == 4
    assert sum(trial["status"] == "kept" for trial in again["trials"]) >= 2
    assert ran_times(slow)["model"] == 4 >= before
    assert slow("sweeps", "--json").json[0]["status"] == "done"
    slow.whole()


def test_one_sweep_is_not_made_twice_at_once(slow: Any) -> None:
    process = begun(slow)
    try:
        done = slow(*WORDS)
        assert done.code == CONFLICT
        assert f"is going on already, in process {process.pid}" in done.err
        assert "--follow" in done.err
    finally:
        process.kill()
        process.communicate()
    (slow.root / "wait").unlink()
    assert slow(*WORDS).code == 0


def test_a_sweep_that_was_left_alone_can_be_followed_and_left_again(slow: Any) -> None:
    done = slow.apart(*WORDS, "--detach")
    assert done.code == 0, done.err
    sweep = slow("sweeps", "--json").json[0]["id"]
    follower = slow.start("sweeps", sweep, "--follow")
    try:
        lines = [follower.stdout.readline() for _ in range(2)]
        assert ["✓" in line for line in lines] == [True, True]
        follower.send_signal(signal.SIGINT)
        _, err = follower.communicate(timeout=30)
        assert (follower.returncode, "the sweep itself goes on" in err) == (INTERRUPTED, True)
        assert slow("sweeps", "--json").json[0]["status"] == "running"
    finally:
        (slow.root / "wait").unlink()
    assert slow.apart("sweeps", sweep, "--follow").code == 0
    assert slow("sweeps", "--json").json[0]["status"] == "done"
    assert (slow.root / f".modelway/sweeps/{sweep}.log").read_text().count("✓") == 4


def test_a_sweep_that_was_left_alone_ends_when_its_process_is_told_to(slow: Any) -> None:
    done = slow.apart(*WORDS, "--detach")
    os.kill(int(done.out.split("stop it: kill ")[1]), signal.SIGTERM)
    sweep = slow("sweeps", "--json").json[0]["id"]
    assert slow.apart("sweeps", sweep, "--follow").code == 0
    assert slow("sweeps", "--json").json[0]["status"] == "stopped"


def test_a_warning_does_not_keep_a_sweep_from_being_left_alone(slow: Any) -> None:
    place = slow.root / PLUGIN
    slow.write(PLUGIN, f'{place.read_text()}\nimport warnings\n\nwarnings.warn("old code", stacklevel=1)\n')
    done = slow.apart(*WORDS, "--detach")
    (slow.root / "wait").unlink()
    assert done.code == 0, done.err
    assert "it goes on in process" in done.out
    assert slow.apart("sweeps", slow("sweeps", "--json").json[0]["id"], "--follow").code == 0


def test_a_sweep_that_cannot_begin_says_why_also_when_it_is_left_alone(bench: Any) -> None:
    done = bench.apart("run", "shop", "-m", "model.sharpness=1,sharp", "--detach")
    assert (done.code, "'sharp'" in done.err) == (2, True)
