"""``modelway run -m``: a sweep, told trial by trial."""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelway.cli import composing, display
from modelway.cli.sweeps import Lines, report
from modelway.engine.standing import trials_of
from modelway.engine.sweep import Sweep
from modelway.errors import ConfigError, ModelwayError, PartialError
from modelway.workspace import Workspace

#: What a sweep says once it is frozen.
_BEGUN = re.compile(r"^\S+  sweep (\S+) (?:begins|goes on): .*(?=\n)", re.MULTILINE)


def sweep(options: argparse.Namespace) -> int:
    """Make the trials; one that fails is recorded and the others go on, unless ``--fail-fast``.

    Raises:
        PartialError: some trials failed.
        ModelwayError: all of them did.
    """
    if options.detach:
        if options.json:
            raise ConfigError(
                "--detach goes without --json: the outcome is not known yet",
                mend="Leave --json out; 'modelway sweeps SWEEP --json' tells of a sweep at any time",
            )
        return _detached()
    with _killed_as_interrupted():
        return _made(options)


@contextmanager
def _killed_as_interrupted() -> Iterator[None]:
    """Let ``kill`` end a sweep as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _made(options: argparse.Namespace) -> int:
    made = Sweep(options.project, options.overrides, select=composing.selection(options), force=options.force)
    ledger, lines = made.engine.ledger, Lines(made.objectives)
    if not options.json:
        print(_first(made), flush=True)
    done = made.run(
        lambda one: None if options.json else lines.tell(one.result.status, one.overrides, one.values, one.result),
        fail_fast=options.fail_fast, note=options.note,
    )  # fmt: skip
    if options.json:
        display.emit({"sweep": made.id, "name": made.name, "trials": [one.plain() for one in done]})
    else:
        lines.end()
        page = made.workspace.state / "sweeps" / f"{made.id}.html"
        found = ledger.sweep(made.id)
        print(report(found, trials_of(ledger, found), options.project, page=page))
    failed = [one for one in done if one.result.status == "failed"]
    if not failed:
        return 0
    said = f"the first said: {failed[0].result.error}".rstrip(".")
    if len(failed) == len(done):
        alone = f"The trial failed: {failed[0].result.error}".rstrip(".")
        told = alone if len(done) == 1 else f"All {len(done)} trials failed; {said}"
        raise ModelwayError(told, mend="Repeating the command tries again")
    raise PartialError(
        f"{len(failed)} of {len(done)} trials failed; {said}",
        mend="The others are on record; repeating the command runs only what is missing",
    )


def _first(made: Sweep) -> str:
    how = [made.launcher.name] if made.launcher.name != "basic" else []
    how += [made.sweeper.name] if made.sweeper.name != "basic" else []
    about = f"{'goes on' if made.resumed else 'begins'}: {', '.join(made.frozen.space) or 'no key is swept'}"
    with_what = f"  ({', '.join(how)})" if how else ""
    return f"{display.paint(made.project, 'bold')}  sweep {made.id} {about}{with_what}"


def _detached() -> int:
    """Leave the sweep to a process of its own, once it is frozen."""
    words = [word for word in sys.argv[1:] if word != "--detach"]
    command = [sys.executable, "-c", "import sys; from modelway.cli import main; sys.exit(main())", *words]
    folder = Workspace.find().state / "sweeps"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".log", delete=False) as log:
        made: Any = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    path = Path(log.name)
    first = None
    while first is None:
        ended = made.poll() is not None  # before the look, or what it said last would go unseen
        first = _BEGUN.search(path.read_text(encoding="utf-8"))  # not at the top where something was warned of
        if ended:
            break
        time.sleep(0.05)
    if first is None:
        code = int(made.wait())
        print(path.read_text(encoding="utf-8").strip(), file=sys.stderr)
        path.unlink()
        return code or 1
    name = first[1]
    kept = path.rename(folder / f"{name}.log")
    print(first[0])
    print(f"it goes on in process {made.pid}, which writes to {kept}")
    print(f"look in on it: modelway sweeps {name} --follow   stop it: kill {made.pid}")
    return 0
