"""Training on a cluster: the same answer each time, checked before it starts, and whole after a worker is lost."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelway_xgboost import XGBoost, cluster
from modelway_xgboost.model import XGBoostModel

from modelway import ComputeError, ConfigError, DataError, Split, Workers
from modelway.testing import make_run, make_table

# Of sockets that distributed leaves to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def of(workers: Workers, count: int) -> Workers:
    """Some of the workers."""
    return replace(workers, shape={"workers": count, "threads": 1})


def scores(model: XGBoostModel, split: Split) -> Any:
    return np.concatenate([model.predict(batch.features)["score"] for batch in split.batches("valid")])


def test_one_worker_and_no_cluster_give_equal_bytes(three: Workers, made: Any, digest: Any, tmp_path: Path) -> None:
    trainer = XGBoost(rounds=12, early_stopping=3)
    here, there = trainer.fit(*made(tmp_path / "a")), trainer.fit(*made(tmp_path / "b", of(three, 1)))
    assert digest(here) == digest(there)
    assert here.facts() == there.facts()


def test_an_equal_number_of_workers_gives_equal_bytes_and_the_run_says_who_read_what(
    three: Workers, made: Any, digest: Any, tmp_path: Path
) -> None:
    logs: list[dict[str, Any]] = [{}, {}]
    trainer = XGBoost(rounds=8, subsample=0.7, colsample_bytree=0.8)
    one, two = (trainer.fit(*made(tmp_path / str(i), three, on_log=log.__setitem__)) for i, log in enumerate(logs))
    assert digest(one) == digest(two)
    assert logs[0] == logs[1]
    placed = logs[0]["workers"]
    assert placed["pieces"] == [3, 2, 2]
    assert sum(placed["rows"]) == 4500
    assert (placed["count"], placed["threads"], placed["lost"]) == (3, [1, 1, 1], [])


def test_a_cluster_learns_what_one_process_learns(three: Workers, made: Any, tmp_path: Path) -> None:
    from sklearn.metrics import roc_auc_score

    split, run = made(tmp_path / "a")
    here, there = XGBoost(rounds=20).fit(split, run), XGBoost(rounds=20).fit(*made(tmp_path / "b", three))
    target = np.concatenate([batch.target for batch in split.batches("valid")])
    ours, theirs = (roc_auc_score(target, scores(model, split)) for model in (there, here))
    assert ours == pytest.approx(theirs, abs=0.01)


def test_early_stopping_keeps_the_best_round_where_some_workers_have_no_validation_rows(
    three: Workers, made: Any, tmp_path: Path
) -> None:
    codes = np.full(6000, 1)
    codes[5200:] = 2  # the last part alone validates
    seen: list[dict[str, float]] = []

    def report(number: int, found: Any) -> bool:
        seen.append(dict(found))
        return True

    split, run = made(tmp_path, three, codes=codes, on_report=report)
    model = XGBoost(rounds=200, early_stopping=4, learning_rate=0.5).fit(split, run)
    best = int(np.argmin([found["valid_logloss"] for found in seen]))
    assert model.facts()["rounds"] == best + 1 < len(seen)
    assert model.facts()["best_score"] == min(found["valid_logloss"] for found in seen)
    fixed = XGBoost(rounds=best + 1, learning_rate=0.5).fit(split, replace(run, on_report=lambda *_: True))
    assert (scores(model, split) == scores(fixed, split)).all()


def test_a_run_can_stop_a_training_on_a_cluster(three: Workers, made: Any, tmp_path: Path) -> None:
    split, run = made(tmp_path, three, on_report=lambda number, _: number < 3)
    rounds = XGBoost(rounds=3000, max_depth=2).fit(split, run).facts()["rounds"]
    assert 4 <= rounds < 3000


def test_parts_without_training_rows_are_nobodys_share(three: Workers, made: Any, tmp_path: Path) -> None:
    codes = np.full(6000, 1)
    codes[:3000] = 0  # the first three parts, and half of the fourth
    logs: dict[str, Any] = {}
    XGBoost(rounds=2).fit(*made(tmp_path, three, codes=codes, on_log=logs.__setitem__))
    assert logs["workers"]["pieces"] == [2, 1, 1]
    assert min(logs["workers"]["rows"]) > 0


def test_fewer_parts_than_workers_are_trained_on_in_the_runs_own_process(
    three: Workers, made: Any, digest: Any, tmp_path: Path
) -> None:
    logs: dict[str, Any] = {}
    model = XGBoost(rounds=3).fit(*made(tmp_path / "a", three, parts=2, on_log=logs.__setitem__))
    assert digest(model) == digest(XGBoost(rounds=3).fit(*made(tmp_path / "b", parts=2)))
    assert "2 parts with training rows for 3 workers" in logs["trained"]


def test_an_infinite_value_on_a_worker_is_named_with_column_and_row(three: Workers, made: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Column 'x3' is infinite.*row 5700"):
        XGBoost(rounds=3).fit(*made(tmp_path, three, spoil=(5700, np.inf)))


def test_one_class_among_all_workers_rows_is_refused(three: Workers, made: Any, tmp_path: Path) -> None:
    split, run = made(tmp_path, three)
    target = {"type": "integer", "role": "target", "values": [0, 1]}
    kinds = {"a": {"type": "number"}, "y": target}
    run = replace(run, schema=type(split.schema).of({"columns": kinds}))
    table = make_table(run, {"a": np.arange(300.0), "y": np.ones(300, int)}, 3)
    with pytest.raises(DataError, match=r"same class, 1 .*target y"):
        XGBoost(rounds=3).fit(Split.of(table, {"final": np.ones(300, int)}, run), run)


def test_what_only_the_rows_show_to_be_wrong_is_told_as_such(three: Workers, tmp_path: Path) -> None:
    kinds = {"a": {"type": "number"}, "y": {"type": "number", "role": "target"}}
    run = make_run(tmp_path, schema={"columns": kinds}, task="regression", workers=three)
    table = make_table(run, {"a": np.arange(300.0), "y": np.linspace(-1, 1, 300)}, 3)
    with pytest.raises(ConfigError, match="XGBoost cannot train: label must be non-negative") as caught:
        XGBoost(rounds=3, objective="count:poisson").fit(Split.of(table, {"final": np.ones(300, int)}, run), run)
    assert "Stack trace" not in str(caught.value)


def test_workers_that_are_too_small_are_told_before_anything_is_read(
    three: Workers, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SHARE", 1e-4)
    with pytest.raises(ComputeError, match=r"Step train needs about .* TB.*on each worker, and worker tcp.* has 1 GB"):
        XGBoost(rounds=3).fit(*made(tmp_path, three))


def test_too_few_workers_are_waited_for_and_then_told(three: Workers, made: Any, tmp_path: Path) -> None:
    with pytest.raises(ComputeError, match=r"needs 5 workers, and 3 are there after 0.5 seconds"):
        XGBoost(rounds=3, patience=0.5).fit(*made(tmp_path, of(three, 5)))


def test_a_step_of_a_projects_own_plugin_reaches_the_workers(three: Workers, made: Any, tmp_path: Path) -> None:
    module = types.ModuleType("modelway_project_of_a_test")
    source = """
class Doubled:
    name = "doubled"
    def params(self):
        return {}
    def __call__(self, columns):
        return {"x0": columns["x0"] * 2.0}
"""
    exec(source, module.__dict__)  # no worker can import it
    sys.modules[module.__name__] = module
    try:
        split, run = made(tmp_path, three)
        model = XGBoost(rounds=3).fit(split.with_steps([module.Doubled()]), run)
    finally:
        del sys.modules[module.__name__]
    assert model.layout.names == ("x0",)


def test_a_training_that_takes_too_long_ends_at_its_deadline(three: Workers, made: Any, tmp_path: Path) -> None:
    with pytest.raises(ComputeError, match=r"not done within its deadline of 2 seconds.*deadline"):
        XGBoost(rounds=1_000_000, max_depth=2, deadline=2).fit(*made(tmp_path / "a", three))
    assert XGBoost(rounds=2, patience=60).fit(*made(tmp_path / "b", three)).facts()["rounds"] == 2


@pytest.mark.slow
def test_fresh_clusters_of_as_many_workers_give_equal_bytes(
    clusters: Any, made: Any, digest: Any, tmp_path: Path
) -> None:
    found = set()
    for number in range(3):
        with clusters(3) as workers:
            split, run = made(tmp_path / str(number), workers, rows=60_000, parts=8)
            found.add(digest(XGBoost(rounds=20, subsample=0.7, early_stopping=5).fit(split, run)))
    assert len(found) == 1
