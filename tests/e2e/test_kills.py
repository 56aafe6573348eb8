"""The short form of ``tests/faults``: a killed run loses nothing, and two runs at once compute nothing twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

TRAINED = ("model=xgboost", "model.rounds=10", "~package")


def digests(outcome: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each step's output."""
    return {name: step["digest"] for name, step in outcome["steps"].items()}


def test_a_killed_run_loses_nothing(bench: Any, workspace_at: Callable[..., Any], undisturbed: dict[str, Any]) -> None:
    draw = random.Random(11)
    for _ in range(4):
        process = bench.start("run", "shop", *TRAINED)
        time.sleep(draw.uniform(0.2, 0.8) * undisturbed["took"])
        process.kill()
        process.communicate()
        if (bench.root / ".modelway").exists():
            bench.whole()
    done = bench.apart("run", "shop", *TRAINED, "--json").json
    assert digests(done) == digests(undisturbed)
    assert done["scores"] == undisturbed["scores"]
    bench.whole()


def test_two_runs_at_once_compute_each_step_once(bench: Any, undisturbed: dict[str, Any], ran_times: Any) -> None:
    processes = [bench.start("run", "shop", *TRAINED, "--json") for _ in range(2)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert [code for _, code in ended] == [0, 0], ended
    assert set(ran_times(bench).values()) == {1}
    assert digests(bench("run", "shop", *TRAINED, "--json").json) == digests(undisturbed)
    assert [version["number"] for version in bench("models", "--json").json] == [1]
    bench.whole()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, shop_at: Callable[..., Any]) -> dict[str, Any]:
    """The outcome of a run that nothing disturbed, and how long its process took."""
    bench = shop_at(tmp_path_factory.mktemp("undisturbed"))
    began = time.perf_counter()
    outcome: dict[str, Any] = bench.apart("run", "shop", *TRAINED, "--json").json
    return {**outcome, "took": time.perf_counter() - began}
