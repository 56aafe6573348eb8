"""Metrics of scores as probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from modelway import ConfigError, param
from modelway_metrics.reliability import PLOT, curve, given_and_right, places, probabilities
from modelway_metrics.sampled import Rows, Sampled, Statistic, mean


@dataclass(frozen=True, kw_only=True)
class LogLoss(Sampled, name="log_loss"):
    """Mean negative log of the probability given to the right class (cross-entropy, in nats).

    Probabilities are kept off 0 and 1 by the resolution of their floating type. As ``sklearn.metrics.log_loss``.
    """

    tasks = ("binary", "multiclass")
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Compute each row's loss."""
        import numpy as np

        score = probabilities(rows, self.name)
        small = float(np.finfo(score.dtype).eps)
        if rows.task == "binary":
            given = np.where(rows.label == 1, score, 1 - score)
        else:
            given = score[np.arange(len(score)), rows.label]
        return mean(-np.log(np.clip(given.astype(np.float64), small, 1 - small)), rows)


@dataclass(frozen=True, kw_only=True)
class Brier(Sampled, name="brier"):
    """Mean squared distance of the probabilities from what happened (Brier 1950).

    For a binary task the distance of the positive class's probability alone, from 0 to 1; for a multiclass task the
    sum over classes, from 0 to 2. ``detail`` keeps a calibration curve over bins of about equal numbers of rows: mean
    probability, observed share and rows; for a multiclass task it is that of the highest score. As
    ``sklearn.metrics.brier_score_loss``.
    """

    tasks = ("binary", "multiclass")
    lower_is_better = True

    def prepare(self, rows: Rows) -> Statistic:
        """Compute each row's distance, and the calibration curve."""
        import numpy as np

        score = probabilities(rows, self.name).astype(np.float64)
        if rows.task == "binary":
            loss = (score - rows.label) ** 2
        else:
            hit = np.arange(len(rows.classes)) == rows.label[:, None]
            loss = ((score - hit) ** 2).sum(axis=1)
        given, right = given_and_right(rows, score)
        table = curve(given, right, rows.weights, places(given, 20, "quantile"))
        return mean(loss, rows, detail={"curve": table, "plots": [PLOT]})


@dataclass(frozen=True, kw_only=True)
class TopKAccuracy(Sampled, name="top_k_accuracy"):
    """Share of rows whose class is among the k of the highest scores.

    Of equal scores the later class ranks higher, as in ``sklearn.metrics.top_k_accuracy_score``.
    """

    tasks = ("multiclass",)

    k: int = param(2, "How many of the highest scores count.", at_least=1)

    def prepare(self, rows: Rows) -> Statistic:
        """Find which rows' classes are among the highest.

        Raises:
            ConfigError: ``k`` is not below the number of classes, so that every row would count.
        """
        import numpy as np

        if self.k >= len(rows.classes):
            raise ConfigError(
                f"top_k_accuracy has k {self.k}, and the target has {len(rows.classes)} classes: every row would count",
                mend="Choose a smaller k",
            )
        own = rows.score[np.arange(len(rows.label)), rows.label][:, None]
        later = np.arange(len(rows.classes)) > rows.label[:, None]
        ahead = (rows.score > own) | ((rows.score == own) & later)
        hit = (ahead.sum(axis=1) < self.k).astype(np.float64)
        return mean(hit, rows, detail={"k": self.k})
