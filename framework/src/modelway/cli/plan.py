"""``modelway plan``: what a run would do, and why."""

from __future__ import annotations

import argparse

from modelway.cli import composing, display
from modelway.experiment import Experiment
from modelway.plan import MARKS, Plan

EPILOG = "marks: " + ", ".join(f"{mark} {text}" for mark, text in MARKS.items())


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    composing.add_project(parser)
    composing.add_selection(parser)
    parser.add_argument("--why", metavar="KEY", help="say where a key's value comes from: file and line, or override")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.add_argument("--exit-code", action="store_true", help="exit with 11 if anything would run")


def main(options: argparse.Namespace) -> int:
    """Plan."""
    engine = composing.open_engine(options)
    if options.cfg:
        composing.print_config(engine, options.cfg)
        return 0
    if options.why:
        print(why(engine.experiment, options.why))
        return 0
    plan = engine.plan(force=options.force, select=composing.selection(options))
    if options.json:
        display.emit(plan.plain())
    else:
        print(render(plan))
    return 11 if options.exit_code and not plan.idle else 0


def render(plan: Plan) -> str:
    """Return the plan as a table, a count, and what it would move."""
    rows = []
    for p in plan.steps:
        use = ", ".join(c.name for c in p.step.components.values())
        use = use if len(use) <= 36 else f"{use[:33]}..."
        time = f"~{display.seconds(p.seconds)}" if p.mark != "=" and p.seconds else ""
        rows.append([display.paint(p.mark, display.MARK_COLOURS[p.mark]), p.step.name, use, time, p.reason])
    counts = {mark: sum(p.mark == mark for p in plan.steps) for mark in "=~+?"}
    words = [f"{n} {MARKS[mark] if mark != '?' else 'depend on what comes out'}" for mark, n in counts.items() if n]
    lines = [display.table(["", "step", "use", "takes", "why"], rows, right=(3,)), "", ", ".join(words)]
    lines += [f"{display.paint('!', 'red')} {effect}" for effect in plan.effects]
    return "\n".join(lines)


def why(experiment: Experiment, key: str) -> str:
    """Return a key's value and where it comes from.

    Raises:
        ConfigError: there is no such key.
    """
    from modelway.errors import ConfigError, nearest

    for stage, label, component in experiment.items():
        path = experiment.key(stage, label)
        field = key.removeprefix(f"{path}.")
        if key.startswith(f"{path}.") and field in component.config():
            value = component.config()[field]
            where = experiment.origin.get(key) or f"default of {component.name} ({component.distribution})"
            return f"{key} = {value!r}\n  from {where}"
    node: object = experiment.config
    for word in key.split("."):
        if not isinstance(node, dict) or word not in node:
            known = [
                *experiment.origin,
                *(f"{experiment.key(s, n)}.{f}" for s, n, c in experiment.items() for f in c.config()),
            ]
            raise ConfigError(f"There is no key '{key}'", mend=nearest(key, known))
        node = node[word]
    return f"{key} = {node!r}\n  from {experiment.where(key)}"
