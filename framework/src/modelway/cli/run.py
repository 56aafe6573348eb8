"""``modelway run``: carry a plan out, or a sweep of them."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from modelway.cli import composing, display
from modelway.errors import ConfigError

if TYPE_CHECKING:
    from modelway.engine import Engine, Outcome


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    composing.add_project(parser)
    composing.add_selection(parser)
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="sweep: model.max_depth=3,4,5 runs once per value"
    )
    parser.add_argument("--fail-fast", action="store_true", help="stop a sweep at the first trial that fails")
    parser.add_argument("--detach", action="store_true", help="leave a sweep to a process of its own")
    parser.add_argument("--note", default="", help="a note to keep with the run")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON and nothing else")


def main(options: argparse.Namespace) -> int:
    """Run."""
    if options.multirun and options.cfg:
        raise ConfigError("--cfg prints one configuration, and -m makes several", mend="Leave -m out")
    if not options.multirun and (options.detach or options.fail_fast):
        flag = "--detach" if options.detach else "--fail-fast"
        raise ConfigError(f"{flag} goes with a sweep only", mend="Add -m for a sweep, or leave it out")
    if options.multirun:
        from modelway.cli.sweep import sweep

        return sweep(options)
    engine = composing.open_engine(options)
    if options.cfg:
        composing.print_config(engine, options.cfg)
        return 0
    plan = engine.plan(force=options.force, select=composing.selection(options))
    if not options.json:
        engine.listener = display.Progress(len(plan.steps))
        settings = engine.experiment.settings
        print(f"{display.paint(settings.project, 'bold')}  {settings.task}, seed {settings.seed}")
    outcome = engine.run(plan, note=options.note)
    if options.json:
        display.emit(as_json(engine, outcome))
    else:
        print(summary(engine, outcome))
    return 0


def as_json(engine: Engine, outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain JSON."""
    steps = {
        name: {
            "status": "cached" if name in outcome.cached else "ran",
            "digest": m.digest,
            "fingerprint": m.fingerprint,
        }
        for name, m in outcome.steps.items()
    }
    found = {"run": outcome.run, "project": engine.experiment.project, "status": outcome.status, "steps": steps}
    version = outcome.version["number"] if outcome.version else None
    return {
        **found,
        "scores": outcome.summary("metrics").get("measured", []),
        "version": version,
        "seconds": outcome.seconds,
    }


def summary(engine: Engine, outcome: Outcome) -> str:
    """Return what a person reads after a run."""
    lines = [""]
    measured = outcome.summary("metrics").get("measured", [])
    if measured:
        lines += [display.scores(measured), ""]
    ran = len(outcome.steps) - len(outcome.cached)
    counts = f"{ran} steps ran, {len(outcome.cached)} cached, {display.seconds(outcome.seconds)}"
    lines.append(f"run {display.paint(outcome.run, 'bold')}  {counts}")
    project = engine.experiment.project
    name = project if engine.experiment.root.parent.name == "projects" else os.path.relpath(engine.experiment.root)
    if outcome.version:
        number = outcome.version["number"]
        champion = engine.ledger.aliases(project).get("champion")
        what = "the champion" if champion == number else f"not the champion (that is version {champion})"
        lines.append(f"version {project}@{number}, {what}")
        if champion != number:
            lines.append(f"next: modelway promote {project}@{number}   or look at it: modelway show {outcome.run}")
        elif "package" in outcome.steps:
            lines.append(f"next: modelway report {name}   modelway serve {name}   modelway plan {name} model.…=…")
    else:
        lines.append(f"next: modelway show {outcome.run}")
    return "\n".join(lines)
