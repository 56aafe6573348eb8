"""What a summary says, in plain JSON: the facts that pages, diffs and monitors read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from modelway_profile.distinct import ERROR
from modelway_profile.moments import finite
from modelway_profile.numeric import NumberColumn
from modelway_profile.quantiles import quantiles
from modelway_profile.relation import Aim, rate, relation

if TYPE_CHECKING:
    from modelway_profile.texts import TextColumn

#: Shares at which quantiles are told.
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
#: Bars of a histogram, at most.
BARS = 64
#: Frequent values that are told.
TOP = 10
_START = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: float) -> str:
    """Return ISO text of a time, without the time of day at midnight."""
    when = (_START + timedelta(microseconds=round(microseconds))).replace(tzinfo=None)
    return when.isoformat(sep=" ", timespec="seconds").removesuffix(" 00:00:00")


def kind_of(column: NumberColumn | TextColumn, declared: str = "") -> str:
    """Return a column's type: the declared one, else what its values look like."""
    if declared:
        return declared
    if not isinstance(column, NumberColumn):
        return "string"
    if "M" in column.kinds:
        return "timestamp"
    if "b" in column.kinds and column.whole and (column.high in (None, 0, 1)) and (column.low in (None, 0, 1)):
        return "boolean"
    if not column.rows or column.missing == column.rows:
        return "empty"
    # whole numbers with missing values arrive as floats
    integers = set(column.kinds) & {"i", "u"} or column.missing
    return "integer" if column.whole and integers else "number"


def facts(column: NumberColumn | TextColumn, kind: str, role: str, aim: Aim) -> dict[str, Any]:
    """Return what a column holds, in plain JSON; times are ISO text."""
    made: dict[str, Any] = {
        "type": kind,
        "role": role,
        "rows": column.rows,
        "missing": column.missing,
        "distinct": min(column.distinct.count(), column.rows - column.missing),
        "distinct_error": 0.0 if column.distinct.exact else ERROR,
    }
    made.update(_of_numbers(column, kind, aim) if isinstance(column, NumberColumn) else _of_texts(column, aim))
    related = relation(column, aim)
    if related:
        made["target"] = related
    return made


def _of_numbers(column: NumberColumn, kind: str, aim: Aim) -> dict[str, Any]:
    time = "M" in column.kinds

    def shown(value: Any) -> Any:
        if value is None or time:
            return None if value is None else moment(value)
        return int(value) if kind != "number" and float(value).is_integer() else float(value)

    made: dict[str, Any] = {"min": shown(column.low), "max": shown(column.high)}
    if not column.held:
        return made
    values, counts = column.weighed()
    assert column.low is not None
    assert column.high is not None
    found = quantiles(values, counts, float(column.low), float(column.high), SHARES)
    made["quantiles"] = {f"{share:g}": shown(value) for share, value in zip(SHARES, found, strict=True)}
    made["rank_error"] = 0.0 if column.sketch is None else column.sketch.error / column.held
    if not time:
        made["mean"] = finite(column.moments.mean)
        made["std"] = finite((column.moments.squares / (column.held - 1)) ** 0.5) if column.held > 1 else None
        made |= {"zeros": column.zeros, "negatives": column.negatives, "infinite": column.infinite}
    made["histogram"] = histogram(column)
    tally = column.tally
    order = sorted(range(len(tally.values)), key=lambda i: (-int(tally.counts[i]), float(tally.values[i])))
    made["top"] = [
        {"value": shown(tally.values[i].item()), "rows": int(tally.counts[i])} for i in order[:TOP] if _often(column, i)
    ]
    made["top_error"] = tally.error
    return made


def _often(column: NumberColumn, i: int) -> bool:
    return not column.tally.error or int(column.tally.counts[i]) > column.tally.error


def histogram(column: NumberColumn, bars: int = BARS) -> dict[str, Any]:
    """Return rows in bins of equal width, exact: ``edges`` has one number more than ``rows``."""
    grid = column.even
    while grid.step is not None and grid.bins[-1] - grid.bins[0] >= bars:
        grid = grid.coarse(grid.step + 1)
    if grid.step is None:
        return {"edges": [], "rows": []}
    first, last = int(grid.bins[0]), int(grid.bins[-1])
    rows = [0] * (last - first + 1)
    for place, count in zip(grid.bins.tolist(), grid.table[:, 0].tolist(), strict=True):
        rows[place - first] = int(count)
    return {"edges": grid.edges().tolist(), "rows": rows}


def _of_texts(column: TextColumn, aim: Aim) -> dict[str, Any]:
    counts = column.table[:, 0].tolist()
    order = sorted(range(len(counts)), key=lambda i: (-counts[i], column.names[i]))
    top = []
    for i in order[:TOP]:
        if column.error and counts[i] <= column.error:
            break
        entry = {"value": column.names[i], "rows": int(counts[i])}
        mean = rate(column.table, column.labels, aim, i)
        top.append(entry if mean is None else {**entry, "target": mean})
    made: dict[str, Any] = {"top": top, "top_error": column.error, "blank": column.blank}
    if column.held:
        mean_length = column.letters / column.held
        made["length"] = {"min": column.shortest, "mean": mean_length, "max": column.longest}
    return made


def counted(column: NumberColumn | TextColumn) -> dict[str, int] | None:
    """Return how often each value occurs, by its text; None where only the frequent ones are known."""
    if not isinstance(column, NumberColumn):
        return None if column.error else dict(zip(column.names, map(int, column.table[:, 0].tolist()), strict=True))
    if column.tally.error:
        return None
    pairs = zip(column.tally.values.tolist(), column.tally.counts.tolist(), strict=True)
    return {f"{value:.17g}": count for value, count in pairs}


def volume(column: NumberColumn) -> dict[str, Any]:
    """Return rows by day (by month beyond 400 days), the days without rows between the first and the last, and both."""
    if not len(column.days):
        return {}
    days, rows = column.days.tolist(), column.per_day.tolist()
    gaps = [{"from": _day(a + 1), "to": _day(b - 1), "days": b - a - 1} for a, b in pairwise(days) if b - a > 1]
    ordered = sorted(rows)
    made: dict[str, Any] = {
        "first": moment(column.low or 0),
        "last": moment(column.high or 0),
        "days": len(days),
        "gaps": sum(gap["days"] for gap in gaps),
        "longest_gaps": sorted(gaps, key=lambda gap: (-gap["days"], gap["from"]))[:TOP],
        "rows_a_day": {"min": ordered[0], "median": ordered[len(ordered) // 2], "max": ordered[-1]},
    }
    if days[-1] - days[0] < 400:
        present = dict(zip(days, rows, strict=True))
        series = [[_day(day), present.get(day, 0)] for day in range(days[0], days[-1] + 1)]
        return {**made, "unit": "day", "series": series}
    months: dict[str, int] = {}
    for day, count in zip(days, rows, strict=True):
        months[_day(day)[:7]] = months.get(_day(day)[:7], 0) + count
    return {**made, "unit": "month", "series": [list(pair) for pair in months.items()]}


def _day(number: int) -> str:
    return (_START + timedelta(days=number)).date().isoformat()
