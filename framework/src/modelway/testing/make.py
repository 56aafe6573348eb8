"""A run and a table for a test, without a project."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from modelway.context import Run
from modelway.schema import Schema
from modelway.store import Store
from modelway.values import Table, to_arrow


def make_run(
    folder: Path, *, schema: Mapping[str, Any] | None = None, task: Any = "binary", seed: int = 0, **more: Any
) -> Run:
    """Return a run for a test: a store and scratch space below ``folder``, and nothing else.

    Args:
        folder: Usually pytest's ``tmp_path``.
        schema: The declared schema, as a project's configuration would give it.
        task: ``binary``, ``multiclass`` or ``regression``.
        seed: The run's seed.
        **more: Other fields of ``Run``.
    """
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    declared = Schema.of(schema or {"columns": {}})
    store = Store(str(folder / "store"))
    return Run("test", "test", task, seed, declared, scratch, store, workspace=folder, **more)


def make_table(run: Run, columns: Mapping[str, Any], parts: int = 1) -> Table:
    """Return a table of the given columns (lists, arrays or ``Category``), cut into ``parts`` parts."""
    import numpy as np
    import pyarrow as pa

    if any(hasattr(column, "codes") for column in columns.values()):
        arrow = to_arrow(columns)
    else:
        arrow = pa.table({k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()})
    edges = np.linspace(0, arrow.num_rows, parts + 1).astype(int)
    tables = [run.table([arrow.slice(a, b - a)]) for a, b in pairwise(edges)]
    return Table(tables[0].columns, tuple(part for table in tables for part in table.parts), run.blobs)
