"""W: 200k rows x 20 columns, the whole job, against benchmarks/plain.py; also the commands that must be quick.

Run it with ``python benchmarks/w.py``; ``--rows`` changes the size, ``--runs`` the number of pairs.
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


def generate(path: Path, rows: int) -> None:
    """Write a seeded table: fifteen numbers, one with gaps, two categories, an id and a target that depends on them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    numbers = {f"n{i}": rng.normal(size=rows) for i in range(15)}
    gaps = np.abs(rng.normal(size=rows))
    city = rng.integers(0, 8, rows)
    plan = rng.integers(0, 3, rows)
    logit = numbers["n0"] + numbers["n1"] * numbers["n2"] + 0.5 * numbers["n6"] + (city == 3) - 0.5 * (plan == 2)
    target = rng.random(rows) < 1 / (1 + np.exp(-logit))
    cities = pa.array(["ams", "ber", "cph", "dub", "edi", "fra", "gva", "hel"])
    plans = pa.array(["basic", "plus", "pro"])
    table = pa.table({
        "id": np.arange(rows), **numbers, "m0": pa.array(gaps, mask=rng.random(rows) < 0.1),
        "city": cities.take(pa.array(city)), "plan": plans.take(pa.array(plan)),
        "target": pa.array(["no", "yes"]).take(pa.array(target.astype(int))),
    })  # fmt: skip
    pq.write_table(table, path, row_group_size=65_536)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--generate", metavar="FILE", help="only write the table")
    options = parser.parse_args()
    if options.generate:
        generate(Path(options.generate), options.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = work / "w.parquet"
        # In a process of its own: a child's peak counts from its parent's size when it was forked.
        subprocess.run([sys.executable, __file__, "--generate", str(data), "--rows", str(options.rows)], check=True)
        shutil.copytree(HERE / "w", work / "projects" / "w")
        env = measure.environment(W_DATA=str(data), MODELWAY_WORKSPACE=str(work))
        modelway, plain = measure.modelway(), [sys.executable, str(HERE / "plain.py"), str(data), str(work / "out")]
        state = work / ".modelway"

        def ours(*words: str) -> measure.Figures:
            return measure.once([modelway, *words], env)

        def cold() -> measure.Figures:
            shutil.rmtree(state, ignore_errors=True)
            return ours("run", "w")

        def by_hand() -> measure.Figures:
            return measure.once(plain, env)

        cold(), by_hand()  # both warmed up: bytecode and the page cache
        os.sync()
        print("| what | wall s | cpu s | peak MB | bound |\n| --- | --- | --- | --- | --- |")
        print(measure.row("run, cold / plain script", *measure.paired(cold, by_hand, options.runs), "1.10"), flush=True)
        subprocess.run([modelway, "run", "w"], env=env, check=True, capture_output=True)
        for name, words, bound in (
            ("run, nothing changed", ["run", "w"], "0.5 s"),
            ("plan", ["plan", "w"], "0.6 s"),
            ("runs", ["runs"], "0.3 s"),
            ("--help", ["--help"], "0.2 s"),
        ):
            print(
                measure.row(name, *measure.paired(lambda words=words: ours(*words), None, options.runs), bound),
                flush=True,
            )
        measure.once([*plain, "--keep"], env)
        learning = 0

        def other() -> measure.Figures:  # another learning rate each time: the trees are as deep as the plain script's
            nonlocal learning
            learning += 1
            return ours("run", "w", f"model.learning_rate={0.3 + learning / 1000}")

        pairs = measure.paired(other, lambda: measure.once([*plain, "--train-only"], env), options.runs)
        print(measure.row("run, one parameter changed / plain training and evaluation", *pairs, "1.10"), flush=True)


if __name__ == "__main__":
    main()
