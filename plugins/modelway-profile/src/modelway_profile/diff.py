"""What differs between two profiles of a table, in plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from modelway import ConfigError, nearest, take
from modelway_profile.profiler import TableProfile, summary_of

if TYPE_CHECKING:
    from modelway import Columns, Profile
    from modelway_profile.numeric import NumberColumn
    from modelway_profile.summary import Summary
    from modelway_profile.texts import TextColumn

#: PSI from which a column has moved, and from which it has moved far: the usual bounds of credit scoring.
MOVED, FAR = 0.1, 0.25
# New and vanished categories that are named
_NAMED = 20


def describe(profile: Profile) -> dict[str, Any]:
    """Return what a profile says, in plain JSON, without the state that only merging needs."""
    body = {key: value for key, value in profile.body.items() if key not in ("state", "profiler")}
    found = [*body["table"]["warnings"], *(w for column in body["columns"].values() for w in column["warnings"])]
    body["warnings"] = sorted(found, key=lambda warning: warning["severity"] != "stop")
    return body


def diff(a: Profile, b: Profile, months: Mapping[str, Profile] | None = None) -> dict[str, Any]:
    """Return what differs in ``b`` from ``a``.

    Args:
        a: The reference.
        b: The profile to compare.
        months: Profiles by month, as ``by_month`` makes them: adds each column's PSI against ``a`` by month.

    Returns:
        ``rows`` of both, ``added`` and ``removed`` columns, and ``columns``: for each that both have, type, missing
        share and mean of both, PSI over the deciles of ``a``, KS or chi-squared, JS, ``new`` and ``vanished``
        categories, a ``verdict`` (``same``, ``moved``, ``far``; ``passing`` for times and identifiers) and why.
        ``order`` names the columns, worst first.
    """
    x, y = summary_of(a), summary_of(b)
    columns = {
        name: _of_column(x.columns[name], y.columns[name], a.body["columns"][name], b.body["columns"][name])
        for name in x.columns
        if name in y.columns
    }
    made: dict[str, Any] = {
        "rows": [x.rows, y.rows],
        "span": [_span(profile) for profile in (a, b)],
        "added": [name for name in y.columns if name not in x.columns],
        "removed": [name for name in x.columns if name not in y.columns],
        "columns": columns,
    }
    rank = {"far": 0, "moved": 1, "same": 2, "passing": 3}
    made["order"] = sorted(columns, key=lambda name: (rank[columns[name]["verdict"]], -(columns[name].get("psi") or 0)))
    if months:
        made["months"] = list(months)
        for name, found in over_time(a, months).items():
            if name in columns:
                columns[name]["by_month"] = found
    return made


def _span(profile: Profile) -> list[str] | None:
    volume = profile.body["table"]["volume"]
    return [volume["first"], volume["last"]] if volume else None


def _of_column(
    a: NumberColumn | TextColumn, b: NumberColumn | TextColumn, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    from modelway_profile.distance import apart, by_value, is_category

    categories = is_category(before)
    made: dict[str, Any] = {
        "type": [before["type"], after["type"]],
        "missing": [side["missing"] / side["rows"] if side["rows"] else 0.0 for side in (before, after)],
        "distinct": [before["distinct"], after["distinct"]],
    }
    for key in ("mean", "std", "min", "max"):
        if key in before and key in after:
            made[key] = [before[key], after[key]]
    if type(a) is type(b):
        made.update(apart(a, b, categories=categories))
    named = {warning["kind"] for side in (before, after) for warning in side["warnings"]}
    passing = before["type"] in ("timestamp", "date") or before["role"] in ("id", "time") or "identifier" in named
    why, far = [], False
    if not _fits(before["type"], after["type"]):
        why.append(f"the type was {before['type']} and is {after['type']}")
        far = True
    change = made["missing"][1] - made["missing"][0]
    if abs(change) >= 0.01:
        why.append(f"missing {made['missing'][0]:.1%}, now {made['missing'][1]:.1%}")
        far = far or abs(change) >= 0.2
    shared = by_value(a, b) if categories and not passing and type(a) is type(b) else None
    if shared is not None:
        names, x, y = shared
        new = [(name, int(y[i])) for i, name in enumerate(names) if not x[i]]
        gone = [(name, int(x[i])) for i, name in enumerate(names) if not y[i]]
        for key, found, word in (("new", new, "new"), ("vanished", gone, "vanished")):
            found.sort(key=lambda pair: (-pair[1], pair[0]))
            made[key] = {"count": len(found), "values": [{"value": n, "rows": r} for n, r in found[:_NAMED]]}
            if found:
                some = ", ".join(name or "''" for name, _ in found[:3])
                why.append(f"{len(found)} {word} value{'s' * (len(found) > 1)} ({some}{', ...' * (len(found) > 3)})")
    index = 0.0 if passing else made.get("psi", 0.0)
    if index >= MOVED:
        why.append(f"PSI {index:.3f}")
    far = far or index >= FAR
    if passing and not why:
        return {**made, "verdict": "passing", "why": ["times and identifiers always differ"]}
    return {**made, "verdict": "far" if far else "moved" if why else "same", "why": why}


def _fits(before: str, after: str) -> bool:
    # a part whose whole numbers all happen to be whole, or all missing, has not changed its type
    return before == after or {before, after} <= {"integer", "number"} or "empty" in (before, after)


def by_month(profiler: TableProfile, batches: Iterable[Columns], time: str) -> dict[str, Profile]:
    """Return a profile of each month's rows, in order of time, from one pass over batches.

    Args:
        profiler: The profiler, bound where there is a schema.
        batches: The rows, as ``Table.batches()`` yields them.
        time: The timestamp column; rows without a time are left out.

    Raises:
        ConfigError: the table has no such column, or it is not a time.
    """
    import numpy as np

    found: dict[str, Summary] = {}
    for columns in batches:
        if time not in columns:
            raise ConfigError(f"The table has no column '{time}'", mend=nearest(time, columns))
        when = columns[time]
        if not isinstance(when, np.ndarray) or when.dtype.kind != "M":
            raise ConfigError(f"The column '{time}' is not a time", mend="Name a timestamp or date column")
        months = when.astype("M8[M]")
        for month in np.unique(months[~np.isnat(months)]):
            made = profiler.summarise(take(columns, months == month))
            label = str(month)
            found[label] = profiler.merge(found[label], made) if label in found else made
    return {label: profiler.finish(found[label]) for label in sorted(found)}


def over_time(reference: Profile, profiles: Mapping[str, Profile]) -> dict[str, dict[str, float | None]]:
    """Return each column's PSI against a reference by label (month, day, window), None where it cannot be told."""
    from modelway_profile.distance import apart, is_category

    base = summary_of(reference)
    made: dict[str, dict[str, float | None]] = {name: {} for name in base.columns}
    for label, profile in profiles.items():
        columns = summary_of(profile).columns
        for name, column in base.columns.items():
            other, found = columns.get(name), None
            if other is not None and type(other) is type(column):
                found = apart(column, other, categories=is_category(reference.body["columns"][name])).get("psi")
            made[name][label] = found
    return made
