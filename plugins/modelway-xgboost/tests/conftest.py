"""Clusters of this machine's processes, as a compute would open them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelway_xgboost.model import XGBoostModel

from modelway import Category, Run, Split, Workers
from modelway.testing import make_run, make_table


@contextmanager
def cluster(workers: int, **more: Any) -> Iterator[Workers]:
    """Worker processes of one thread each, and what a run calls them by."""
    import dask
    import distributed

    settings = {"distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1, "distributed.admin.log-format": "%(message)s"}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60, **more
        ) as local,
        distributed.Client(local) as client,
    ):
        yield Workers(map=map, client=client, shape={"workers": workers, "threads": 1})


def hashed(model: XGBoostModel) -> str:
    return hashlib.sha256(bytes(model.booster.save_raw("ubj"))).hexdigest()


def make(
    folder: Path, workers: Workers | None = None, *, rows: int = 6000, parts: int = 7, codes: Any = None,
    spoil: tuple[int, float] | None = None, **more: Any,
) -> tuple[Split, Run]:  # fmt: skip
    """Return numbers with gaps, a category and a weight; of each four rows three train and one validates."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4))
    x[::9, 2] = np.nan
    if spoil:
        x[spoil[0], 3] = spoil[1]
    names = [f"x{i}" for i in range(4)]
    kinds: dict[str, Any] = {name: {"type": "number"} for name in names}
    kinds |= {"c": {"type": "category", "values": ["u", "v", "w"]}, "w": {"type": "number", "role": "weight"}}
    kinds["y"] = {"type": "integer", "role": "target", "values": [0, 1]}
    code = rng.integers(0, 3, rows)
    columns = dict(zip(names, x.T, strict=True)) | {
        "c": Category(code.astype(np.int32), ("u", "v", "w")),
        "w": rng.exponential(size=rows) + 0.1,
        "y": ((x[:, 0] + (code == 2) + rng.normal(size=rows)) > 0).astype(int),
    }
    given = {} if workers is None else {"workers": workers}
    run = make_run(folder, schema={"columns": kinds}, task="binary", seed=3, **given, **more)
    table = make_table(run, columns, parts)
    return Split.of(table, {"final": np.resize([1, 1, 2, 1], rows) if codes is None else codes}, run), run


@pytest.fixture
def made() -> Any:
    """Makes a split and a run."""
    return make


@pytest.fixture
def digest() -> Any:
    """Digests a model's booster."""
    return hashed


@pytest.fixture
def clusters() -> Any:
    """Starts workers."""
    return cluster


@pytest.fixture(scope="session")
def three() -> Iterator[Workers]:
    """Three workers."""
    with cluster(3, memory_limit="1GB") as workers:
        yield workers
