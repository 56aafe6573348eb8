"""Measures edge bundles in an environment that holds onnxruntime and numpy only, with the network off.

Run: ``python benchmarks/edge.py [--python VENV/bin/python] [--rows 100000] [--arm "qemu-aarch64-static ..."]``.

Three projects: ``numbers`` (thirty measurements, filled in and scaled), ``table`` (numbers and categories: impute,
scale, native and one-hot categories, derived columns, a logarithm) and ``dated``, which adds two times and their parts.
Each is packaged, and then used by the other Python: the time from its start to the first score, the median time of one
row, checks included, memory, and the scores of rows of which one in ten lacks a value and one in seven has a category
that training never saw, against the training path. Without ``--python`` such an environment is made, by uv. ``--arm``
also scores a sample by an emulated or real arm64 Python.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins" / "modelway-edge" / "tests"))

from edge_models import CONFIG, SCHEMA, rows, scoring_model
from modelway_edge.packager import Edge

from modelway.testing import make_run

#: Rows and rounds of the trees that are compiled.
TRAINED, ROUNDS = 20_000, 100
ARM_ROWS = 2_000
#: Starts of which the quickest counts; the first one compiles Python's modules.
STARTS = 6

#: Thirty measurements, of which a third may be missing.
COLUMNS = {f"m{i}": {"type": "number", "min": -1e4, "nullable": i % 3 == 0} for i in range(30)}
NUMBERS = {"fill": {"use": "impute", "columns": ["m*"]}, "sizes": {"use": "scale", "columns": ["m*"]}}

CHILD = """
import sys
import numpy, onnxruntime
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from modelway_edge_runtime import Scorer
scorer = Scorer(sys.argv[1])
import json
golden = json.loads((scorer.root / "golden.json").read_bytes())["rows"]
scorer.score(golden[:1])
print("scored", flush=True)
if sys.argv[4:]: sys.exit()
import time
import numpy as np
from modelway_edge_runtime.command import peak
middles = []
for _ in range(10):
    taken = []
    for i in range(500):
        row = [golden[i % len(golden)]]
        start = time.perf_counter_ns(); scorer.score(row); taken.append(time.perf_counter_ns() - start)
    middles.append(sorted(taken)[250] / 1000)
memory = peak()
expected = np.load(sys.argv[3])
start, worst, count, lines = time.perf_counter(), 0.0, 0, []
def compare():
    global worst, count
    found = scorer.score(lines)
    worst = max(worst, float(np.abs(found - expected[count:count + len(lines)]).max()))
    count += len(lines)
    lines.clear()
for line in open(sys.argv[2]):
    lines.append(json.loads(line))
    if len(lines) == 4096: compare()
if lines: compare()
print(json.dumps({"row_us": sorted(middles)[5], "row_us_best": min(middles), "memory_mb": memory / 1e6, "rows": count,
                  "difference": worst, "seconds": time.perf_counter() - start,
                  "memory_all_mb": peak() / 1e6}))
"""


def measurements(count: int, seed: int) -> list[dict[str, Any]]:
    """Return rows of thirty measurements."""
    rng = np.random.default_rng(seed)
    values, gone = rng.normal(0, 10, (count, 30)), rng.random((count, 30)) < 0.1
    gone[:, [i for i in range(30) if i % 3]] = False
    return [dict(zip(COLUMNS, [None if g else v for v, g in zip(row, lost, strict=True)], strict=True))
            for row, lost in zip(values.tolist(), gone.tolist(), strict=True)]  # fmt: skip


def environment(folder: Path) -> str:
    """Return the Python of a new environment that holds onnxruntime and numpy only."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([uv, "pip", "install", "-q", "--python", python, "onnxruntime", "numpy"], check=True)
    return python


def installed(python: str) -> float:
    """Return the megabytes of an environment's packages, compiled Python included."""
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    folder = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


def used(command: list[str], root: Path, given: Path, expected: Path) -> dict[str, Any]:
    """Run the child with a bundle; returns what it found, and the seconds from its start to the first score."""
    offline = ["unshare", "-rn"] if subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0 else []
    command = [*offline, *command, "-I", "-c", CHILD, str(root), str(given), str(expected)]
    colds, processor = zip(*(_start([*command, "stop"]) for _ in range(STARTS)), strict=True)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {"cold_start_s": min(colds), "cold_cpu_s": min(processor), **found, "network_off": bool(offline)}


def _start(command: list[str]) -> tuple[float, float]:
    """Return the seconds from a start to the first score, of the clock and of the processor."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    taken, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def project(name: str, folder: Path) -> tuple[Path, Any]:
    """Package a project; returns the bundle and the model."""
    if name == "numbers":
        return packaged(folder, NUMBERS, {"columns": COLUMNS}, measurements(TRAINED, seed=1))
    config, schema = dict(CONFIG), json.loads(json.dumps(SCHEMA))
    if name == "table":
        del config["times"]
        for column in ("seen", "born"):
            del schema["columns"][column]
    given = [{key: row[key] for key in schema["columns"]} for row in rows(TRAINED, seed=1)]
    return packaged(folder, config, schema, given)


def packaged(folder: Path, config: Any, schema: Any, given: Any) -> tuple[Path, Any]:
    """Train and package; returns the bundle and the model."""
    model = scoring_model("binary", config, schema=schema, given=given, rounds=ROUNDS)
    return Edge(max_memory_mb=130).package(model, make_run(folder)).root, model


def main() -> None:
    """Measure the three projects, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default="")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--arm", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        python = options.python or environment(folder / "venv")
        print(f"installed: {installed(python):.1f} MB (at most 140)")
        for name in ("numbers", "table", "dated"):
            root, model = project(name, folder / name)
            if name == "numbers":
                made = measurements(options.rows, seed=2)
            else:
                made = [{key: row[key] for key in model.schema.columns} for row in rows(options.rows, seed=2)]
                for i in range(0, len(made), 7):
                    made[i]["city"] = f"new {i}"
            for label, count, command in (
                ("this machine", options.rows, [python]), ("arm64", ARM_ROWS, shlex.split(options.arm)),
            ):  # fmt: skip
                if command:
                    held = made[:count]
                    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, held)))
                    np.save(folder / "expected.npy", model.score_records(held)["score"])
                    found = used(command, root, folder / "rows.jsonl", folder / "expected.npy")
                    print(
                        f"{name}, {label}: bundle {sum(p.stat().st_size for p in root.rglob('*.*')) / 1e6:.2f} MB,"
                        f" cold start {found['cold_start_s']:.2f} s, {found['cold_cpu_s']:.2f} of the processor's"
                        " (at most 0.5),"
                        f" one row {found['row_us']:.0f} us, best round {found['row_us_best']:.0f} (at most 60),"
                        f" memory {found['memory_mb']:.0f} MB (at most 130), {found['rows']} rows in"
                        f" {found['seconds']:.1f} s within {found['difference']:.1e} (at most 1e-5) and"
                        f" {found['memory_all_mb']:.0f} MB; network {'off' if found['network_off'] else 'on'}"
                    )


if __name__ == "__main__":
    main()
