"""The usual metrics of binary, multiclass and regression tasks, equal to scikit-learn's, with bootstrap intervals."""

from __future__ import annotations

from modelway import Metric, hookimpl
from modelway_metrics.decisions import F1, MCC, Accuracy, BalancedAccuracy, Confusion, Precision, Recall
from modelway_metrics.probabilities import Brier, LogLoss, TopKAccuracy
from modelway_metrics.ranking import AveragePrecision, RocAuc
from modelway_metrics.regression import (
    MAE,
    MAPE,
    MSE,
    R2,
    RMSE,
    ExplainedVariance,
    MaxError,
    MedianAbsoluteError,
)


@hookimpl
def metrics() -> list[type[Metric]]:
    """Offer the metrics, classification first."""
    return [
        *(RocAuc, AveragePrecision),
        *(Accuracy, BalancedAccuracy, Precision, Recall, F1, MCC, Confusion),
        *(LogLoss, Brier, TopKAccuracy),
        *(RMSE, MAE, MSE, R2, MAPE, MedianAbsoluteError, ExplainedVariance, MaxError),
    ]
