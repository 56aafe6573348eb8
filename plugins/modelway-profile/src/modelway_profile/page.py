"""Pages about profiles: one HTML file each, without anything from outside."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from modelway_profile.diff import FAR, MOVED, describe, diff
from modelway_profile.drawing import bars, line, number, pair, picture, share, size
from modelway_profile.profiler import summary_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from modelway import Profile


def page(profile: Profile, title: str = "Profile") -> str:
    """Return a page about a table: warnings first, then a card for each column."""
    from modelway_profile.numeric import NumberColumn

    facts = describe(profile)
    columns = summary_of(profile).columns
    drawn: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, NumberColumn):
            drawn[name] = _drawn(name, column, facts["columns"][name]["type"])
    return _render(
        "profile.html.j2", title=title, facts=facts, drawn=drawn, volume=_volume(facts["table"]["volume"]), merit=merit
    )


def diff_page(
    a: Profile, b: Profile, title: str = "Profiles compared", months: Mapping[str, Profile] | None = None
) -> str:
    """Return a page about what differs between two profiles, worst first; ``months`` adds each month's PSI."""
    found = diff(a, b, months)
    x, y = summary_of(a).columns, summary_of(b).columns
    drawn = {name: _compared(name, x[name], y[name], found["columns"][name]) for name in found["order"]}
    series = {}
    for name in found["order"]:
        by_month = found["columns"][name].get("by_month")
        if by_month:
            series[name] = line(list(by_month.values()), list(by_month), f"PSI of {name} by month", (MOVED, FAR))
    return _render("diff.html.j2", title=title, found=found, drawn=drawn, series=series, moved=MOVED, far=FAR)


def merit(related: Mapping[str, Any] | None) -> float | None:
    """Return how much a column tells of the target on one scale, 0 to 1: of an AUC, the distance from a guess."""
    if not related:
        return None
    if related.get("auc") is not None:
        return float(2 * related["auc"] - 1)
    found = [related.get("explained"), (related.get("pearson") or 0.0) ** 2]
    return max((float(value) for value in found if value is not None), default=None)


def _drawn(name: str, column: Any, kind: str) -> dict[str, Any] | None:
    from modelway_profile.facts import moment

    made = picture(column)
    if made is None:
        return None
    shown = moment if kind in ("timestamp", "date") else lambda value: number(value + 0.0)
    edges = [shown(edge) for edge in made["edges"]]
    each = made.get("each", False)
    labels = edges[:-1] if each else [f"{a} to {b}" for a, b in pairwise(edges)]
    ends = [edges[0], edges[-1]] if made["cut"] else [shown(float(column.low)), shown(float(column.high))]
    return {"svg": bars(made["rows"], labels, f"Histogram of {name}"), "ends": ends, "cut": made["cut"]}


def _volume(volume: Mapping[str, Any]) -> Markup | None:
    series = volume.get("series") or []
    if len(series) < 2:
        return None
    return bars([rows for _, rows in series], [label for label, _ in series], f"Rows by {volume['unit']}", "bars wide")


def _compared(name: str, a: Any, b: Any, found: Mapping[str, Any]) -> dict[str, Any] | None:
    from modelway_profile.distance import by_value, cuts, in_bins, names_of
    from modelway_profile.facts import moment
    from modelway_profile.numeric import NumberColumn

    if type(a) is not type(b) or not (a.held and b.held):
        return None
    if isinstance(a, NumberColumn) and found["type"][0] not in ("category", "boolean"):
        edges = cuts(a)
        x, y = (in_bins(side, edges) / side.held for side in (a, b))
        shown = moment if found["type"][0] in ("timestamp", "date") else number
        labels = names_of(edges, shown)
        ends = [labels[0], labels[-1]]
    else:
        shared = by_value(a, b)
        if shared is None:
            return None
        texts, x, y = shared
        order = sorted(range(len(texts)), key=lambda i: (-max(x[i], y[i]), texts[i]))[:12]
        labels = [texts[i] or "(empty)" for i in order]
        x, y = (side[order] / whole for side, whole in ((x, a.held), (y, b.held)))
        ends = [labels[0], labels[-1]]
    return {"svg": pair(x.tolist(), y.tolist(), labels, f"Shares of {name} in both"), "ends": ends}


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("modelway_profile"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, share=share, size=size)
    return environment.get_template(template).render(**values)
