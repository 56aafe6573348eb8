"""Metrics of how scores rank the rows: areas under the ROC and the precision-recall curve."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modelway import param
from modelway_metrics.sampled import Rows, Sampled, Statistic, weighted_mean

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array

#: Points that are kept of a curve, or of a multiclass task's curves together.
POINTS = 200


class Ranking:
    """Rows from the highest score down, the positive ones first, then the others.

    Where a positive row would stand among the negative ones is looked up once, so that a resample costs one cumulative
    sum over the weights and one pass over the positives; ties share a place.

    Attributes:
        order: Positions of the rows in this order; None where they were not asked for.
        positives: Number of positive rows.
    """

    def __init__(self, score: Array, positive: Array, ordered: bool) -> None:
        import numpy as np

        key = -score
        self.order = None
        if ordered:
            groups = [np.flatnonzero(positive), np.flatnonzero(~positive)]
            # Stable, so that the resamples, and with them the interval, are the same on every machine.
            groups = [group[np.argsort(key[group], kind="stable")] for group in groups]
            self.order = np.concatenate(groups)
            self._hits, self._rest = (key[group] for group in groups)
        else:  # rows of one class and equal weight are alike, so that sorting the scores will do
            self._hits, self._rest = np.sort(key[positive]), np.sort(key[~positive])
        self.positives = len(self._hits)
        self._above = np.searchsorted(self._rest, self._hits, "left")
        self._upto = np.searchsorted(self._rest, self._hits, "right")
        self._last = np.searchsorted(self._hits, self._hits, "right") - 1

    def auc(self, weight: Array) -> float:
        """Area under the ROC curve, as the Mann-Whitney statistic: ties count half (Hanley and McNeil 1982)."""
        hits, rest = weight[: self.positives], _cumulated(weight[self.positives :])
        pairs = hits.sum() * rest[-1]
        higher = rest[self._above] + rest[self._upto]
        return float(1 - (hits * higher).sum() / (2 * pairs)) if pairs else float("nan")

    def average_precision(self, weight: Array) -> float:
        """Sum over thresholds of precision times the gain in recall, without interpolation."""
        import numpy as np

        hits, rest = weight[: self.positives], _cumulated(weight[self.positives :])
        found = np.cumsum(hits)
        if not len(found) or not found[-1]:
            return float("nan")
        found = found[self._last]
        # A row that was not drawn may stand before all that were: 0 of 0 rows, and counts for nothing.
        precision = found / np.maximum(found + rest[self._upto], np.finfo(float).tiny)
        return float((hits * precision).sum() / hits.sum())

    def curve(self, weight: Array, points: int) -> tuple[list[float], Array, Array]:
        """Return thresholds, and the weights of positive and of other rows that reach each; both must be there.

        Half of the thresholds are even steps through the positive rows, half through the others, so that a curve is
        as fine where it is steep as where it is flat; both ends are there.
        """
        import numpy as np

        steps = np.linspace(0, 1, points // 2)
        groups = (self._hits, self._rest)
        ends = [group[np.rint(steps * (len(group) - 1)).astype(int)] for group in groups]
        keys = np.unique(np.concatenate(ends))
        reached = [
            _cumulated(part)[np.searchsorted(group, keys, "right")]
            for group, part in zip(groups, np.split(weight, [self.positives]), strict=True)
        ]
        return (-keys).tolist(), reached[0], reached[1]


def _cumulated(weight: Array) -> Array:
    import numpy as np

    total = np.zeros(len(weight) + 1, dtype=weight.dtype)
    np.cumsum(weight, out=total[1:])
    return total


@dataclass(frozen=True, kw_only=True)
class Ranked(Sampled):
    """A metric of one ranking for a binary task, or of one per class against the rest."""

    tasks = ("binary", "multiclass")

    average: Literal["macro", "weighted"] = param(
        "macro", "How a multiclass task's classes are averaged: all alike, or by their share of the rows."
    )

    @abstractmethod
    def of(self, ranking: Ranking, weight: Array) -> float:
        """Measure a ranking at weights in its order."""

    @abstractmethod
    def plot(self, rows: Rows) -> dict[str, Any]:
        """Return how the curve is drawn."""

    @abstractmethod
    def points(self, ranking: Ranking, weight: Array, points: int) -> dict[str, Any]:
        """Return the curve, of at most ``points`` points, as lists by name."""

    def prepare(self, rows: Rows) -> Statistic:
        """Sort the rows once for each class."""
        import numpy as np

        shares = np.bincount(rows.label, minlength=len(rows.classes))
        absent = [str(name) for name, share in zip(rows.classes, shares, strict=True) if not share]
        detail: dict[str, Any] = {"support": rows.named(shares)}
        note = f"Not defined: the slice has no row of class {', '.join(absent)}" if absent else ""
        if rows.task == "binary":
            ranking = Ranking(rows.score, rows.label == 1, ordered=rows.weight is not None)
            weight = rows.weights if ranking.order is None else rows.weights[ranking.order]
            if not note:
                detail["curve"] = self.points(ranking, weight, POINTS)
                detail["plots"] = [{"of": "curve", **self.plot(rows)}]
            value = (lambda weight: float("nan")) if note else (lambda weight: self.of(ranking, weight))
            return Statistic(value, weight, note=note, detail=detail)

        rankings = [Ranking(rows.score[:, k], rows.label == k, ordered=True) for k in range(len(rows.classes))]
        weight = rows.weights
        if not note:
            each = [self.of(ranking, weight[ranking.order]) for ranking in rankings]
            detail["classes"] = rows.named(np.array(each))
            points = max(20, POINTS // len(rankings))
            curves = [self.points(ranking, weight[ranking.order], points) for ranking in rankings]
            detail["curves"] = dict(zip(map(str, rows.classes), curves, strict=True))
            detail["plots"] = [{"of": "curves", **self.plot(rows)}]

        def averaged(weight: Array) -> float:
            each = [self.of(ranking, weight[ranking.order]) for ranking in rankings]
            if self.average == "macro":
                return float(np.mean(each))
            return float(np.average(each, weights=np.bincount(rows.label, weight, len(rankings))))

        return Statistic((lambda weight: float("nan")) if note else averaged, weight, note=note, detail=detail)


@dataclass(frozen=True, kw_only=True)
class RocAuc(Ranked, name="roc_auc"):
    """Area under the ROC curve: how often a positive row scores above a negative one.

    For a multiclass task, the average over classes of each against the rest. ``detail`` keeps the curve: thresholds,
    false and true positive rates. Not defined where a class has no row. As ``sklearn.metrics.roc_auc_score`` (with
    ``multi_class="ovr"``).
    """

    def of(self, ranking: Ranking, weight: Array) -> float:
        """Measure the area."""
        return ranking.auc(weight)

    def plot(self, rows: Rows) -> dict[str, Any]:
        """Return how the curve is drawn: chance is the diagonal."""
        return {"x": "false_positive_rate", "y": ["true_positive_rate"], "reference": "diagonal"}

    def points(self, ranking: Ranking, weight: Array, points: int) -> dict[str, Any]:
        """Return the ROC curve; its first point, which no row reaches, has no threshold."""
        thresholds, hits, rest = ranking.curve(weight, points)
        return {
            "threshold": [None, *thresholds],
            "false_positive_rate": [0.0, *(rest / rest[-1]).tolist()],
            "true_positive_rate": [0.0, *(hits / hits[-1]).tolist()],
        }


@dataclass(frozen=True, kw_only=True)
class AveragePrecision(Ranked, name="average_precision"):
    """Average precision: the area under the precision-recall curve, by steps.

    For a multiclass task, the average over classes of each against the rest. ``detail`` keeps the curve: thresholds,
    recall and precision. Not defined where a class has no row. As ``sklearn.metrics.average_precision_score``.
    """

    def of(self, ranking: Ranking, weight: Array) -> float:
        """Measure the area."""
        return ranking.average_precision(weight)

    def plot(self, rows: Rows) -> dict[str, Any]:
        """Return how the curve is drawn: chance is the share of positive rows."""
        drawn: dict[str, Any] = {"x": "recall", "y": ["precision"]}
        if rows.task == "binary":
            drawn["reference"] = weighted_mean(rows.label == 1, rows.weights)
        return drawn

    def points(self, ranking: Ranking, weight: Array, points: int) -> dict[str, Any]:
        """Return the precision-recall curve."""
        thresholds, hits, rest = ranking.curve(weight, points)
        return {
            "threshold": thresholds,
            "recall": (hits / hits[-1]).tolist(),
            "precision": (hits / (hits + rest)).tolist(),
        }
