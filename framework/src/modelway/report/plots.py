"""Which plots a report has: what the scores' details declare, the threshold's table, and what features add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelway.report.facts import chosen_row, held_out
from modelway.report.words import joined, plain
from modelway.values import Score

#: Curves that one plot has room for, groups, and classes of a matrix whose cells are numbered.
CURVES, GROUPS, CLASSES = 12, 20, 60
#: Times the operating point's place across that its plot reaches.
REACH = 4.0


@dataclass(frozen=True)
class Series:
    """Values up, against values across; both of one length, without missing ones."""

    name: str
    x: Sequence[Any]
    y: Sequence[float]


@dataclass(frozen=True)
class Drawing:
    """A plot, before it is drawn.

    Attributes:
        name: Of its file, without ending.
        kind: ``line``, ``points``, ``bars``, ``matrix``, ``groups``, ``importance`` or ``swarm``.
        metric: Metric that it belongs to; empty for features.
        caption: What is seen, as a sentence.
        x, y: What is across, and what is up.
        series: The values; of a curve by fold or class all alike.
        alike: Whether the series are the same thing several times over.
        reference: ``diagonal``, or a height, or None.
        mark: Where the operating point is, across.
        data: What else the kind needs.
    """

    name: str
    kind: str
    metric: str = ""
    caption: str = ""
    x: str = ""
    y: str = ""
    series: tuple[Series, ...] = ()
    alike: bool = False
    reference: Any = None
    mark: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def drawings(scores: Sequence[Score]) -> list[Drawing]:
    """Return the plots of what was measured on the held-out rows, metric by metric."""
    phase, found = held_out(scores), list[Drawing]()
    for metric in dict.fromkeys(score.metric for score in scores):
        folds = [score for score in scores if score.metric == metric and score.phase == phase]
        if folds:
            found += _declared(metric, phase, folds)
            found += _matrix(metric, phase, folds) + _groups(metric, phase, folds[-1])
    return found


def _declared(metric: str, phase: str, folds: list[Score]) -> list[Drawing]:
    found = []
    for number, plot in enumerate(folds[-1].detail.get("plots") or (), 1):
        if not {"of", "x", "y"} <= set(plot):
            continue
        name = metric if number == 1 else f"{metric}-{number}"
        if plot["of"] == "table":
            made = _of_table(name, metric, phase, folds[-1], plot)
        else:
            made = _of_curves(name, metric, phase, folds, plot)
        if made is not None:
            found.append(made)
    return found


def _series(name: str, columns: Mapping[str, Sequence[Any]], x: str, y: str) -> Series | None:
    """Return two columns without the places where either is missing; None where they are not there."""
    across, up = columns.get(x), columns.get(y)
    if across is None or up is None or len(across) != len(up):
        return None
    pairs = [(a, b) for a, b in zip(across, up, strict=True) if a is not None and b is not None]
    return Series(name, [a for a, _ in pairs], [b for _, b in pairs]) if pairs else None


def _of_curves(name: str, metric: str, phase: str, folds: list[Score], plot: Mapping[str, Any]) -> Drawing | None:
    several = len(folds) > 1
    x, y = plot["x"], plot["y"]
    made: list[Series | None] = []
    for score in folds:
        if plot["of"] == "curve":
            curve = score.detail.get("curve") or {}
            made += [_series(score.fold if several else plain(one), curve, x, one) for one in y]
        else:
            by_class = score.detail.get("curves") or {}
            made += [_series(label, columns, x, y[0]) for label, columns in by_class.items()]
    series = [one for one in made if one is not None]
    if not series:
        return None
    alike = several or plot["of"] == "curves"
    who = f"a line {'per class' if plot['of'] == 'curves' else 'per fold'}, " if alike and len(series) > 1 else ""
    told = f"{_up(y)} against {plain(x)}, {who}{phase} rows"
    more = f"; {len(series) - CURVES} more are not drawn" if len(series) > CURVES else ""
    return Drawing(
        name, plot.get("kind", "line"), metric, f"{told}{more}.", plain(x), joined([plain(one) for one in y]),
        tuple(series[:CURVES]), alike, plot.get("reference"),
    )  # fmt: skip


def _up(names: Sequence[str]) -> str:
    told = joined([plain(name) for name in names])
    return told[:1].upper() + told[1:]


def _of_table(name: str, metric: str, phase: str, score: Score, plot: Mapping[str, Any]) -> Drawing | None:
    table, x, y = score.detail.get("table") or {}, plot["x"], plot["y"]
    made = (_series(plain(one), table, x, one) for one in y)
    series = [one for one in made if one is not None]
    if not series:
        return None
    row = chosen_row(score.detail)
    mark = table[x][row] if row is not None else None
    told = f"{_up(y)} by {plain(x)}, {phase} rows"
    if mark is not None:
        told += ". The dashed line is the operating point"
        near = tuple(_within(one, REACH * mark) for one in series) if mark else ()
        if near and all(len(one.x) > 1 for one in near):
            series = list(near)
    currency = score.detail.get("currency", "")
    up = f"{plain(y[0])} ({currency})" if currency else plain(y[0]) if len(y) == 1 else ""
    kind = plot.get("kind", "line")
    return Drawing(name, kind, metric, f"{told}.", plain(x), up, tuple(series), False, plot.get("reference"), mark)


def _within(series: Series, most: float) -> Series:
    pairs = sorted((x, y) for x, y in zip(series.x, series.y, strict=True) if x <= most)
    return Series(series.name, [x for x, _ in pairs], [y for _, y in pairs])


def _matrix(metric: str, phase: str, folds: list[Score]) -> list[Drawing]:
    found = [score.detail["matrix"] for score in folds if score.detail.get("matrix")]
    classes = folds[-1].detail.get("classes")
    if not found or not isinstance(classes, (list, tuple)) or len(classes) > CLASSES:
        return []
    size = range(len(classes))
    summed = [[sum(matrix[i][j] for matrix in found) for j in size] for i in size]
    told = f"Rows of each class by the class decided, {phase} rows; shading is the share of the class."
    return [Drawing(metric, "matrix", metric, told, "decided", "true", data={"matrix": summed, "classes": classes})]


def _groups(metric: str, phase: str, score: Score) -> list[Drawing]:
    groups = {name: one for name, one in (score.detail.get("groups") or {}).items() if one.get("value") is not None}
    if not groups:
        return []
    order = sorted(groups.items(), key=lambda item: item[1]["value"])
    told = f"{len(groups)} groups of the {phase} rows"
    if len(order) > GROUPS:
        half = GROUPS // 2
        order, told = order[:half] + order[-half:], f"{told}; the {half} lowest and the {half} highest are drawn"
    return [Drawing(f"{metric}-groups", "groups", metric, f"{told}.", plain(metric), data={"groups": dict(order)})]


def of_features(importance: Mapping[str, float], added: Mapping[str, Any] | None) -> list[Drawing]:
    """Return the plots of what features do: contributions where the model has them, and its own importances."""
    found = []
    if added:
        told = f"Mean size of what each feature adds to the margin, over {added['rows']:,} {added['phase']} rows."
        means = {one["name"]: one["mean"] for one in added["features"]}
        found.append(Drawing("contributions", "importance", "", told, "mean |contribution|", data={"values": means}))
        told = (
            "Each point is a row: to the right, the feature raises its score. Colour is the feature's value there;"
            " grey: it has no order, or is missing."
        )
        found.append(Drawing("summary", "swarm", "", told, "contribution", data={"features": added["features"]}))
    if importance:
        top = dict(sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:12])
        more = f"; the first 12 of {len(importance)}" if len(importance) > 12 else ""
        told = f"Importance as the trainer counts it{more}."
        found.append(Drawing("importance", "importance", "", told, "importance", data={"values": top}))
    return found
