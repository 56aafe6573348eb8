"""Sweeps against a loop by hand (benchmarks/loop.py): a 16-trial grid on W, and many trials of a small training.

Run it with ``python benchmarks/sweep.py``; ``--runs`` sets the number of pairs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

HERE = Path(__file__).parent


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--launcher", default="basic")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(HERE / "w", work / "projects" / "w")
        for rows in (200_000, 20_000):
            made = [
                sys.executable,
                str(HERE / "w.py"),
                "--generate",
                str(work / f"{rows}.parquet"),
                "--rows",
                str(rows),
            ]
            subprocess.run(made, check=True)
        grid = ([4, 5, 6, 7], [0.1, 0.2, 0.3, 0.4])
        print("| what | wall s | cpu s | peak MB | bound |\n| --- | --- | --- | --- | --- |")
        compare(work, options, "16 trials on W", 200_000, 50, *grid, bound="1.10")
        compare(work, options, "32 trials of 20k rows, 20 rounds", 20_000, 20, [4, 6], rates(16), bound="1.05")
        ours, theirs = compare(work, options, "200 such trials", 20_000, 20, [4, 6], rates(100), bound="")
        more = (ours["wall s"] - theirs["wall s"]) / 200 * 1000
        print(f"200 trials: {more:.1f} ms a trial above the bare loop (bound 60)")


def rates(count: int) -> list[float]:
    """Return so many learning rates."""
    return [round(0.1 + i * 0.004, 4) for i in range(count)]


def compare(
    work: Path, options: argparse.Namespace, name: str, rows: int, rounds: int, depths: list[int], values: list[float],
    *, bound: str,
) -> tuple[measure.Figures, measure.Figures]:  # fmt: skip
    """Measure one sweep and its loop, in turn."""
    data = str(work / f"{rows}.parquet")
    env = measure.environment(W_DATA=data, MODELWAY_WORKSPACE=str(work))
    depth, rate = (",".join(map(str, found)) for found in (depths, values))
    sweep = [measure.modelway(), "run", "w", "-m", f"model.rounds={rounds}", f"model.max_depth={depth}"]
    sweep += [f"model.learning_rate={rate}", f"hydra/launcher={options.launcher}"]

    def ours() -> measure.Figures:
        shutil.rmtree(work / ".modelway", ignore_errors=True)
        os.sync()
        return measure.once(sweep, env)

    def theirs() -> measure.Figures:
        return measure.once([sys.executable, str(HERE / "loop.py"), data, str(rounds), depth, rate], env)

    found = measure.paired(ours, theirs, options.runs)
    print(measure.row(name, *found, bound), flush=True)
    return found[0], found[1]


if __name__ == "__main__":
    main()
