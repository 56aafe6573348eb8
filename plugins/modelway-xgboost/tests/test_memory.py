"""Data larger than memory, and trials that share what they have in common."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from modelway_xgboost import XGBoost, machine

from modelway import ConfigError

FIELDS: list[dict[str, Any]] = [
    {"early_stopping": 3, "subsample": 0.7, "colsample_bytree": 0.6},
    {"max_bin": 700, "watch_train": True},
    {"extra": {"grow_policy": "lossguide", "max_leaves": 20}, "max_depth": 0},
]


@pytest.mark.parametrize("fields", FIELDS)
def test_bins_on_disk_give_the_same_model_as_bins_in_memory(
    fields: dict[str, Any], made: Any, digest: Any, tmp_path: Path
) -> None:
    split, run = made(tmp_path, rows=20_000)
    disk, memory = (
        XGBoost(rounds=6, threads=2, external_memory=how, **fields).fit(split, run) for how in ("always", "never")
    )
    assert digest(disk) == digest(memory)
    assert disk.facts() == memory.facts()


def test_pages_on_disk_are_whole_where_rows_span_several(
    made: Any, digest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelway_xgboost.matrix._PAGE", 1500)
    split, run = made(tmp_path, rows=6000)
    disk, memory = (XGBoost(rounds=6, external_memory=how).fit(split, run) for how in ("always", "never"))
    assert digest(disk) == digest(memory)


@pytest.mark.parametrize(("free", "bins"), [(1 << 40, "memory"), (200 << 20, "disk")])
def test_the_choice_follows_the_memory_there_is_and_is_told(
    free: int, bins: str, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "available", lambda: free)
    logs: dict[str, Any] = {}
    told: list[str] = []
    split, run = made(tmp_path, on_log=logs.__setitem__, on_progress=lambda unit, done, total: told.append(unit))
    XGBoost(rounds=2).fit(split, run)
    assert logs["memory"]["bins"] == bins
    assert logs["memory"]["available"] == free
    assert [text for text in told if "disk" in text] == (
        [] if bins == "memory" else ["bins kept on disk (in memory: 202 MB; free for them: 126 MB)"]
    )
    assert not list(run.scratch.iterdir()), "what was kept on disk stays there"


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


MEMINFO = {"meminfo": "MemTotal: 8000 kB\nMemAvailable:    4000 kB\n"}


@pytest.mark.parametrize(
    ("proc", "groups", "free"),
    [
        ({}, {}, 4000 << 10),
        (
            {"self/cgroup": "0::/a/b\n"},
            {"a/b/memory.max": "max", "a/memory.max": "3000000", "a/memory.current": "2000000",
             "a/b/memory.current": "5", "a/memory.stat": "anon 5\ninactive_file 500000\n"},
            1_500_000,
        ),
        (
            {"self/cgroup": "3:cpu:/x\n2:memory:/elsewhere\n"},
            {"memory/memory.limit_in_bytes": "1000000", "memory/memory.usage_in_bytes": "400000",
             "memory/memory.stat": "total_inactive_file 100000\n"},
            700_000,
        ),
        ({"self/cgroup": "0::/\n"}, {"memory.max": "100", "memory.current": "200"}, 0),
    ],
)  # fmt: skip
def test_memory_is_the_least_that_any_limit_leaves(
    proc: dict[str, str], groups: dict[str, str], free: int, tmp_path: Path
) -> None:
    found = machine.available(tree(tmp_path / "proc", {**MEMINFO, **proc}), tree(tmp_path / "cgroup", groups))
    assert found == free


def test_trials_quantise_once_and_still_learn_what_they_would_alone(made: Any, digest: Any, tmp_path: Path) -> None:
    split, run = made(tmp_path)
    kept: dict[str, Any] = {}
    asked: list[str] = []

    def share(name: str, make: Any, size: int) -> Any:
        asked.append(name)
        assert size > 0
        if name not in kept:
            kept[name] = make()
        return kept[name]

    trials = [XGBoost(rounds=5, max_depth=depth, early_stopping=2) for depth in (2, 4)]
    alone = [digest(trial.fit(split, run)) for trial in trials]
    shared = replace(run, on_share=share)
    assert [digest(trial.fit(split, shared)) for trial in trials] == alone
    assert len(kept) == 2  # the layout and the matrices
    assert len(asked) == 4
    finer = XGBoost(rounds=5, max_bin=16)
    assert digest(finer.fit(split, shared)) == digest(finer.fit(split, run))
    XGBoost(rounds=1, external_memory="always").fit(split, shared)
    assert not any("disk" in name for name in kept)


def test_trials_side_by_side_on_one_matrix_learn_what_they_would_alone(made: Any, digest: Any, tmp_path: Path) -> None:
    split, run = made(tmp_path, rows=20_000)
    kept: dict[str, Any] = {}

    def share(name: str, make: Any, size: int) -> Any:
        if name not in kept:
            kept[name] = make()
        return kept[name]

    shared = replace(run, on_share=share)
    trials = [XGBoost(rounds=15, max_depth=depth, threads=1) for depth in (3, 6, 8, 4)]
    alone = [digest(trial.fit(split, run)) for trial in trials]
    trials[0].fit(split, shared)  # fills what is shared
    with ThreadPoolExecutor(4) as pool:
        assert [digest(model) for model in pool.map(lambda trial: trial.fit(split, shared), trials)] == alone


def test_a_run_of_fewer_threads_trains_on_fewer(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        "modelway_xgboost.fitting.boost", lambda parameters, *rest: seen.append(parameters["nthread"]) or _stop()
    )
    split, run = made(tmp_path)
    for threads in (0, 2):
        with pytest.raises(InterruptedError):
            XGBoost(rounds=1, threads=threads).fit(split, replace(run, threads=1))
    assert seen == [1, 2]


def _stop() -> None:
    raise InterruptedError


def test_exact_trees_are_refused_before_anything_is_read(made: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tree_method: exact.*max_bin"):
        XGBoost(extra={"tree_method": "exact"}).fit(*made(tmp_path))
