"""Runs that are killed, that get in each other's way, and that run out of disk, many times over.

Each test takes a minute or two, so none is part of the ordinary tests (``tests/e2e/test_kills.py`` is the short form).
They are run, with a number of kills and a seed of one's own if wanted, by::

    MODELWAY_KILLS=30 MODELWAY_SEED=1 python -m pytest tests/faults -m faults
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("MODELWAY_KILLS", "30"))
SEED = int(os.environ.get("MODELWAY_SEED", "0"))
TRAINED = ("model=xgboost", "model.rounds=40", "~package")


def digests(outcome: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each step's output."""
    return {name: step["digest"] for name, step in outcome["steps"].items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, shop_at: Callable[..., Any]) -> dict[str, Any]:
    """The outcome of a run that nothing disturbed, and how long its process took."""
    bench = shop_at(tmp_path_factory.mktemp("undisturbed"))
    bench.apart("run", "shop", *TRAINED)
    shutil.rmtree(bench.root / ".modelway")
    began = time.perf_counter()
    outcome: dict[str, Any] = bench.apart("run", "shop", *TRAINED, "--json").json
    return {**outcome, "took": time.perf_counter() - began}


def killed(bench: Any, after: float) -> None:
    """Start a run, and kill it after some seconds, or let it end."""
    process = bench.start("run", "shop", *TRAINED)
    time.sleep(after)
    process.kill()
    process.communicate()


def test_a_run_killed_at_any_instant_is_finished_by_the_next(
    shop_at: Any, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    draw = random.Random(SEED)
    for attempt in range(KILLS):
        bench = shop_at(tmp_path / str(attempt))
        killed(bench, draw.uniform(0, 1) * undisturbed["took"])
        done = bench.apart("run", "shop", *TRAINED, "--json")
        assert done.code == 0, (attempt, done.err)
        assert digests(done.json) == digests(undisturbed), attempt
        assert done.json["scores"] == undisturbed["scores"]
        bench.whole()
        shutil.rmtree(bench.root)


def test_kills_one_after_another_in_one_workspace_never_undo_progress(bench: Any, undisturbed: dict[str, Any]) -> None:
    draw, there = random.Random(SEED + 1), set[str]()
    for _ in range(KILLS):
        killed(bench, draw.uniform(0, 1) * undisturbed["took"])
        if not (bench.root / ".modelway" / "ledger.db").exists():
            continue
        bench.whole()
        cached = {step for step, mark in bench.marks("shop", *TRAINED).items() if mark == "="}
        assert there - {"champion", "gates"} <= cached
        there = cached
    assert digests(bench.apart("run", "shop", *TRAINED, "--json").json) == digests(undisturbed)
    bench.whole()


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("attempt", range(3))
def test_runs_at_once_compute_each_step_once(
    bench: Any, undisturbed: dict[str, Any], ran_times: Any, count: int, attempt: int
) -> None:
    draw = random.Random(SEED + attempt)
    processes = []
    for _ in range(count):
        processes.append(bench.start("run", "shop", *TRAINED, "--json"))
        time.sleep(draw.uniform(0, 0.3))
    ended = [(process.communicate(timeout=300), process.returncode) for process in processes]
    assert {code for _, code in ended} == {0}, ended
    assert set(ran_times(bench).values()) == {1}
    assert digests(bench("run", "shop", *TRAINED, "--json").json) == digests(undisturbed)
    assert [version["number"] for version in bench("models", "--json").json] == [1]
    bench.whole()


def test_runs_at_once_of_which_some_are_killed_finish(bench: Any, undisturbed: dict[str, Any]) -> None:
    draw = random.Random(SEED + 2)
    for _ in range(max(KILLS // 6, 1)):
        processes = [bench.start("run", "shop", *TRAINED, "--json") for _ in range(3)]
        time.sleep(draw.uniform(0.3, 1) * undisturbed["took"])
        processes[0].kill()
        ended = [(process.communicate(timeout=300), process.returncode) for process in processes]
        assert [code for _, code in ended[1:]] == [0, 0], ended
        bench.whole()
        assert digests(bench("run", "shop", *TRAINED, "--json").json) == digests(undisturbed)
        shutil.rmtree(bench.root / ".modelway")


#: A training that takes a minute the first time, and tells that it has begun.
SLOW = """        import time

        once = (run.workspace / "training").exists()
        (run.workspace / "training").touch()
        time.sleep(0 if once else 60)
        names = ("visits\""""


def training(bench: Any) -> Any:
    """Start a run, and return it when it has begun to train."""
    bench.edit("projects/shop/plugin.py", '        names = ("visits"', SLOW)
    holder = bench.start("run", "shop")
    until = time.monotonic() + 60
    while not (bench.root / "training").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return holder


def test_a_lease_of_a_killed_holder_is_taken_over_at_once(bench: Any) -> None:
    holder = training(bench)
    holder.kill()
    holder.communicate()
    began = time.perf_counter()
    assert bench.apart("run", "shop").code == 0
    assert time.perf_counter() - began < 15  # a lease lasts 30 seconds
    bench.whole()


def test_a_run_that_waits_takes_over_when_the_holder_is_killed(bench: Any) -> None:
    holder = training(bench)
    waiter = bench.start("run", "shop")
    time.sleep(3)
    assert waiter.poll() is None
    holder.kill()
    holder.communicate()
    began = time.perf_counter()
    out, err = waiter.communicate(timeout=60)
    assert waiter.returncode == 0, err
    assert time.perf_counter() - began < 15
    assert "another run computes it; waiting" in out
    bench.whole()


def test_a_disk_that_fills_up_in_the_middle_of_a_run_leaves_what_was_committed(
    bench: Any, undisturbed: dict[str, Any]
) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("Mounting a small file system needs root")
    place = bench.root / ".modelway"
    place.mkdir()
    for size in (48, 120, 200, 300, 450, 700, 1100, 2000):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", place], capture_output=True)
        if mounted.returncode:
            pytest.skip("This host lets nobody mount a file system")
        try:
            done = bench.apart("run", "shop", *TRAINED)
            if done.code == 0:
                break
            assert done.code in (6, 7), done.err
            assert "space" in done.err or "full" in done.err, done.err
            assert "Traceback" not in done.err
            assert len([line for line in done.err.splitlines() if not line.startswith("modelway: warning")]) == 1, (
                done.err
            )
            subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
            again = bench.apart("run", "shop", *TRAINED, "--json").json
            assert digests(again) == digests(undisturbed), size
            assert not list((place / "tmp").glob("*-*"))
            assert bench.apart("store", "verify").code == 0
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    else:
        pytest.fail("No size was enough")


def test_a_ledger_that_is_killed_in_a_transaction_is_whole(bench: Any) -> None:
    assert bench.apart("run", "shop").code == 0
    path = bench.root / ".modelway" / "ledger.db"
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
        "c.execute('DELETE FROM runs'); os.kill(os.getpid(), 9)"
    )
    assert bench.apart(str(path), script=script).code == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as ledger:
        assert ledger.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)
    assert bench.run("shop")["ran"] == set()
