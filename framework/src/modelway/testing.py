"""For plugin authors' tests: a run that needs no project, and one conformance suite per stage."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Return a table of the given columns (lists or arrays), cut into ``parts`` parts."""
    import numpy as np
    import pyarrow as pa

    arrow = pa.table({k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()}) \
        if not any(hasattr(v, "codes") for v in columns.values()) else to_arrow(columns)  # fmt: skip
    edges = np.linspace(0, arrow.num_rows, parts + 1).astype(int)
    tables = [run.table([arrow.slice(a, b - a)]) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return Table(tables[0].columns, tuple(part for table in tables for part in table.parts), run.blobs)
