"""The command line of a bundle: ``check`` tests it, ``score`` scores a CSV file."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelway_edge_runtime.errors import BundleError, NotReadyError, RefusedError
from modelway_edge_runtime.scorer import BATCH, Scorer


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns 0 where it did what it was asked for, 1 where it refused."""
    parser = argparse.ArgumentParser(description="Score rows with this bundle.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="verify the bundle, and test it on its golden rows")
    score = commands.add_parser("score", help="score a CSV file")
    score.add_argument("source", help="CSV file with a header; an empty cell is missing")
    score.add_argument("target", help="CSV file to write: the rows of the source, and their scores")
    options = parser.parse_args(argv)
    try:
        return check() if options.command == "check" else score_file(options.source, options.target)
    except (BundleError, NotReadyError, RefusedError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except (UnicodeDecodeError, csv.Error) as error:
        print(f"{options.source} is no CSV file in UTF-8: {error}", file=sys.stderr)
        return 1


def check() -> int:
    """Verify the bundle and test it on its golden rows; prints what was found."""
    start = time.perf_counter()
    scorer = Scorer()
    taken = time.perf_counter() - start
    manifest = scorer.manifest
    state = "ready" if scorer.ready else "not ready"
    print(
        f"{state}: {manifest['project']} {manifest['version']}, {manifest['golden']} golden rows within"
        f" {scorer.difference:.2g} of training ({manifest['tolerance']:g} allowed), loaded in {taken:.3f} s"
    )
    return 0 if scorer.ready else 1


def score_file(source: str, target: str) -> int:
    """Score a CSV file, in bounded memory; the target appears when it is whole.

    Raises:
        RefusedError: a row breaks the schema; the row is counted from 0, the header aside.
    """
    scorer = Scorer()
    multiclass = scorer.manifest["task"] == "multiclass"
    titles = [f"score_{value}" for value in scorer.manifest["classes"]] if multiclass else ["score"]
    partial, count = f"{target}.part", 0
    try:
        with (
            open(source, newline="", encoding="utf-8-sig") as given,
            open(partial, "w", newline="", encoding="utf-8") as made,
        ):
            reader = csv.DictReader(given)
            writer = csv.writer(made)
            names = list(reader.fieldnames or ())
            writer.writerow([*names, *titles])
            for batch in _batches(reader):
                rows = [
                    {name: field.read(row.get(name) or "") for name, field in scorer.fields.items() if name in row}
                    for row in batch
                ]
                try:
                    scores = scorer.score(rows)
                except RefusedError as error:
                    raise _moved(error, count) from None
                for row, score in zip(batch, scores.reshape(len(rows), -1).tolist(), strict=True):
                    writer.writerow([*(row[name] for name in names), *score])
                count += len(rows)
        os.replace(partial, target)
    finally:
        Path(partial).unlink(missing_ok=True)
    print(f"{count} rows scored into {target}")
    return 0


def _batches(reader: Any) -> Iterator[list[dict[str, str]]]:
    batch = []
    for row in reader:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _moved(error: RefusedError, first: int) -> RefusedError:
    from dataclasses import replace

    return RefusedError([replace(problem, row=problem.row + first) for problem in error.problems], error.count)


def probe() -> dict[str, Any]:
    """Return what scoring takes here: microseconds for one row, megabytes of memory at most."""
    scorer = Scorer()
    golden = json.loads((scorer.root / "golden.json").read_bytes())["rows"]
    taken = []
    for i in range(500):
        row = [golden[i % len(golden)]]
        begin = time.perf_counter_ns()
        scorer._score(row)
        taken.append(time.perf_counter_ns() - begin)
    return {
        "difference": scorer.difference,
        "row_us": sorted(taken)[len(taken) // 2] / 1000,
        "memory_mb": peak() / 1e6,
    }


def peak() -> int:
    """Return the most bytes of memory that this process has held."""
    try:  # where it is there: what getrusage tells holds the memory of the process that started this one
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
