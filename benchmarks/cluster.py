"""On a LocalCluster: distributed training against a hand-written xgboost.dask script, and its cost per row by size.

``python benchmarks/cluster.py`` pairs both on 2M x 30 float32; ``--grow 1 4 16`` trains on so many million rows;
``--differ`` tells by how much one process, one worker and several differ.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measure
from core import COLUMNS, HERE, PARAMS, Prepared, generate

from modelway import Run, Workers, open_run

NAMES = [f"x{i}" for i in range(COLUMNS)]


def started(workers: int) -> Any:
    """Return a cluster of one-thread processes."""
    import dask
    from distributed import LocalCluster

    dask.config.set({"distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1})
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60, memory_limit="8GB"
    )


def by_hand(folder: str, workers: int) -> tuple[float, float]:
    """Train as XGBoost's tutorial does; returns wall and processor seconds from reading to the booster."""
    from dask import dataframe as dd
    from distributed import Client
    from xgboost import dask as dxgb

    with started(workers) as cluster, Client(cluster) as client:
        client.run(warm)
        before, began = processor(client), time.perf_counter()
        # Persisted whole: X and y taken from what is not would be read with other partitions each.
        frame = client.persist(dd.read_parquet(folder))
        matrix = dxgb.DaskQuantileDMatrix(client, frame[NAMES], frame["y"])
        found = dxgb.train(client, {**PARAMS, "nthread": 1}, matrix, num_boost_round=50)
        found["booster"].save_raw("ubj")
        return time.perf_counter() - began, processor(client) - before


def ours(workspace: str, workers: int, save: str = "") -> tuple[float, float]:
    """Fit the trainer on the split that a run made; returns wall and processor seconds from reading to the booster.

    No workers means this process.
    """
    from distributed import Client

    if not workers:
        return fitted(workspace, None, save)
    with started(workers) as cluster, Client(cluster) as client:
        client.run(warm)
        return fitted(workspace, Workers(client=client, shape={"workers": workers, "threads": 1}), save)


def fitted(workspace: str, workers: Workers | None, save: str) -> tuple[float, float]:
    """Fit, and keep the booster in a file if one is named."""
    from modelway_xgboost import XGBoost

    found = open_run(workspace=workspace)
    split = found["split"].with_steps(found["features"].items)
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(
            "cluster", "core", "binary", 1, split.schema, Path(scratch), split.table.blobs, workers=workers or Workers()
        )
        client = workers.client if workers else None
        before, began = processor(client), time.perf_counter()
        model = XGBoost(rounds=50, max_depth=6, threads=1 if workers else 2).fit(split, run)
        raw = bytes(model.booster.save_raw("ubj"))
        seconds = time.perf_counter() - began, processor(client) - before
    if save:
        Path(save).write_bytes(raw)
    return seconds


def processor(client: Any) -> float:
    """Return the processor seconds that this process and the workers have taken."""
    return time.process_time() + (sum(client.run(time.process_time).values()) if client else 0.0)


def warm() -> None:
    """Import on a worker what both need, so that neither pays for it."""
    import xgboost.dask  # noqa: F401  # imported for what that does


def once(words: list[str], env: dict[str, str]) -> measure.Figures:
    """Do the work in a process of its own, which prints its seconds."""
    done = subprocess.run([sys.executable, __file__, *words], env=env, check=True, capture_output=True, text=True)
    told = next(line for line in done.stdout.splitlines() if line.startswith("seconds "))
    return dict(zip(("wall s", "cpu s"), map(float, told.split()[1:]), strict=True))


def differ(prepared: Prepared, workers: Sequence[int], cache: Path) -> None:
    """Print by how much models differ: bytes, AUC on fresh rows, and the largest difference of a probability."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import roc_auc_score
    from xgboost import Booster

    fresh = cache / "core-fresh"
    if not fresh.is_dir():
        generate(fresh, 200_000, first=1_000_000)
    frame = pd.read_parquet(fresh)
    x, y = frame[NAMES].to_numpy(), frame["y"].to_numpy()
    score: dict[str, Any] = {}
    print("| trained on | bytes | AUC | largest difference | mean difference |\n| --- | --- | --- | --- | --- |")
    for count in workers:
        name = f"{count} workers" if count else "this process"
        path = cache / f"booster-{count}.ubj"
        once(["--ours", str(prepared.workspace), "--workers", str(count), "--save", str(path)], prepared.env)
        score[name] = Booster(model_file=bytearray(path.read_bytes())).inplace_predict(x)
        apart = np.abs(score[name] - next(iter(score.values())))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        print(f"| {name} | {digest} | {roc_auc_score(y, score[name]):.5f} | {apart.max():.4f} | {apart.mean():.5f} |")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--grow", type=float, nargs="+", metavar="MILLIONS", help="train on so many rows instead")
    parser.add_argument("--differ", action="store_true", help="tell how models differ by the number of workers")
    cache = HERE.parent / ".modelway" / "benchmarks"
    parser.add_argument("--cache", type=Path, default=cache, help="where data is kept")
    parser.add_argument("--by-hand", metavar="FOLDER", help="only do the script's work")
    parser.add_argument("--ours", metavar="WORKSPACE", help="only fit")
    parser.add_argument("--save", default="", help="with --ours: a file for the booster")
    options = parser.parse_args()
    if options.by_hand:
        print("seconds", *by_hand(options.by_hand, options.workers))
    elif options.ours:
        print("seconds", *ours(options.ours, options.workers, options.save))
    elif options.grow:
        print("| rows | wall s | cpu s | wall, microseconds a row | cpu |\n| --- | --- | --- | --- | --- |")
        for millions in options.grow:
            rows = int(millions * 1_000_000)
            prepared = Prepared(options.cache, rows)
            words = ["--ours", str(prepared.workspace), "--workers", str(options.workers)]
            wall, cpu = measure.paired(lambda w=words, e=prepared.env: once(w, e), None, options.runs)[0].values()
            print(f"| {rows} | {wall:.1f} | {cpu:.1f} | {1e6 * wall / rows:.2f} | {1e6 * cpu / rows:.2f} |", flush=True)
    elif options.differ:
        differ(Prepared(options.cache, options.rows), (0, 1, options.workers, options.workers + 1), options.cache)
    else:
        prepared = Prepared(options.cache, options.rows)
        at = ["--workers", str(options.workers)]
        pairs = measure.paired(
            lambda: once(["--ours", str(prepared.workspace), *at], prepared.env),
            lambda: once(["--by-hand", str(prepared.data), *at], prepared.env),
            options.runs,
        )
        print("| what | wall s | cpu s | bound |\n| --- | --- | --- | --- |")
        print(measure.row(f"{options.rows} rows, {options.workers} workers / xgboost.dask by hand", *pairs, "1.05"))


if __name__ == "__main__":
    main()
