"""Times the schema check beside plain pandera: the same parquet parts, the equal schema, in one process, in turn.

Run: ``python benchmarks/schema_check.py [ROWS] [ROUNDS]``. Plain pandera reads each part into a pandas frame and runs
``validate(lazy=True)`` on it; Modelway checks the table, uniqueness across parts included. Twenty columns, and
25 rules besides their types and nullability: 14 ranges, 5 sets of values, 3 patterns, 2 rules across columns, 1 unique
column. Once on rows that keep all rules, once with one row in a hundred broken, in each of five columns.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
from modelway_pandera.check import Pandera

from modelway import Run, Schema, Table
from modelway.testing import make_run

PLANS, REGIONS, STATES = ["free", "basic", "pro", "team"], ["north", "south", "east", "west"], ["new", "open", "shut"]
FLOATS = [f"f{i}" for i in range(7)]

SCHEMA = {
    "columns": {
        "id": {"type": "integer", "role": "id", "unique": True},
        "age": {"type": "integer", "min": 0, "max": 120},
        "visits": {"type": "integer", "min": 0, "max": 1000},
        "score": {"type": "integer", "min": 1, "max": 5},
        **{name: {"type": "number", "min": -10, "max": 10} for name in FLOATS[:5]},
        **{name: {"type": "number", "min": -10, "max": 10, "nullable": True} for name in FLOATS[5:]},
        "paid": {"type": "number", "min": 0},
        "total": {"type": "number", "min": 0, "max": 1e6},
        "plan": {"type": "category", "values": PLANS},
        "region": {"type": "category", "values": REGIONS},
        "state": {"type": "category", "values": STATES},
        "code": {"type": "string", "values": [f"K-{i:03}" for i in range(200)], "pattern": r"K-\d{3}"},
        "reference": {"type": "string", "pattern": r"[A-Z]{2}-\d{7}"},
        "flag": {"type": "integer", "values": [0, 1], "min": 0, "max": 1},
        "when": {"type": "timestamp"},
    },
    "rules": {"paid_part": {"expression": "paid <= total"}, "seen": {"expression": "visits >= flag"}},
}
#: About ten rules besides types and nullability, for the check of a small table.
SMALL = {
    "columns": {
        "id": {"type": "integer", "unique": True},
        "age": {"type": "integer", "min": 0, "max": 120},
        "plan": {"type": "category", "values": PLANS},
        "region": {"type": "category", "values": REGIONS},
        "code": {"type": "string", "pattern": r"K-\d{3}"},
        "paid": {"type": "number", "min": 0},
        "f[0-4]": {"type": "number", "min": -10},
        "f[56]": {"type": "number", "nullable": True},
        **{key: {"type": "integer"} for key in ("visits", "score", "flag")},
        "total": {"type": "number"},
        "state": {"type": "category"},
        "reference": {"type": "string"},
        "when": {"type": "timestamp"},
    },
    "rules": {"paid_part": {"expression": "paid <= total"}, "seen": {"expression": "visits >= flag"}},
}


def plain_schema() -> pa.DataFrameSchema:
    """The schema as one writes it for pandera."""

    def column(kind: Any, *checks: pa.Check, **more: Any) -> pa.Column:
        return pa.Column(kind, list(checks), **more)

    def pattern(text: str) -> pa.Check:
        return pa.Check.str_matches(f"^(?:{text})$")

    return pa.DataFrameSchema(
        {
            "id": column("int64", unique=True),
            "age": column("int64", pa.Check.in_range(0, 120)),
            "visits": column("int64", pa.Check.in_range(0, 1000)),
            "score": column("int64", pa.Check.in_range(1, 5)),
            **{name: column("float64", pa.Check.in_range(-10, 10)) for name in FLOATS[:5]},
            **{name: column("float64", pa.Check.in_range(-10, 10), nullable=True) for name in FLOATS[5:]},
            "paid": column("float64", pa.Check.ge(0)),
            "total": column("float64", pa.Check.ge(0), pa.Check.le(1e6)),
            "plan": column("category", pa.Check.isin(PLANS)),
            "region": column("category", pa.Check.isin(REGIONS)),
            "state": column("category", pa.Check.isin(STATES)),
            "code": column(None, pa.Check.isin([f"K-{i:03}" for i in range(200)]), pattern(r"K-\d{3}")),
            "reference": column(None, pattern(r"[A-Z]{2}-\d{7}")),
            "flag": column("int64", pa.Check.isin([0, 1]), pa.Check.in_range(0, 1)),
            "when": column(None),
        },
        checks=[
            pa.Check(lambda frame: frame["paid"] <= frame["total"], name="paid_part"),
            pa.Check(lambda frame: frame["visits"] >= frame["flag"], name="seen"),
        ],
    )


def generate(rows: int, broken: float) -> pyarrow.Table:
    rng = np.random.default_rng(11)

    def words(values: list[str]) -> pyarrow.Array:
        codes = pyarrow.array(rng.integers(0, len(values), rows).astype(np.int32))
        return pyarrow.DictionaryArray.from_arrays(codes, values)

    columns: dict[str, Any] = {
        "id": rng.permutation(rows),
        "age": rng.integers(18, 95, rows),
        "visits": rng.integers(1, 900, rows),
        "score": rng.integers(1, 6, rows),
        **{name: rng.normal(0, 1, rows) for name in FLOATS},
        "paid": rng.uniform(0, 100, rows),
        "total": rng.uniform(100, 1000, rows),
        "plan": words(PLANS),
        "region": words(REGIONS),
        "state": words(STATES),
        "code": pyarrow.array([f"K-{i:03}" for i in rng.integers(0, 200, rows)]),
        "reference": pyarrow.array([f"AB-{i:07}" for i in range(rows)]),
        "flag": rng.integers(0, 2, rows),
        "when": np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(1, "s"),
    }
    for name in FLOATS[5:]:
        columns[name][rng.random(rows) < 0.05] = np.nan
    for name in ("age", "f0", "f1", "paid", "visits") if broken else ():
        columns[name] = np.where(rng.random(rows) < broken, -99, columns[name])
    return pyarrow.table(columns)


def plain(table: Table, schema: pa.DataFrameSchema) -> int:
    """Check each part with pandera; returns the number of failure rows."""
    failures = 0
    for part in table.parts:
        failures += validated(table.only([part]).frame(), schema)
    return failures


def validated(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> int:
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        return len(error.failure_cases)
    return 0


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor time, in seconds."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def paired(name: str, run: Run, rows: int, broken: float, rounds: int) -> float:
    table = run.table([generate(rows, broken)])
    run.schema = Schema.of(SCHEMA)
    check, schema = Pandera(), plain_schema()
    frames = [table.only([part]).frame() for part in table.parts]
    sides: dict[str, Callable[[], Any]] = {
        "modelway": lambda: check.check(table, run),
        "pandera": lambda: plain(table, schema),
        "reading alone": lambda: sum(batch.num_rows for batch in table.scan()),
        "pandera, frames in memory": lambda: [validated(frame, schema) for frame in frames],
    }
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for work in sides.values():
        work()
    for _ in range(rounds):
        for side, work in sides.items():
            times[side].append(timed(work))
    print(f"\n{name}: {rows} rows x {len(table.names)} columns in {len(table.parts)} parts")
    middle = {}
    for side, each in times.items():
        middle[side] = statistics.median(wall for wall, _ in each)
        cpu = statistics.median(cpu for _, cpu in each)
        print(f"  {side:26} {middle[side]:.3f} s wall, {cpu:.3f} s processor")
    ratio = middle["modelway"] / middle["pandera"]
    apart = (middle["modelway"] - middle["reading alone"]) / middle["pandera, frames in memory"]
    print(f"  ratio {ratio:.2f}; reading left out on both sides {apart:.2f}")
    return ratio


def small(run: Run, rounds: int) -> None:
    table = run.table([generate(200_000, 0.0)])
    run.schema = Schema.of(SMALL)
    cpu = statistics.median(timed(lambda: Pandera().check(table, run))[1] for _ in range(rounds))
    print(f"\nsmall: {table.rows} rows x {len(table.names)} columns, 10 rules: {cpu * 1000:.0f} ms processor")


def main(rows: int = 1_000_000, rounds: int = 5) -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder))
        ratios = [paired("clean", run, rows, 0.0, rounds), paired("broken", run, rows, 0.01, rounds)]
        small(run, rounds)
    print(f"\nworst ratio {max(ratios):.2f}; to reach: at most 1.10")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
