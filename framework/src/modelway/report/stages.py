"""What each step of a run did, in words, from its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modelway.component import Component
from modelway.engine.findings import counted
from modelway.report.record import Record
from modelway.report.words import brief, count, joined, number, plain, size

Row = dict[str, Any]
Told = tuple[str, list[dict[str, Any]]]

TITLES = {
    "acquire": "Read the source", "prepare": "Prepare the table", "validate": "Check the data",
    "profile": "Profile the table", "split": "Split the rows", "features": "Fit features", "train": "Train the model",
    "predict": "Score the held-out rows", "evaluate": "Measure", "champion": "Measure the champion again",
    "gate": "Judge", "scoring": "Make the scoring form", "package": "Package",
}  # fmt: skip
_PHASES = ("train", "valid", "test")
#: Settings of a component that are shown.
_FEW = 12


def explained(record: Record) -> list[dict[str, Any]]:
    """Return each step, in order: title, what it did, tables that say more, components and cost, as plain JSON."""
    return [_step(record, row) for row in record.steps.values()]


def _step(record: Record, row: Row) -> dict[str, Any]:
    manifest = record.manifest(row["name"])
    facts: Mapping[str, Any] = manifest.facts if manifest else {}
    # what a check found, and a training run's facts, are on record even where the output is not
    body = {"summary": {}, "logs": {}, **row["body"]}
    told: Callable[[Row, Mapping[str, Any]], Told] = _TOLD.get(row["stage"], _nothing)
    did, tables = told(row, body) if row["digest"] else (body.get("error") or row["reason"] or row["status"], [])
    found = row["status"] == "cached"
    cost = facts.get("cost", {}) if found else row
    return {
        "name": row["name"], "stage": row["stage"], "status": row["status"],
        "title": TITLES.get(row["stage"], row["stage"]), "did": did, "tables": tables,
        "components": _components(record, row), "digest": row["digest"], "reason": row["reason"],
        "computed_by": facts.get("run", "") if found else record.run["id"],
        "cost": {key: cost.get(key, 0) for key in ("wall", "cpu", "peak")}, "bytes": row["bytes"],
    }  # fmt: skip


def _components(record: Record, row: Row) -> list[dict[str, Any]]:
    if row["stage"] == "champion":  # the same metrics again
        return []
    shown = []
    for label, body in record.components(row["name"]).items():
        offered = record.offered(row["stage"], body["use"])
        params = body.get("params", {})
        changed = _changed(offered, params) if offered else params
        settings = [f"{key} {brief(value)}" for key, value in list(changed.items())[:_FEW]]
        more = len(changed) - _FEW
        shown.append({
            "label": label, "use": body["use"], "says": first_line(offered),
            "settings": "; ".join(settings) + (f"; and {more} more" if more > 0 else ""),
        })  # fmt: skip
    return shown


def first_line(component: type[Component] | None) -> str:
    """Return the sentence by which a component introduces itself."""
    first = (component.__doc__ or "").strip().partition("\n\n")[0] if component else ""
    return " ".join(first.replace("``", "").split())


def _changed(component: type[Component], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that differ from their defaults."""
    import dataclasses

    from modelway.component import plain as as_json

    defaults: dict[str, Any] = {}
    for field in dataclasses.fields(component):  # type: ignore[arg-type]  # each component is one
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = as_json(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = as_json(field.default_factory())
    return {name: value for name, value in params.items() if name not in defaults or defaults[name] != value}


def _nothing(row: Row, body: Mapping[str, Any]) -> Told:
    return "", []


def _acquire(row: Row, body: Mapping[str, Any]) -> Told:
    found = body["summary"]
    parts = f", in {count(found['parts'], 'part')}" if found.get("parts", 1) > 1 else ""
    did = f"{count(found['rows'], 'row')} of {count(found['columns'], 'column')}{parts}, {size(row['bytes'])}."
    about = [f"{plain(key)}: {brief(value)}" for key, value in found.get("about", {}).items()]
    return " ".join([did, *(f"{one[0].upper()}{one[1:]}." for one in about)]), _rows(body["logs"])


def _prepare(row: Row, body: Mapping[str, Any]) -> Told:
    found, tables = body["summary"], _rows(body["logs"])
    did = f"{count(found['rows'], 'row')} of {count(found['columns'], 'column')} came out"
    entered = next((log["in"] for name, log in body["logs"].items() if _account(name, log)), None)
    if entered is not None:
        did = f"{count(entered, 'row')} went in, {did}"
    return f"{did}.", tables


def _account(name: str, log: Any) -> bool:
    return name.partition(".")[0] == "rows" and isinstance(log, dict) and {"in", "out"} <= set(log)


def _rows(logs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each declared step of a preparation did to the rows."""
    lines = []
    for name, log in logs.items():
        if not _account(name, log):
            continue
        why = [f"{number(rows)} dropped: {rule}" for rule, rows in (log.get("dropped") or {}).items()]
        why += [f"{number(rows)} added: {rule}" for rule, rows in (log.get("added") or {}).items()]
        why += [f"{count(values, 'value')} of {column}" for column, values in (log.get("values") or {}).items()]
        gone = sum(rows for rows in (log.get("dropped") or {}).values() if isinstance(rows, int))
        lines.append([name.partition(".")[2], log["in"], gone, log["out"], "; ".join(why)])
    if not lines:
        return []
    return [{"title": "Rows", "columns": ["step", "in", "dropped", "out", "by rule"], "rows": lines}]


def _validate(row: Row, body: Mapping[str, Any]) -> Told:
    found = body["summary"]
    items = found["items"]
    rows = count(found["rows"], "row")
    if not items:
        return f"{count(found['rules'], 'rule')} held for all of {rows}.", []
    stops = sum(item["severity"] == "stop" for item in items)
    told = f"{stops} of them stop a run" if stops else "none of them stops a run"
    lines = [
        [item["severity"], item["column"] or "table", item["text"] or item["rule"], counted(item),
         brief(item["samples"][:3], 60)]
        for item in items
    ]  # fmt: skip
    did = f"{count(len(items), 'finding')} among {count(found['rules'], 'rule')} over {rows}; {told}."
    columns = ["severity", "column", "rule", "broken by", "such as"]
    return did, [{"title": "Findings", "columns": columns, "rows": lines}]


def _profile(row: Row, body: Mapping[str, Any]) -> Told:
    return f"Every column summarised in one pass, {size(row['bytes'])}.", []


def _split(row: Row, body: Mapping[str, Any]) -> Told:
    folds = body["summary"]["folds"]
    columns = ["fold", *_PHASES]
    lines = [[name, *(rows.get(phase, 0) for phase in _PHASES)] for name, rows in folds.items()]
    more = "".join(f" {plain(name).capitalize()}: {brief(value)}." for name, value in body["logs"].items())
    if len(folds) == 1:
        rows = next(iter(folds.values()))
        parts = [f"{number(rows[phase])} {phase}" for phase in _PHASES if rows.get(phase)]
        return f"{joined(parts)} rows.{more}", []
    return f"{count(len(folds), 'fold')}.{more}", [{"title": "Folds", "columns": columns, "rows": lines}]


def _features(row: Row, body: Mapping[str, Any]) -> Told:
    return _logged("Fitted on the training rows.", body) if row["bytes"] > _EMPTY else (
        "None is declared: columns reach the model as they are.", []
    )  # fmt: skip


#: Bytes of an empty list of features.
_EMPTY = 2


def _train(row: Row, body: Mapping[str, Any]) -> Told:
    return _logged("", body)


def _logged(did: str, body: Mapping[str, Any]) -> Told:
    values = [
        f"{plain(name)} {number(value)}" for name, value in body["logs"].items() if isinstance(value, (int, float, str))
    ]
    told = joined(values)
    return " ".join(filter(None, [did, f"{told[:1].upper()}{told[1:]}." if told else ""])), []


def _predict(row: Row, body: Mapping[str, Any]) -> Told:
    return f"{count(body['summary']['rows'], 'row')} scored once, for every metric.", []


def _evaluate(row: Row, body: Mapping[str, Any]) -> Told:
    measured = body["summary"]["measured"]
    phases = joined(list(dict.fromkeys(m["phase"] for m in measured)))
    return f"{count(len({m['metric'] for m in measured}), 'value')} measured on the {phases} rows.", []


def _champion(row: Row, body: Mapping[str, Any]) -> Told:
    return "The champion's model, on the same rows, for the gates that compare.", []


def _gate(row: Row, body: Mapping[str, Any]) -> Told:
    reasons = body["summary"]["reasons"]
    return f"{sum(reason['passed'] for reason in reasons)} of {count(len(reasons), 'gate')} passed.", []


def _scoring(row: Row, body: Mapping[str, Any]) -> Told:
    return "Model, transforms, what prepares a row, and rows of known scores, in one artifact.", []


def _package(row: Row, body: Mapping[str, Any]) -> Told:
    about = body["summary"].get("about", {})
    name = f"{about['name']}, " if about.get("name") else ""
    return _logged(f"{name}{size(row['bytes'])}.", body)


_TOLD: dict[str, Callable[[Row, Mapping[str, Any]], Told]] = {
    "acquire": _acquire, "prepare": _prepare, "validate": _validate, "profile": _profile, "split": _split,
    "features": _features, "train": _train, "predict": _predict, "evaluate": _evaluate, "champion": _champion,
    "gate": _gate, "scoring": _scoring, "package": _package,
}  # fmt: skip
