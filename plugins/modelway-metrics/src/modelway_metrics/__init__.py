"""The usual metrics of binary, multiclass and regression tasks, with intervals, by group, and in money."""

from __future__ import annotations

from modelway import Metric, hookimpl
from modelway_metrics.business import Business
from modelway_metrics.decisions import F1, MCC, Accuracy, BalancedAccuracy, Confusion, Precision, Recall
from modelway_metrics.groups import ByGroup
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
from modelway_metrics.reliability import Calibration
from modelway_metrics.top import Lift, PrecisionAtK


@hookimpl
def metrics() -> list[type[Metric]]:
    """Offer the metrics, classification first."""
    return [
        *(RocAuc, AveragePrecision, PrecisionAtK, Lift),
        *(Accuracy, BalancedAccuracy, Precision, Recall, F1, MCC, Confusion),
        *(LogLoss, Brier, Calibration, TopKAccuracy),
        *(RMSE, MAE, MSE, R2, MAPE, MedianAbsoluteError, ExplainedVariance, MaxError),
        *(Business, ByGroup),
    ]
