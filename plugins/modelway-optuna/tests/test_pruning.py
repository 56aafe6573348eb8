"""Trials that will not be among the best are stopped, by the right score and in the right direction."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from modelway_optuna.sweeper import Optuna

from modelway import Interval
from modelway.testing import make_run

ROUNDS = 12
SPACE = {"rate": Interval(0.01, 1.0)}


def boost(rate: float, watch: Callable[[int, Mapping[str, float]], bool], rising: bool) -> int:
    """Return the rounds made: a loss that falls towards ``rate``, or a share that rises towards one minus it."""
    for round in range(ROUNDS):
        loss = rate + (1 - rate) * 0.6**round
        scores = {"train_x": 0.1, "valid_auc": 1 - loss} if rising else {"train_x": 0.1, "valid_logloss": loss}
        if not watch(round, scores):
            return round + 1
    return ROUNDS


AUC, ACCURACY, LOSS = {"auc": False}, {"accuracy": False}, {"test.log_loss": True}


@pytest.mark.parametrize(
    ("pruner", "objective", "rising"),
    [
        ("median", AUC, True),
        ("median", ACCURACY, False),
        ("median", LOSS, True),
        ("percentile", AUC, True),
        ("hyperband", LOSS, False),
    ],
)
def test_the_worse_trials_are_stopped_whatever_is_watched(
    tmp_path: Path, pruner: Any, objective: dict[str, bool], rising: bool
) -> None:
    stopped, whole = [], []
    sweeper = Optuna(trials=16, sampler="random", pruner=pruner, startup=4, warmup=3, percentile=50.0)
    with sweeper.search(SPACE, objective, make_run(tmp_path)) as search:
        while points := search.ask(1):
            (point,) = points
            watch = search.watch(point)
            assert watch is not None
            rate = point.values["rate"]
            rounds = boost(rate, pickle.loads(pickle.dumps(watch)), rising)
            assert rounds >= 3
            pruned = rounds < ROUNDS
            (stopped if pruned else whole).append(rate)
            search.tell(
                point, None if pruned else [1 - rate if not objective.get("test.log_loss") else rate], pruned=pruned
            )
    assert len(stopped) >= 3
    assert sum(stopped) / len(stopped) > sum(whole) / len(whole)
    assert min(stopped + whole) in whole


def test_nothing_is_stopped_unless_asked_for(tmp_path: Path) -> None:
    with Optuna().search(SPACE, {"auc": False}, make_run(tmp_path)) as search:
        assert search.watch(search.ask(1)[0]) is None


def test_rounds_reach_the_study_from_another_process(tmp_path: Path) -> None:
    sweeper = Optuna(pruner="median", startup=1, warmup=0)
    with sweeper.search(SPACE, {"loss": True}, make_run(tmp_path)) as search:
        good, bad = search.ask(2)
        first = search.watch(good)
        assert first is not None
        assert all(first(round, {"valid_loss": 0.1}) for round in range(3))
        search.tell(good, [0.1])
        watch = tmp_path / "watch"
        watch.write_bytes(pickle.dumps(search.watch(bad)))
        code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))(2, {'valid_loss': 0.9}))"
        made = subprocess.run([sys.executable, "-c", code, str(watch)], capture_output=True, text=True, check=True)
        assert made.stdout.strip() == "False"
        assert made.stderr == ""


def test_a_trial_that_is_made_again_is_judged_from_where_it_was(tmp_path: Path) -> None:
    sweeper = Optuna(pruner="median", startup=1, warmup=0)
    with sweeper.search(SPACE, {"loss": True}, make_run(tmp_path)) as search:
        good, lost = search.ask(2)
        first, second = search.watch(good), search.watch(lost)
        assert first is not None
        assert second is not None
        for round in range(9):
            first(round, {"valid_loss": 1 - round / 10})
        search.tell(good, [0.2])
        assert [second(round, {"valid_loss": 0.55}) for round in range(4)] == [True] * 4
    with sweeper.search(SPACE, {"loss": True}, make_run(tmp_path)) as search:
        (again,) = search.ask(1)
        assert again == lost
        watch = search.watch(again)
        assert watch is not None
        assert [watch(round, {"valid_loss": 0.55}) for round in range(6)] == [True] * 5 + [False]
