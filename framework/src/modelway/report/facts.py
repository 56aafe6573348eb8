"""What a report says, as plain JSON: the page shows this, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modelway.report.record import Record
from modelway.report.stages import explained, first_line
from modelway.values import Score, Scores

Facts = dict[str, Any]

_STATES = {
    "done": "finished", "refused": "was refused by a gate", "failed": "failed", "stopped": "was stopped",
    "running": "is under way",
}  # fmt: skip
#: Values that stand at the top.
_HEADLINE = 4
#: Steps away from the chosen row of a table by threshold that are shown.
_AWAY = (1, 3, 9, 27, 81, 243, 729)
#: Rows that are shown of a table in which no row is chosen.
_EVEN = 14


def collect(record: Record) -> Facts:
    """Return all but the plots and the contributions."""
    run, maker, environment = record.run, record.maker(), record.environment()
    config = run["config"]
    scores = [entry for step in record.of_stage("evaluate") for entry in _entries(record.value(step["name"]))]
    ledger = record.ledger.scores([run["id"]])
    steps = explained(record)
    gates = _gates(record)
    metrics = _metrics(ledger, scores, record)
    return {
        "run": run["id"], "project": run["project"], "description": config.get("description", ""),
        "owners": config.get("owners") or [], "task": config.get("task", ""), "seed": config.get("seed"),
        "status": run["status"], "created": run["created"], "finished": run["finished"], "actor": run["actor"],
        "note": run["note"], "overrides": run["overrides"], "tags": record.ledger.tags(run["id"]),
        "cost": run["body"].get("cost", {}),
        "trained_by": {key: maker[key] for key in ("id", "created", "actor")},
        "code": maker["code"].get("project", {}), "distributions": _used(record, environment),
        "environment": {
            "python": environment.get("python", ""), "platform": environment.get("platform", ""),
            "distributions": len(environment.get("distributions", ())), "digest": run["environment"],
        },
        "verdict": _verdict(record), "gates": gates,
        "headline": _headline(metrics, gates), "metrics": metrics, "phases": _phases(ledger),
        "operating_points": operating_points(scores),
        "importance": _importance(record), "steps": steps, "gone": dict(record.gone), "config": config,
    }  # fmt: skip


def _entries(scores: Scores | None) -> tuple[Score, ...]:
    return scores.entries if scores else ()


def _verdict(record: Record) -> dict[str, Any]:
    """Return the state of the run and of the version that it made, with a sentence."""
    project, status = record.run["project"], record.run["status"]
    version = record.version()
    if version is None:
        failed = [row["body"]["error"] for row in record.steps.values() if "error" in row["body"]]
        why = f" {failed[0]}" if failed else ""
        told = f"The run {_STATES.get(status, status)}, and no model version was registered.{why}"
        return {"state": "bad" if status in ("refused", "failed") else "none", "text": told, "version": None}
    name = f"{project}@{version['number']}"
    gates = len(_gates(record))
    passed = "its gate" if gates == 1 else f"all {gates} gates"
    told = f"Version {version['number']}" + (f" passed {passed} and" if gates else "")
    if version["is_champion"]:
        state, told = "champion", f"{told} is the champion."
    elif version["champion"] is None:
        state, told = "registered", f"{told} is registered; there is no champion."
    else:
        state, told = "registered", f"{told} is registered; the champion is version {version['champion']}."
    return {"state": state, "text": told, "version": name, "registered": version["created"], "made_by": version["run"]}


def _gates(record: Record) -> list[dict[str, Any]]:
    declared = record.run["config"].get("gates") or {}
    found = []
    for step in record.of_stage("gate"):
        for reason in step["body"].get("summary", {}).get("reasons", []):
            metric = (declared.get(reason["gate"]) or {}).get("metric", "")
            found.append({**reason, "metric": metric})
    return found


def _phases(ledger: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the phases that were measured, in a lifecycle's order, each with its rows."""
    rows: dict[str, int] = {}
    for score in ledger:
        rows[score["phase"]] = max(rows.get(score["phase"], 0), score["support"] or 0)
    return {phase: rows[phase] for phase in ("train", "valid", "test") if phase in rows}


def _metrics(ledger: Sequence[Mapping[str, Any]], scores: Sequence[Score], record: Record) -> list[dict[str, Any]]:
    """Return each measured value with its phases, in the order in which metrics are declared."""
    details: dict[str, Mapping[str, Any]] = {}
    for score in scores:
        if score.detail.get("currency") or score.detail.get("note"):
            details[score.metric] = {**details.get(score.metric, {}), **score.detail}
    order = dict.fromkeys([score.metric for score in scores] or [row["metric"] for row in ledger])
    uses = {label: body["use"] for step in record.of_stage("evaluate")
            for label, body in record.components(step["name"]).items()}  # fmt: skip
    found = []
    for name in order:
        phases = {
            row["phase"]: {key: row[key] for key in ("value", "low", "high", "std", "support")}
            for row in ledger if row["metric"] == name
        }  # fmt: skip
        label = name.partition(".")[0]
        use = uses.get(label, "")
        noted = all(one["value"] is None for one in phases.values())
        found.append({
            "metric": name, "label": label, "use": use, "says": first_line(record.offered("evaluate", use)),
            "currency": details.get(name, {}).get("currency", ""),
            "note": details.get(name, {}).get("note", "") if noted else "", "phases": phases,
        })  # fmt: skip
    return found


def _headline(metrics: Sequence[Mapping[str, Any]], gates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the values that stand at the top: what gates look at, then the first of each metric."""
    valued = [m["metric"] for m in metrics if any(one["value"] is not None for one in m["phases"].values())]
    judged = [gate["metric"] for gate in gates if gate["metric"] in valued]
    money = [m["metric"] for m in metrics if m["currency"] and m["metric"] in valued]
    firsts = {name.partition(".")[0]: name for name in reversed(valued)}
    rest = [name for name in valued if firsts[name.partition(".")[0]] == name]
    return list(dict.fromkeys([*judged, *(m for m in money if m in judged), *rest]))[:_HEADLINE]


def held_out(scores: Iterable[Score]) -> str:
    """Return the phase whose details are shown: test rows where there are any."""
    phases = {score.phase for score in scores}
    return next((phase for phase in ("test", "valid", "train") if phase in phases), "")


def operating_points(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Return each operating point with the values there and the table by threshold, of one phase and the last fold."""
    found = []
    phase = held_out(scores)
    shown = {score.metric: score for score in scores if score.phase == phase}
    for score in shown.values():
        point = score.detail.get("operating_point")
        if not point:
            continue
        label = score.metric.partition(".")[0]
        values = [
            {"metric": name, "name": name.partition(".")[2] or name, "value": one.value, "low": one.low,
             "high": one.high, "currency": one.detail.get("currency", "")}
            for name, one in shown.items()
            if name.partition(".")[0] == label and one.value is not None and not name.endswith(".threshold")
        ]  # fmt: skip
        found.append({
            "metric": label, "phase": phase, "fold": score.fold, "threshold": point.get("threshold"),
            "rule": point.get("rule"), "reason": point.get("reason", ""), "chosen_on": point.get("phase", ""),
            "values": values, "table": thinned(score.detail.get("table") or {}, chosen_row(score.detail)),
            "currency": score.detail.get("currency", ""),
        })  # fmt: skip
    # what is worth money comes first
    return sorted(found, key=lambda point: not any(value["currency"] for value in point["values"]))


def thinned(table: Mapping[str, Sequence[Any]], chosen: int | None) -> dict[str, Any] | None:
    """Return some rows of a table of columns: around the chosen row, wider and wider, and both ends.

    Returns:
        ``columns``, ``rows``, and the number of the ``chosen`` row; None where there is no table.
    """
    rows = len(next(iter(table.values()), ()))
    if not rows or any(len(column) != rows for column in table.values()):
        return None
    if chosen is None:
        kept = sorted({round(i * (rows - 1) / max(1, _EVEN - 1)) for i in range(_EVEN)})
    else:
        around = {0, rows - 1, chosen, *(chosen + sign * away for away in _AWAY for sign in (-1, 1))}
        kept = sorted(place for place in around if 0 <= place < rows)
    return {
        "columns": list(table), "rows": [[column[place] for column in table.values()] for place in kept],
        "chosen": kept.index(chosen) if chosen is not None else None, "of": rows,
    }  # fmt: skip


def chosen_row(detail: Mapping[str, Any]) -> int | None:
    """Return the row of a detail's table at its operating point; None where there is none."""
    thresholds = (detail.get("table") or {}).get("threshold", ())
    point = (detail.get("operating_point") or {}).get("threshold")
    if point is None or not thresholds:
        return None
    if isinstance(detail.get("chosen"), int) and 0 <= detail["chosen"] < len(thresholds):
        return int(detail["chosen"])
    steps = [(abs(value - point), place) for place, value in enumerate(thresholds) if value is not None]
    return min(steps)[1] if steps else None


def _importance(record: Record) -> dict[str, float]:
    trained = record.of_stage("train")
    found = trained[-1]["body"].get("logs", {}).get("importance") if trained else None
    if not isinstance(found, dict):
        return {}
    return {str(name): float(value) for name, value in found.items() if isinstance(value, (int, float))}


def _used(record: Record, environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the distributions that shaped the run's results, with their versions."""
    names = set(record.run["code"].get("components") or record.maker()["code"].get("components") or [])
    for step in record.steps:
        for body in record.components(step).values():
            names.update(body.get("libraries", {}))
    installed: dict[str, str] = environment.get("distributions", {})
    return {name: installed[name] for name in sorted(names) if name in installed}
