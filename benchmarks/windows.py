"""Times windows per entity beside pandas and Polars: the same parquet file, each in a process of its own, in turn.

Run: ``python benchmarks/windows.py [ROWS] [RUNS]``. Two entities, windows of 1, 7 and 30 days, count and mean.
``windows s`` is for the windows alone; ``wall s`` is for the whole process, which reads the file, computes,
and writes all rows with the new columns as parquet (ours into a store: hashed, and synced to disk). All three results
are compared, to a relative 1e-9. Needs ``polars`` beside the project's own dependencies.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from measure import Figures, environment, once

ENTITIES, DAYS = ("customer_id", "terminal_id"), (1, 7, 30)
Spent = tuple[float, float]
PACKAGES = ("modelway", "pandas", "polars")


def clock() -> Spent:
    """Return the time on the wall, and that of this process's processors."""
    return time.perf_counter(), time.process_time()


def since(began: Spent) -> Spent:
    """Return what was spent since then."""
    wall, processor = clock()
    return wall - began[0], processor - began[1]


def generate(path: Path, rows: int) -> None:
    """Write payments of half a year in order of time, about as in the fraud handbook."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    seconds = np.sort(rng.integers(0, 183 * 86400, rows)).astype("m8[s]")
    columns = {
        "transaction_id": np.arange(rows),
        "time": np.datetime64("2018-04-01", "us") + seconds,
        "customer_id": rng.integers(0, 5000, rows),
        "terminal_id": rng.integers(0, 10000, rows),
        "amount": np.round(rng.gamma(2, 25, rows), 2),
        "fraud": rng.random(rows) < 0.01,
    }
    pq.write_table(pa.table(columns), path)


def by_modelway(source: Path, out: Path) -> Spent:
    """Run the step as a project does; returns the seconds of the windows themselves."""
    from modelway_prepare.windows import Windows

    from modelway import Table
    from modelway.testing import make_run

    run = make_run(out / "run")
    part = run.keep(source)
    kinds = {"time": "timestamp[us]", "amount": "double", "fraud": "bool"}
    names = ("transaction_id", "time", "customer_id", "terminal_id", "amount", "fraud")
    table = Table(tuple((name, kinds.get(name, "int64")) for name in names), (part,), run.blobs)
    step = Windows(entities=ENTITIES, time="time", windows=DAYS, functions=("count", "mean"), values=("amount",))
    began = (0.0, 0.0)
    spent: list[Spent] = []
    read, inner = Windows.read, Windows._in_memory

    def read_first(*arguments: Any) -> Any:
        nonlocal began
        found = read(*arguments)
        began = clock()
        return found

    def timed(*arguments: Any) -> Any:
        found = inner(*arguments)
        spent.append(since(began))
        return found

    Windows.read, Windows._in_memory = read_first, timed  # type: ignore[method-assign]  # to time it from inside
    made = step.prepare({"table": table}, run)
    (out / "parts.json").write_text(json.dumps([str(run.blobs.open(part.digest)) for part in made.parts]))
    return spent[0]


def by_pandas(source: Path, out: Path) -> Spent:
    """Group, roll, and bring back into the order of rows."""
    import pandas as pd

    frame = pd.read_parquet(source)
    began = clock()
    for entity in ENTITIES:
        rows = frame[entity].argsort(kind="stable")  # as groups stand, one after another
        for days in DAYS:
            rolling = frame.groupby(entity).rolling(f"{days}D", on="time")["amount"]
            for function in ("count", "mean"):
                found = pd.Series(getattr(rolling, function)().to_numpy(), index=rows)
                of = "" if function == "count" else "amount_"
                frame[f"{entity}_{of}{function}_{days}d"] = found.sort_index()
    spent = since(began)
    frame.to_parquet(out / "made.parquet")
    return spent


def by_polars(source: Path, out: Path) -> Spent:
    """Roll over each entity; rows of one instant see each other, which seconds of random times leave few of."""
    import polars as pl

    frame = pl.read_parquet(source)
    began = clock()
    frame = frame.with_columns(pl.lit(1.0).alias("one"))
    columns = []
    for entity in ENTITIES:
        for days in DAYS:
            over = {"window_size": f"{days}d", "closed": "right"}
            count = pl.col("one").rolling_sum_by("time", **over).over(entity)
            mean = pl.col("amount").rolling_mean_by("time", **over).over(entity)
            columns += [count.alias(f"{entity}_count_{days}d"), mean.alias(f"{entity}_amount_mean_{days}d")]
    frame = frame.with_columns(columns).drop("one")
    spent = since(began)
    frame.write_parquet(out / "made.parquet")
    return spent


def compared(folder: Path) -> str:
    """Say how far the results lie apart; rows that share entity and instant are left out for Polars."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = json.loads((folder / "modelway" / "parts.json").read_text())
    ours = pa.concat_tables([pq.read_table(path) for path in parts])
    said = []
    for other in PACKAGES[1:]:
        theirs, worst = pq.read_table(folder / other / "made.parquet"), 0.0
        for entity in ENTITIES:
            key = ours[entity].to_numpy() * 2**40 + ours["time"].to_numpy().astype("M8[s]").astype(np.int64)
            _, place, counts = np.unique(key, return_inverse=True, return_counts=True)
            rows = np.flatnonzero(counts[place] == 1) if other == "polars" else np.arange(len(key))
            for name in ours.column_names:
                if name.startswith(f"{entity}_"):
                    a, b = (np.asarray(t[name].to_numpy(), float)[rows] for t in (ours, theirs))
                    worst = max(worst, float(np.max(np.abs(a - b) / np.maximum(np.abs(b), 1e-300))))
        said.append(f"{other} {worst:.1e} {'equal' if worst <= 1e-9 else 'DIFFERENT'}")
    return ", ".join(said)


def main(rows: int, runs: int) -> None:
    """Print the paired table."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        source = folder / "payments.parquet"
        generate(source, rows)
        figures: dict[str, list[Figures]] = {name: [] for name in PACKAGES}
        for _ in range(runs):
            for name in PACKAGES:
                out = folder / name
                out.mkdir(exist_ok=True)
                found = once([sys.executable, __file__, name, str(source), str(out)], environment())
                figures[name].append(found | json.loads((out / "spent.json").read_text()))
        print(f"{rows} rows x {len(ENTITIES)} entities x {len(DAYS)} windows x (count, mean); median of {runs};")
        print(
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; largest relative difference: {compared(folder)}\n"
        )
        keys = ("windows s", "windows cpu s", "wall s", "cpu s", "peak MB")
        print("| | " + " | ".join(keys) + " | windows, ours / theirs | its cpu | whole |")
        print("| --- |" + " --- |" * (len(keys) + 3))
        ours = figures["modelway"]
        for name in PACKAGES:
            cells = [f"{statistics.median(f[key] for f in figures[name]):.3g}" for key in keys]
            for key in ("windows s", "windows cpu s", "wall s"):
                cells.append(
                    f"{statistics.median(a[key] / b[key] for a, b in zip(ours, figures[name], strict=True)):.2f}"
                )
            print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        place = Path(sys.argv[3])
        does = {"modelway": by_modelway, "pandas": by_pandas, "polars": by_polars}[sys.argv[1]]
        wall, processor = does(Path(sys.argv[2]), place)
        (place / "spent.json").write_text(json.dumps({"windows s": wall, "windows cpu s": processor}))
    else:
        sizes = [int(word) for word in sys.argv[1:]]
        main(sizes[0] if sizes else 1_750_000, sizes[1] if len(sizes) > 1 else 3)
