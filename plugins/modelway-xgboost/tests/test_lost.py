"""A worker that is lost in the middle of a training costs a few rounds, and never the run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelway_xgboost import XGBoost

from modelway import ComputeError, Workers

pytestmark = [
    pytest.mark.faults,
    # Of sockets that distributed leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def two(clusters: Any) -> Iterator[Workers]:
    with clusters(2) as workers:
        yield workers


class Killer:
    """Kills workers when a round is reported; keeps the rounds."""

    def __init__(self, workers: Workers, at: dict[int, int], sign: int = signal.SIGKILL) -> None:
        self.client, self.at, self.sign, self.rounds = workers.client, at, sign, list[int]()

    def __call__(self, number: int, scores: Any) -> bool:
        self.rounds.append(number)
        if number in self.at:
            pids = self.client.run(os.getpid)
            for address in sorted(pids)[: self.at.pop(number)]:
                os.kill(pids[address], self.sign)
        return True


def test_a_killed_worker_costs_the_rounds_since_the_last_booster_kept(
    two: Workers, made: Any, digest: Any, tmp_path: Path
) -> None:
    trainer = XGBoost(rounds=60, checkpoint=10, early_stopping=50, subsample=0.8)
    calm, kill, logs = Killer(two, {}), Killer(two, {25: 1}), dict[str, Any]()
    undisturbed = trainer.fit(*made(tmp_path / "a", two, on_report=calm))
    disturbed = trainer.fit(*made(tmp_path / "b", two, on_report=kill, on_log=logs.__setitem__))
    assert digest(disturbed) == digest(undisturbed)
    assert disturbed.facts() == undisturbed.facts()
    assert kill.rounds == calm.rounds  # each told once
    assert len(logs["workers"]["lost"]) == 1
    assert "worker tcp://" in logs["workers"]["lost"][0]


def test_all_workers_may_be_killed_and_come_back(two: Workers, made: Any, digest: Any, tmp_path: Path) -> None:
    trainer = XGBoost(rounds=40, checkpoint=5)
    undisturbed = trainer.fit(*made(tmp_path / "a", two))
    kill = Killer(two, {12: 2})
    assert digest(trainer.fit(*made(tmp_path / "b", two, on_report=kill))) == digest(undisturbed)


def test_too_many_losses_end_the_training_with_the_reason(two: Workers, made: Any, tmp_path: Path) -> None:
    with pytest.raises(ComputeError, match=r"lost workers 1 times.*worker tcp://.* was lost"):
        XGBoost(rounds=2000, restarts=0).fit(*made(tmp_path, two, on_report=Killer(two, {5: 1})))


@pytest.mark.slow
def test_a_worker_that_stands_still_is_given_up_and_started_again(
    two: Workers, made: Any, digest: Any, tmp_path: Path
) -> None:
    trainer = XGBoost(rounds=40, checkpoint=5)
    undisturbed = trainer.fit(*made(tmp_path / "a", two))
    kill = Killer(two, {12: 1}, signal.SIGSTOP)
    assert digest(trainer.fit(*made(tmp_path / "b", two, on_report=kill))) == digest(undisturbed)


def test_a_scheduler_that_is_gone_is_told(clusters: Any, made: Any, tmp_path: Path) -> None:
    with clusters(2) as workers:

        def leave(number: int, scores: Any) -> bool:
            if number == 3:
                workers.client.cluster.scheduler.loop.add_callback(workers.client.cluster.scheduler.close)
            return True

        with pytest.raises(ComputeError, match="scheduler does not answer"):
            XGBoost(rounds=100_000, max_depth=1).fit(*made(tmp_path, workers, on_report=leave))
