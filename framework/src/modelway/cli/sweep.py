"""``modelway run -m``: a sweep, told trial by trial."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

from modelway.cli import composing, display
from modelway.cli.sweeps import report
from modelway.engine.sweep import Done, Sweep
from modelway.errors import ComputeError, PartialError


def sweep(options: argparse.Namespace) -> int:
    """Make the trials; one that fails is recorded and the others go on, unless ``--fail-fast``.

    Raises:
        PartialError: some trials failed.
    """
    if options.detach:
        return _detached(options)
    made = Sweep(options.project, options.overrides, select=composing.selection(options), force=options.force)
    if not options.json:
        about = f"{'goes on' if made.resumed else 'begins'}: {', '.join(made.frozen.space) or '1 trial'}"
        print(f"{display.paint(made.project, 'bold')}  sweep {made.id} {about}", flush=True)

    def told(one: Done) -> None:
        if not options.json:
            print(f"  {_line(one)}", flush=True)

    done = made.run(told, fail_fast=options.fail_fast, note=options.note)
    if options.json:
        display.emit({"sweep": made.id, "name": made.name, "trials": [one.plain() for one in done]})
    else:
        print(report(made.engine.ledger, made.id, made.workspace, options.project))
    failed = [one for one in done if one.result.status == "failed"]
    if failed:
        raise PartialError(
            f"{len(failed)} of {len(done)} trials failed; the first said: {failed[0].result.error}".rstrip("."),
            mend="The others are on record; repeating the command runs only what is missing",
        )
    return 0


def _line(one: Done) -> str:
    marks = {"done": ("✓", "green"), "kept": ("=", "dim"), "pruned": ("-", "yellow"), "failed": ("x", "red")}
    mark, colour = marks[one.result.status]
    ended = {
        "done": f"{one.result.ran} ran, {display.seconds(one.result.seconds)}", "kept": "there already",
        "pruned": "pruned", "failed": "failed",
    }  # fmt: skip
    return f"{display.paint(mark, colour)} {' '.join(one.overrides) or '(as declared)'}  {ended[one.result.status]}"


def _detached(options: argparse.Namespace) -> int:
    """Leave the sweep to a process of its own, once it is frozen."""
    words = [word for word in sys.argv[1:] if word != "--detach"]
    command = [sys.executable, "-m", "modelway", *words]
    made: Any = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        text=True,
    )  # fmt: skip
    first = made.stdout.readline().rstrip()
    if "sweep " not in first:
        rest = made.stdout.read().rstrip()
        raise ComputeError(f"The sweep did not start. {first} {rest}".rstrip())
    print(first)
    name = first.split("sweep ")[1].split()[0]
    print(f"it goes on in process {made.pid}; look in on it with: modelway sweeps {name} --follow")
    made.stdout.close()
    return 0
