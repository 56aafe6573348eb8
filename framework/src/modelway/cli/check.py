"""``modelway check``: load, prepare and check a project's data, and report all that is broken at once."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelway.cli import composing, display
from modelway.context import Event
from modelway.engine.findings import counted
from modelway.errors import ConfigError, DataError, ModelwayError
from modelway.plan import Select, steps_of

if TYPE_CHECKING:
    from modelway.engine import Engine

EPILOG = """exit code: 0 nothing stops a run (with --strict: nothing was found), 4 something does

an ordinary run stops at the first check that fails; this one looks at every table first"""
_STAGES = ("acquire", "prepare", "validate")
#: Rows and samples of a finding that are printed; --json has all that were kept.
_FEW = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    composing.add_project(parser)
    parser.add_argument("--strict", action="store_true", help="let what only warns fail too")
    parser.add_argument("--force", action="store_true", help="load, prepare and check anew, whatever is there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON and nothing else")


def main(options: argparse.Namespace) -> int:
    """Check a project's data."""
    engine = composing.open_engine(options)
    if options.cfg:
        composing.print_config(engine, options.cfg)
        return 0
    found = checked(engine, force=options.force, show=not options.json)
    if options.json:
        display.emit(found)
    else:
        print(text(found))
    if found["error"]:
        return int(found["error"]["code"])
    return DataError.code if found["stop"] or (options.strict and found["warn"]) else 0


def checked(engine: Engine, *, force: bool = False, show: bool = False) -> dict[str, Any]:
    """Run a project's sources, preparation and checks, and return what they found, as plain JSON.

    Args:
        engine: The project.
        force: Compute every step anew.
        show: Print how far it is.

    Raises:
        ConfigError: the project checks nothing.
    """
    steps = [step for step in steps_of(engine.experiment) if step.stage in _STAGES]
    if all(step.stage != "validate" for step in steps):
        raise ConfigError(
            f"The project '{engine.experiment.project}' declares no checks", where=engine.experiment.where("project"),
            mend="Add 'checks: {schema: {use: pandera}}'; 'modelway plugins checks' lists what there is",
        )  # fmt: skip
    plan = engine.plan(force=force, select=Select(end=steps[-1].name))
    progress = display.Progress(len(plan.steps)) if show else None
    runs: list[str] = []

    def listen(event: Event) -> None:
        if event.kind == "run_started":
            runs.append(event.run)
        if progress:
            progress(event)

    engine.listener = listen
    error = None
    try:
        engine.run(plan, note="check", lenient=True)
    except ModelwayError as failed:  # a later step: what was found before it is on record, and may be why
        if not runs:
            raise
        error = {"code": failed.code, "text": str(failed)}
    return report(engine, runs[0], error)


def report(engine: Engine, run: str, error: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a run's checks found and its preparation took out, as the ledger has it.

    Args:
        engine: The project.
        run: The run's id.
        error: What ended it early.
    """
    steps = engine.ledger.steps(run)
    only = next(iter(engine.experiment.all("acquire")))
    prepared = any(step["stage"] == "prepare" for step in steps)
    tables, findings, rows = [], [], []
    for step in steps:
        summary, logs = step["body"].get("summary", {}), step["body"].get("logs", {})
        if step["stage"] == "validate" and "items" in summary:
            table = step["name"].partition(".")[2] or ("prepared" if prepared else only)
            facts = {key: summary[key] for key in ("rows", "rules", "passed")}
            tables.append({"table": table, "step": step["name"], **facts, "broken": len(summary["items"])})
            findings += [{"table": table, **item} for item in summary["items"]]
        if step["stage"] == "prepare":
            rows += [
                {"step": name.removeprefix("rows").removeprefix(".") or step["name"], **entry}
                for name, entry in logs.items()
                if name.partition(".")[0] == "rows" and isinstance(entry, Mapping) and entry.get("dropped")
            ]
    findings.sort(key=lambda item: item["severity"] != "stop")
    counts = {severity: sum(item["severity"] == severity for item in findings) for severity in ("stop", "warn")}
    head = {"project": engine.experiment.project, "run": run, "passed": not counts["stop"] and error is None}
    return {**head, **counts, "tables": tables, "findings": findings, "dropped": rows, "error": error}


def text(found: Mapping[str, Any]) -> str:
    """Return a report as a person reads it."""
    lines = [""]
    if found["findings"]:
        head = ["", "table", "column", "rule", "broken by", "expected, and found"]
        lines += [display.table(head, [row for item in found["findings"] for row in _rows(item)]), ""]
    for entry in found["dropped"]:
        what = f"kept aside as '{entry['aside']}'" if entry.get("aside") else "dropped"
        rules = ", ".join(f"{rule} {count}" for rule, count in entry["dropped"].items())
        lines.append(f"{entry['step']}: {sum(entry['dropped'].values())} of {entry['in']} rows {what}: {rules}")
    if found["error"]:
        lines.append(f"{display.paint('not all was checked', 'red')}: {found['error']['text']}")
    rules, tables = sum(table["rules"] for table in found["tables"]), len(found["tables"])
    asked = f"{display.count(rules, 'rule')} of {display.count(tables, 'table')}"
    if not found["findings"]:
        told = f"{asked}: all hold"
    else:
        told = f"{asked}: {display.count(len(found['findings']), 'finding')}, of which {found['stop']} stop a run"
    colour = "red" if not found["passed"] else "yellow" if found["warn"] else "green"
    return "\n".join([*lines, f"{display.paint(told, colour)}   run {found['run']}"])


def _rows(item: Mapping[str, Any]) -> list[list[Any]]:
    """Return a finding as two rows: what it asks for, and below it the evidence."""
    mark = display.paint(item["severity"], "red" if item["severity"] == "stop" else "yellow")
    first = [mark, item["table"], item["column"] or "-", item["rule"], counted(item), item["text"] or item["rule"]]
    evidence = _evidence(item["rows"], item["samples"])
    return [first, ["", "", "", "", "", evidence]] if evidence else [first]


def _evidence(rows: Sequence[int], samples: Sequence[Any]) -> str:
    told = [", ".join(map(str, samples[:_FEW])) + (", ..." if len(samples) > _FEW else "")] if samples else []
    few = ", ".join(map(str, rows[:_FEW])) + (", ..." if len(rows) > _FEW else "")
    told += [f"row{'s' if len(rows) != 1 else ''} {few}"] if rows else []
    return " · ".join(told)
