"""Metrics by group of rows: whether the model serves all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modelway import ConfigError, Metric, Predictions, Run, Score, Scores, build, missing, nearest, param, take
from modelway_metrics.sampled import Sampled

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array


@dataclass(frozen=True, kw_only=True)
class ByGroup(Metric, name="by_group"):
    """The metrics of this plugin within each value of the column with the role ``group``.

    For each metric of ``of``, the value is that of the group where it is worst, and ``<metric>_gap`` its distance from
    the group where it is best. ``detail`` of the former has all groups with their values and rows. Groups of fewer than
    ``smallest`` rows, and those beyond the ``most`` largest, are left out, and counted.
    """

    libraries = ("numpy",)

    of: tuple[str, ...] | dict[str, Any] = param(
        ..., "Names of metrics, or names with their settings, such as {recall: {threshold: 0.3}}."
    )
    smallest: int = param(30, "Rows that a group needs to be measured.", at_least=1)
    most: int = param(50, "Groups that are measured at most, the largest first.", at_least=1)

    def __post_init__(self) -> None:
        """Build each metric once, so that a wrong name, setting or task is told before anything runs."""
        made = self.metrics()
        tasks = tuple(task for task in Metric.tasks if all(task in metric.tasks for metric in made.values()))
        if not tasks:
            raise ConfigError(f"No task has all of the metrics {', '.join(made)}", where="of")
        object.__setattr__(self, "tasks", tasks)

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics by name, without intervals unless they are asked for.

        Raises:
            ConfigError: a name or setting that is not known, or a metric without a single value.
        """
        import modelway_metrics

        known = {
            metric.name: metric
            for metric in modelway_metrics.metrics()
            if issubclass(metric, Sampled) and metric.name != "confusion"
        }
        wanted: Mapping[str, Any] = self.of if isinstance(self.of, Mapping) else {name: {} for name in self.of}
        if not wanted:
            raise ConfigError("by_group measures no metric", where="of", mend="Name one, such as roc_auc")
        made: dict[str, Metric] = {}
        for name, settings in wanted.items():
            if name not in known:
                raise ConfigError(f"by_group cannot measure '{name}'", where="of", mend=nearest(name, known))
            made[name] = build(known[name], {"bootstrap": 0, **(settings or {})}, f"of.{name}")
        return made

    def measure(self, predictions: Predictions, run: Run) -> Scores:
        """Measure the rows of one fold and phase.

        Raises:
            ConfigError: no column has the role ``group``.
            DataError: what the metrics refuse.
        """
        metrics = self.metrics()
        column = predictions.columns.get("group")
        if column is None:
            raise ConfigError(
                "The metric 'by_group' needs a column with the role 'group', and the schema has none",
                where="schema.columns",
                mend="Give the column that tells the groups apart 'role: group'",
            )
        found = sorted(_groups(column), key=lambda group: (-len(group[1]), group[0]))
        kept = [group for group in found if len(group[1]) >= self.smallest][: self.most]
        rows = sum(len(group[1]) for group in kept)
        left = {"groups": len(found) - len(kept), "rows": len(predictions.label) - rows}
        scores: dict[str, Score] = {}
        for name, metric in metrics.items():
            each = {
                group: _measured(metric, replace(predictions, columns=take(predictions.columns, places)), run)
                for group, places in kept
            }
            scores |= _summed(name, each, metric.lower_is_better, rows, left)
        lower = [f"{name}_gap" for name in metrics] + [n for n, metric in metrics.items() if metric.lower_is_better]
        return Scores.named(scores, lower)


def _groups(column: Any) -> Iterator[tuple[str, Array]]:
    """Yield the name and the positions of each group's rows."""
    import numpy as np

    gone = missing(column)
    if hasattr(column, "codes"):
        names, codes = [str(value) for value in column.values], column.codes.astype(np.int64)
    else:
        values, codes = np.unique(column, return_inverse=True)
        whole = values.dtype.kind == "f" and all(float(value).is_integer() for value in values[~missing(values)])
        names = [f"{value:.0f}" if whole else str(value) for value in values.tolist()]
    codes = np.where(gone, -1, codes)
    order = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.diff(codes[order], prepend=-2))
    for place in np.split(order, edges[1:]):
        code = int(codes[place[0]])
        yield ("missing" if code < 0 else names[code]), place


def _measured(metric: Metric, predictions: Predictions, run: Run) -> dict[str, Any]:
    (score,) = metric.measure(predictions, run).entries
    found = {"value": score.value, "low": score.low, "high": score.high, "rows": score.support}
    return {name: value for name, value in found.items() if value is not None or name == "value"}


def _summed(
    name: str, each: Mapping[str, Mapping[str, Any]], lower: bool, rows: int, left: Mapping[str, int]
) -> dict[str, Score]:
    """Return the worst group's value, and its distance from the best group's."""
    detail: dict[str, Any] = {"groups": each, "left_out": left}
    values = {group: found["value"] for group, found in each.items() if found["value"] is not None}
    if not values:
        note = {"note": "Not defined: no group has enough rows to be measured"}
        return {name: Score(None, support=rows, detail=detail | note), f"{name}_gap": Score(None, detail=note)}
    high, low = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    worst, best = (high, low) if lower else (low, high)
    detail |= {"worst": worst, "best": best}
    gap = values[high] - values[low]
    return {
        name: Score(values[worst], support=each[worst]["rows"], detail=detail),
        f"{name}_gap": Score(gap, support=rows, detail={"worst": worst, "best": best}),
    }
