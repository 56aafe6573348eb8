"""A profile of 1M x 20 in one pass, against pandas' describe, nunique, histograms, correlations and value_counts.

Each side runs in a process of its own, in turn: `python benchmarks/profiles.py [ROWS]`. Import of the libraries is in
both; the last lines show that memory does not grow with the rows.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from measure import environment, once, paired, row


def make(path: Path, rows: int) -> None:
    """Write the table: 16 numeric columns, a time, three texts; a binary target among them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    columns: dict[str, Any] = {f"n{i}": rng.normal(size=rows) for i in range(10)}
    columns["amount"] = np.round(rng.lognormal(3, 1.2, rows), 2)
    columns["gaps"] = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows))
    columns["count"], columns["code"] = rng.poisson(4, rows), rng.integers(0, 100_000, rows)
    columns["id"] = np.arange(rows)
    seconds = np.sort(rng.integers(0, 180 * 86400, rows))
    columns["when"] = np.datetime64("2024-01-01", "us") + seconds * np.timedelta64(1, "s")
    for name, many in (("city", 200), ("plan", 3), ("merchant", 3000)):
        codes = pa.array(rng.integers(0, many, rows).astype("int32"))
        columns[name] = pa.DictionaryArray.from_arrays(codes, [f"{name}-{i}" for i in range(many)]).cast(pa.string())
    columns["target"] = (rng.random(rows) < 0.1 + 0.1 * (columns["n0"] > 0)).astype("int64")
    pq.write_table(pa.table(columns), path, row_group_size=131_072)


def ours(path: str) -> None:
    """Profile batch by batch, as the engine does."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from modelway_profile import TableProfile

    from modelway import from_arrow

    profiler, summary = TableProfile(target="target"), cast(Any, None)
    # buffered ahead, the reader holds on to the whole file
    for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(65_536):
        made = profiler.summarise(from_arrow(pa.Table.from_batches([batch])))
        summary = made if summary is None else profiler.merge(summary, made)
    table = profiler.finish(summary).body["table"]
    print(table["rows"], table["columns"])


def pandas(path: str) -> None:
    """Find the same figures by pandas."""
    import numpy as np
    import pandas as pd

    frame = pd.read_parquet(path)
    frame.describe(include="all")
    frame.nunique()
    numbers = frame.select_dtypes("number")
    for name in numbers:
        np.histogram(numbers[name].dropna(), bins=64)
    numbers.corrwith(frame["target"])
    for name in frame:
        frame[name].value_counts()


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        ours(sys.argv[2])
    elif sys.argv[1:2] == ["pandas"]:
        pandas(sys.argv[2])
    elif sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        rows = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
        with tempfile.TemporaryDirectory() as folder:
            place, double = Path(folder) / "t.parquet", Path(folder) / "t2.parquet"
            command, env = [sys.executable, __file__], environment()
            # in processes of their own: a child's peak memory starts at its parent's
            once([*command, "make", str(place), str(rows)], env)
            once([*command, "make", str(double), str(2 * rows)], env)
            figures = paired(
                lambda: once([*command, "ours", str(place)], env),
                lambda: once([*command, "pandas", str(place)], env),
                3,
            )
            print("| what | " + " | ".join(figures[0]) + " | bound |")
            print(row(f"profile of {rows:,} x 20: ours / pandas", *figures, "0.4 of the time"))
            twice = once([*command, "ours", str(double)], env)
            print(f"peak MB with twice the rows: {twice['peak MB']:.0f} against {figures[0]['peak MB']:.0f}")
