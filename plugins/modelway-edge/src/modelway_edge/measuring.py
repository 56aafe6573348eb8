"""Measuring: what a bundle takes, in a process of its own that sees onnxruntime and numpy and may use no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from modelway import DataError, PluginError

_PROBE = """
import sys
import numpy, onnxruntime
sys.dont_write_bytecode = True
used = []
sys.addaudithook(lambda event, args: used.append(event) if event.startswith("socket.") else None)
sys.path.insert(0, sys.argv[1])
import json
from modelway_edge_runtime import Scorer
scorer = Scorer(sys.argv[1])
golden = json.loads((scorer.root / "golden.json").read_bytes())["rows"]
scorer.outputs(golden[:1])
print("scored", flush=True)
from modelway_edge_runtime.command import probe
print(json.dumps({**probe(), "network": sorted(set(used))}))
"""
#: Starts of a new process of which the quickest counts: what other programs do is no matter of the bundle's.
_STARTS = 3


def measured(root: Path) -> dict[str, float]:
    """Return ``installed_mb``, ``row_ms``, ``cold_start_s``, ``memory_mb`` and ``golden_difference`` of a bundle.

    Raises:
        PluginError: it does not run here.
        DataError: its code uses the network.
    """
    starts, found = [], {}
    for _ in range(_STARTS):
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROBE, str(root)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        starts.append(time.perf_counter() - begin)
        out, err = process.communicate()
        if process.returncode or first.strip() != "scored":
            said = (err.strip().splitlines() or ["it said nothing"])[-1]
            raise PluginError(f"The bundle does not run here: {said}", mend="Run 'modelway doctor'")
        found = json.loads(out)
        if found["network"]:
            raise DataError(f"The bundle's code uses the network: {', '.join(found['network'])}")
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    return {
        "installed_mb": (size + sum(map(installed, needed(("onnxruntime", "numpy"))))) / 1e6,
        "row_ms": found["row_us"] / 1000,
        "cold_start_s": min(starts),
        "memory_mb": found["memory_mb"],
        "golden_difference": found["difference"],
    }


def needed(roots: tuple[str, ...]) -> list[str]:
    """Return the distributions that some need, themselves included, extras aside."""
    found: dict[str, None] = {}
    waiting = list(roots)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found[name] = None
        for text in metadata.requires(name) or ():
            requirement, _, marker = text.partition(";")
            if "extra" not in marker:
                waiting.append(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0])
    return sorted(found)


def installed(distribution: str) -> int:
    """Return the bytes of a distribution's files, compiled Python aside."""
    files = metadata.files(distribution) or ()
    paths = (Path(str(file.locate())) for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())
