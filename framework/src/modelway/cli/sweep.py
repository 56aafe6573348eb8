"""A sweep: one run per combination of values, frozen when it is submitted, sharing every step they have in common."""

from __future__ import annotations

import argparse
from typing import Any

from modelway.cli import composing, display
from modelway.config import compose
from modelway.engine import Engine
from modelway.errors import ConfigError, ModelwayError, PartialError
from modelway.ledger import actor, new_id, now
from modelway.plugins import Plugins
from modelway.workspace import Workspace


def sweep(options: argparse.Namespace) -> int:
    """Run every trial; a trial that fails is recorded and the others go on, unless ``--fail-fast``."""
    from modelway.config.composition import trials

    workspace, root = Workspace.project(options.project)
    plugins = Plugins(inline=root / "plugin.py")
    combinations = trials(options.overrides)
    # Every trial is composed, and its code known, before the first one runs: editing a file meanwhile changes nothing.
    frozen = [(given, compose(root, given, workspace, plugins)) for given in combinations]
    engines = [(given, Engine(experiment, workspace, plugins, warn=composing.warn)) for given, experiment in frozen]
    if not engines:
        raise ConfigError("The sweep has no trials", mend="Give a key several values: model.max_depth=3,4,5")
    stats = engines[0][1].stats
    stats.hold({type(component) for _, engine in engines for _, _, component in engine.experiment.items()})
    for _, engine in engines:
        engine.stats = stats
    parent, ledger = new_id(), engines[0][1].ledger
    first = engines[0][1].experiment
    row: dict[str, Any] = {
        "id": parent,
        "project": first.project,
        "created": now(),
        "status": "running",
        "actor": actor(),
    }
    row |= {"overrides": options.overrides, "config": {}, "code": {}, "environment": "", "note": options.note}
    ledger.start({**row, "body": {"sweep": combinations}}, first.settings.tags)
    if not options.json:
        print(f"{display.paint(first.project, 'bold')}  sweep {parent} of {len(engines)} trials")
    results = []
    for given, engine in engines:
        result = _trial(engine, given, parent, options)
        results.append(result)
        if not options.json:
            print(f"  {_line(result)}", flush=True)
        if result["error"] and options.fail_fast:
            break
    failed = [r for r in results if r["error"]]
    ledger.finish(parent, "failed" if len(failed) == len(results) else "partial" if failed else "done")
    if options.json:
        display.emit({"sweep": parent, "trials": results})
    else:
        print(_table(results))
    if failed:
        what = f"{len(failed)} of {len(results)} trials failed; the first said: {failed[0]['error']}"
        raise PartialError(
            what.rstrip("."), mend="The others are on record; repeating the command runs only what is missing"
        )
    return 0


def _trial(engine: Engine, given: list[str], parent: str, options: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {"overrides": given, "run": None, "ran": 0, "scores": {}, "error": None, "seconds": None}
    try:
        plan = engine.plan(force=options.force, select=composing.selection(options))
        outcome = engine.run(plan, parent=parent)
    except ModelwayError as error:
        result["error"] = str(error)
        return result
    measured = outcome.summary("metrics").get("measured", [])
    result |= {"run": outcome.run, "ran": len(outcome.steps) - len(outcome.cached), "seconds": outcome.seconds}
    result["scores"] = {f"{m['phase']}.{m['metric']}": m["value"] for m in measured}
    return result


def _line(result: dict[str, Any]) -> str:
    given = " ".join(result["overrides"])
    if result["error"]:
        return f"{display.paint('x', 'red')} {given}"
    return f"{display.paint('✓', 'green')} {given}  {result['ran']} ran, {display.seconds(result['seconds'])}"


def _table(results: list[dict[str, Any]]) -> str:
    scores = list(dict.fromkeys(name for r in results for name in r["scores"]))
    shown = [name for name in scores if name.startswith("test.")] or scores
    rows = [
        [" ".join(r["overrides"]) or "(none)", r["run"] or "failed", *(r["scores"].get(name) for name in shown)]
        for r in results
    ]
    return "\n" + display.table(["trial", "run", *shown], rows, right=tuple(range(2, 2 + len(shown))))
