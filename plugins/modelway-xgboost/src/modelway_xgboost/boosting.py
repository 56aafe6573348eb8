"""Boosting in this process: the rounds, their progress, and early stopping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelway import ConfigError, Run
from modelway_xgboost.messages import said


def early_stopping(patience: int | None) -> Any:
    """Return XGBoost's callback that keeps the best round by the validation rows, or None without ``patience``."""
    from xgboost.callback import EarlyStopping

    return EarlyStopping(rounds=patience, data_name="valid", save_best=True) if patience else None


def boost(
    parameters: Mapping[str, Any], matrix: Any, rounds: int, watched: Mapping[str, Any], patience: int | None, run: Run
) -> Any:
    """Train a booster, reporting each round to the run, which may stop it.

    Args:
        parameters: XGBoost's.
        matrix: The training rows.
        rounds: Most rounds.
        watched: Matrices that are scored after each round, by phase.
        patience: Rounds without a better validation score after which to stop and keep the best; None means all.
        run: Told each round's scores as ``{phase}_{metric}``.

    Raises:
        ConfigError: parameters that XGBoost refuses once it sees the rows.
    """
    from xgboost import train
    from xgboost.callback import TrainingCallback
    from xgboost.core import XGBoostError

    class Report(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            scores = {
                f"{phase}_{metric}": float(values[-1])
                for phase, metrics in evals_log.items()
                for metric, values in metrics.items()
            }
            return not run.report(epoch, scores)

    # Early stopping comes first: it marks the best round, which must be there when the run stops at once.
    stopping = early_stopping(patience)
    callbacks = [stopping, Report()] if stopping else [Report()]
    evals = [(watched[phase], phase) for phase in watched]
    try:
        return train(dict(parameters), matrix, rounds, evals=evals, callbacks=callbacks, verbose_eval=False)
    except XGBoostError as error:
        raise ConfigError(f"XGBoost cannot train: {said(error)}", where="xgboost") from None
