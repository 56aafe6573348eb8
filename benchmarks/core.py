"""In core and out of core: what a fit costs, with reading, against pandas and XGBoost by hand.

In core: ``python benchmarks/core.py`` (2M x 30 float32). Beyond memory: ``python benchmarks/core.py --beyond``
(20M x 30 under 2 GiB). A memory limit is a systemd scope where there is one, else a limit on the process's data.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import measure

HERE = Path(__file__).parent
COLUMNS, PART = 30, 500_000
LIMIT = 2 << 30
PARAMS = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 6, "nthread": 2, "seed": 1}
PROJECT = """
defaults: [base, _self_]
project: core
task: binary
seed: 1
schema:
  columns:
    "x*": {type: number}
    y: {type: integer, role: target, values: [0, 1]}
source: {use: files, path: "${oc.env:CORE_DATA}/*.parquet"}
checks: {}
split: {use: random, test: 0.001, valid: 0}
model: {use: xgboost, rounds: 50, max_depth: 6, threads: 2}
metrics: {auc: {use: roc_auc, bootstrap: 0}}
phases: [test]
"""


def generate(folder: Path, rows: int, first: int = 0) -> None:
    """Write parts of half a million rows, each of a seed of its own from ``first`` on: more rows begin as fewer do."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    aside = folder.with_suffix(".part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for number, start in enumerate(range(0, rows, PART)):
        rng = np.random.default_rng(first + number)
        count = min(PART, rows - start)
        x = rng.standard_normal((count, COLUMNS), dtype=np.float32)
        logit = x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] - 0.5 * np.abs(x[:, 4])
        y = (rng.random(count) < 1 / (1 + np.exp(-logit))).astype(np.int8)
        table = pa.table({**{f"x{i}": x[:, i] for i in range(COLUMNS)}, "y": y})
        pq.write_table(table, aside / f"{number:04}.parquet", row_group_size=65_536, compression="zstd")
    aside.rename(folder)


def plain(folder: str) -> None:
    """Read whole with pandas, and train on a QuantileDMatrix: what is measured against."""
    import pandas as pd
    import xgboost as xgb

    frame = pd.read_parquet(folder)
    matrix = xgb.QuantileDMatrix(frame[[f"x{i}" for i in range(COLUMNS)]], frame["y"])
    xgb.train(PARAMS, matrix, 50)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--beyond", action="store_true", help="20M rows under 2 GiB, against ours in core")
    parser.add_argument("--beyond-rows", type=int, default=20_000_000)
    parser.add_argument(
        "--cache", type=Path, default=HERE.parent / ".modelway" / "benchmarks", help="where data is kept"
    )
    parser.add_argument("--plain", metavar="FOLDER", help="only do the plain script's work")
    parser.add_argument("--generate", metavar="FOLDER", help="only write the parts")
    options = parser.parse_args()
    if options.generate:
        generate(Path(options.generate), options.rows)
    elif options.plain:
        plain(options.plain)
    else:
        measured(options)


def measured(options: argparse.Namespace) -> None:
    """Prepare, and measure what was asked for."""
    small = Prepared(options.cache, options.rows)
    by_hand = [sys.executable, __file__, "--plain", str(small.data)]
    print("| what | wall s | cpu s | peak MB | bound |\n| --- | --- | --- | --- | --- |", flush=True)
    if not options.beyond:
        pairs = measure.paired(small.fit, lambda: measure.once(by_hand, small.env), options.runs)
        print(measure.row(f"{options.rows} rows, in core / pandas and XGBoost", *pairs, "wall 1.05, peak 0.6"))
        return
    large = Prepared(options.cache, options.beyond_rows)
    core = small.fit()
    beyond = large.fit("model.external_memory=auto", limit=LIMIT)
    scale = options.beyond_rows / options.rows
    ratio = {key: beyond[key] / core[key] / (1 if key == "peak MB" else scale) for key in core}
    name = f"{options.beyond_rows} rows under 2 GiB / {options.rows} in core, time per row"
    print(measure.row(name, beyond, core, ratio, "wall 1.4"))


class Prepared:
    """A project on so many rows, run up to its split, so that the fit is what remains.

    Args:
        cache: Folder that data and workspaces are kept in.
        rows: How many.
    """

    def __init__(self, cache: Path, rows: int) -> None:
        self.data, self.workspace = cache / f"core-{rows}", cache / f"core-{rows}-workspace"
        if not self.data.is_dir():
            # In a process of its own: a child's peak counts from its parent's size when it was forked.
            subprocess.run([sys.executable, __file__, "--generate", str(self.data), "--rows", str(rows)], check=True)
        conf = self.workspace / "projects" / "core" / "conf" / "config.yaml"
        conf.parent.mkdir(parents=True, exist_ok=True)
        conf.write_text(PROJECT)
        self.env = measure.environment(CORE_DATA=str(self.data), MODELWAY_WORKSPACE=str(self.workspace))
        subprocess.run([measure.modelway(), "run", "core", "--to", "features"], env=self.env, check=True, stdout=2)

    def fit(self, *overrides: str, limit: int = 0) -> measure.Figures:
        """Run the train step anew, in a process of its own: start, reading, fit, and the model written."""
        command = [measure.modelway(), "run", "core", "--only", "train", "--force", *overrides]
        return measure.once(limited(command, limit), self.env)


def limited(command: list[str], limit: int) -> list[str]:
    """Return a command that may take so many bytes of memory."""
    if not limit:
        return command
    scope = ["systemd-run", "--user", "--scope", "--quiet", "-p", f"MemoryMax={limit}", "-p", "MemorySwapMax=0", "--"]
    if (
        shutil.which("systemd-run")
        and not subprocess.run([*scope, "true"], capture_output=True, check=False).returncode
    ):
        return [*scope, *command]
    return [sys.executable, "-c", LIMITED, str(limit), *command]


# Where there is no scope, reserved memory counts as if it were used, and Arrow's own allocator reserves a gigabyte.
LIMITED = """
import os, resource, sys
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


if __name__ == "__main__":
    main()
