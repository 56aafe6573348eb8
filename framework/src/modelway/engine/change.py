"""Why two runs differ: which declared or observed difference between them reached the metric, and where it began.

Everything that may shape a step's output is in its record. So the first steps in lifecycle order whose records differ
beyond their inputs are where the change began; what follows from it further down is no cause of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelway.errors import ConfigError, nearest
from modelway.fingerprint import differences
from modelway.ledger import Ledger, Row
from modelway.plan import identity
from modelway.plan.steps import Step
from modelway.stages import STAGES
from modelway.store import Manifest, Store
from modelway.values import Category, Table, missing

#: Kinds of causes, in the order in which they are told.
CAUSES = ("data", "config", "code", "environment", "chance")


@dataclass(frozen=True)
class Cause:
    """One difference between two runs.

    Attributes:
        kind: One of ``CAUSES``.
        step: Where it enters.
        what: The key, file, library or column, with both values.
        reached: Whether the step's output came out different; a difference that changed nothing moved nothing.
        columns: For data: the columns that moved, most moved first.
    """

    kind: str
    step: str
    what: str
    reached: bool
    columns: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)


@dataclass(frozen=True)
class Change:
    """What two runs differ in, and what moved a metric between them.

    Attributes:
        before, after: The metric in each run: value, and interval where one was measured.
        causes: In lifecycle order.
        beside: Libraries of other versions that no step declares to depend on.
    """

    metric: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    causes: tuple[Cause, ...]
    beside: tuple[str, ...] = field(default=())

    @property
    def moved(self) -> bool:
        """Whether the metric differs at all."""
        return bool(self.before["value"] != self.after["value"])

    @property
    def verdict(self) -> str:
        """The kind of what moved the metric; several joined by ``and``; ``nothing`` where it did not move."""
        if not self.moved:
            return "nothing"
        kinds = dict.fromkeys(cause.kind for cause in self.causes if cause.reached)
        return " and ".join(kind for kind in CAUSES if kind in kinds) or "chance"

    @property
    def within(self) -> bool:
        """Whether each value lies in the other's interval, so that chance in the rows could explain as much."""
        a, b = self.before, self.after
        if a.get("low") is None or b.get("low") is None:
            return False
        return bool(a["low"] <= b["value"] <= a["high"] and b["low"] <= a["value"] <= b["high"])


def explain(ledger: Ledger, store: Store, before: str, after: str, metric: str = "") -> Change:
    """Explain the change of a metric from one run to another.

    Args:
        ledger, store: Where the runs are.
        before, after: Their ids.
        metric: ``PHASE.METRIC``; by default the first one measured on test rows, or else at all.

    Raises:
        ConfigError: a run that did not get as far as its metrics, or a metric that was not measured in both.
    """
    a, b = ledger.run(before), ledger.run(after)
    measured = [_measured(ledger, run["id"]) for run in (a, b)]
    both = [name for name in measured[0] if name in measured[1]]
    metric = metric or next((name for name in both if name.startswith("test.")), next(iter(both), ""))
    if metric not in both:
        raise ConfigError(
            f"'{metric}' was not measured in both runs" if metric else "The runs have no metric in common",
            mend=nearest(metric, both),
        )
    causes = tuple(dict.fromkeys(_causes(ledger, store, a["id"], b, metric.split(".")[1])))
    beside = tuple(_beside(store, a["environment"], b["environment"], causes))
    return Change(metric, measured[0][metric], measured[1][metric], causes, beside)


def _measured(ledger: Ledger, run: str) -> dict[str, Any]:
    rows = ledger.scores([run])
    return {f"{row['phase']}.{row['metric']}": row for row in rows if row["value"] is not None}


def _causes(ledger: Ledger, store: Store, a: str, b: Row, metric: str) -> Iterator[Cause]:
    old = {step["name"]: step for step in ledger.steps(a)}
    for step in ledger.steps(b["id"]):
        name, stage = step["name"], step["stage"]
        if stage in ("gate", "champion", "scoring", "package", "validate", "profile"):
            continue  # they come after the metric, or stand beside its way
        then = store.lookup(old[name]["fingerprint"]) if name in old else None
        now = store.lookup(step["fingerprint"])
        if name not in old:
            yield Cause("config", name, "step added", True)
        elif then is None or now is None:
            if old[name]["digest"] != step["digest"]:
                yield Cause("chance", name, "its record is not in the store any more, so the reason is lost", True)
        else:
            only = metric if stage == "evaluate" else ""
            yield from _step_causes(store, Step(name, stage), then, now, b["config"], only)
    for name in old.keys() - {step["name"] for step in ledger.steps(b["id"])}:
        yield Cause("config", name, "step removed", True)


def _step_causes(
    store: Store, step: Step, then: Manifest, now: Manifest, config: Mapping[str, Any], only: str
) -> Iterator[Cause]:
    reached = then.digest != now.digest
    if step.stage == "acquire":  # its rows count, not the files that they came in
        reached = identity(step, then) != identity(step, now)
    found = [Cause(kind, step.name, what, reached) for kind, what in _differences(step, then, now, config, only)]
    yield from found
    if step.stage == "acquire" and reached and not any(cause.kind == "config" for cause in found):
        yield Cause("data", step.name, _rows(then, now), True, tuple(moved(_table(store, then), _table(store, now))))
    elif reached and not found and then.facts["ingredients"]["inputs"] == now.facts["ingredients"]["inputs"]:
        yield Cause("chance", step.name, "equal inputs, configuration and code gave another output", True)


def _differences(
    step: Step, then: Manifest, now: Manifest, config: Mapping[str, Any], only: str
) -> Iterator[tuple[str, str]]:
    """Yield the kind and the words of each difference between two records of a step, but for inputs and data."""
    a, b = ({k: v for k, v in m.facts["ingredients"].items() if k not in ("inputs", "data")} for m in (then, now))
    key = STAGES[step.stage][2] if step.stage in STAGES else step.stage
    for path, old, new in differences(a, b):
        parts = path.split(".")
        if parts[0] not in ("components", "prepare"):
            own = parts[0] == "own"
            shown = ".".join(parts[1:]) if own else f"modelway {parts[0]}"
            yield "config" if own else "environment", f"{shown} {_short(old)} -> {_short(new)}"
            continue
        if only and parts[1:] and parts[1] != only:
            continue  # another metric's own affair
        where = key if "use" in config.get(key, {}) else f"{key}.{parts[1]}"
        what, rest = parts[2] if len(parts) > 2 else "", ".".join(parts[3:])
        if what == "code":
            yield "code", rest
        elif what == "libraries":
            yield "environment", f"{rest} {old} -> {new}"
        elif what == "seed":
            yield "chance", f"seed {old} -> {new}"
        elif what == "":
            yield "config", f"{where} {'added' if old is None else 'removed'}"
        else:
            yield "config", f"{where}.{rest or what} {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = "unset" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _rows(then: Manifest, now: Manifest) -> str:
    a, b = (m.facts["summary"].get("rows") for m in (then, now))
    return f"{a} -> {b} rows" if a != b else f"{a} rows, other values"


def _table(store: Store, manifest: Manifest) -> Table:
    return Table.load(store.reading(manifest))


def moved(a: Table, b: Table) -> list[dict[str, Any]]:
    """Return the columns in which two tables differ, most moved first.

    The distance is Kolmogorov and Smirnov's for numbers, the total variation between shares for categories, and the
    difference of the shares of missing values where that is larger: each between 0 and 1. Columns of rows that only
    stand elsewhere have the distance 0.
    """
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys((*a.names, *b.names)):
        if name not in a.names or name not in b.names:
            found.append({"column": name, "distance": 1.0, "text": "added" if name in b.names else "removed"})
            continue
        old, new = a.read([name])[name], b.read([name])[name]
        distance, text = _distance(old, new)
        if distance > 0:
            found.append({"column": name, "distance": distance, "text": text})
    return sorted(found, key=lambda row: (-row["distance"], row["column"]))


def _distance(a: Any, b: Any) -> tuple[float, str]:
    import numpy as np

    gone = [float(np.mean(missing(column))) if len(column) else 0.0 for column in (a, b)]
    lost = abs(gone[0] - gone[1])
    if isinstance(a, Category) != isinstance(b, Category):
        return 1.0, "another type"
    if isinstance(a, Category):
        shares = [{k: v / max(1, len(c)) for k, v in c.counts().items()} for c in (a, b)]
        keys = {*shares[0], *shares[1]}
        gaps = {key: shares[1].get(key, 0.0) - shares[0].get(key, 0.0) for key in keys if key is not None}
        most = max(gaps, key=lambda key: (abs(gaps[key]), str(key)), default=None)
        distance = sum(map(abs, gaps.values())) / 2
        text = "" if most is None else f"share of {most!r} {shares[0].get(most, 0):.3g} -> {shares[1].get(most, 0):.3g}"
    else:
        x, y = (np.sort(np.asarray(c)[~missing(c)].astype("f8", copy=False)) for c in (a, b))
        if not len(x) or not len(y):
            return max(lost, float(len(x) != len(y))), f"missing {gone[0]:.3g} -> {gone[1]:.3g}"
        every = np.concatenate((x, y))
        steps = [np.searchsorted(v, every, "right") / len(v) for v in (x, y)]
        distance = float(np.abs(steps[0] - steps[1]).max())
        text = f"mean {x.mean():.5g} -> {y.mean():.5g}"
    return (distance, text) if distance >= lost else (lost, f"missing {gone[0]:.3g} -> {gone[1]:.3g}")


def _beside(store: Store, a: str, b: str, causes: tuple[Cause, ...]) -> Iterator[str]:
    if a == b:
        return
    bodies = [json.loads(store.open(digest).read_bytes()) for digest in (a, b)]
    told = " ".join(cause.what for cause in causes if cause.kind == "environment")
    for key in ("python", "platform"):
        if bodies[0][key] != bodies[1][key]:
            yield f"{key} {bodies[0][key]} -> {bodies[1][key]}"
    for name, old, new in differences(bodies[0]["distributions"], bodies[1]["distributions"]):
        if name not in told:
            yield f"{name} {old or 'absent'} -> {new or 'absent'}"
