"""Watching a trial's rounds from wherever it runs, and stopping one that will not be among the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway_optuna.studies import opened, told, trial_of

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import Trial

#: Scores of a round of which a larger value is better, as XGBoost's early stopping has it, and others' usual ones.
LARGER_IS_BETTER = (
    "auc", "aucpr", "map", "ndcg", "pre", "accuracy", "balanced_accuracy", "average_precision", "precision", "recall",
    "f1", "r2", "gini", "mcc", "kappa",
)  # fmt: skip


@dataclass(frozen=True)
class Pruning:
    """How trials are judged by their rounds.

    Attributes:
        kind: ``median``, ``percentile`` or ``hyperband``.
        startup: Finished trials before any is stopped.
        warmup: Rounds of each trial before it may be stopped.
        percentile: Share of trials, in percent, that may go on at a round.
    """

    kind: str
    startup: int
    warmup: int
    percentile: float

    def pruner(self) -> BasePruner:
        """Return Optuna's own."""
        from optuna.pruners import HyperbandPruner, MedianPruner, PercentilePruner

        if self.kind == "hyperband":
            return HyperbandPruner(min_resource=max(1, self.warmup))
        if self.kind == "percentile":
            return PercentilePruner(self.percentile, n_startup_trials=self.startup, n_warmup_steps=self.warmup)
        return MedianPruner(n_startup_trials=self.startup, n_warmup_steps=self.warmup)


@dataclass(frozen=True)
class Watch:
    """Reports a trial's rounds to its study, and asks the pruner.

    Attributes:
        place: Where the study is kept; study: its name; number: the trial's.
        pruning: How to judge.
        interval: Rounds from one look to the next.
        objective: The objective's name, such as ``auc`` or ``test.auc``; smaller: whether less of it is better.
        score: Name of the score to go by, or empty.
    """

    place: str
    study: str
    number: int
    pruning: Pruning
    interval: int
    objective: str
    smaller: bool
    score: str = ""

    def __call__(self, round: int, scores: Mapping[str, float]) -> bool:
        """Answer whether to go on after a round, counted from 0."""
        if (round + 1) % self.interval:
            return True
        name = self.score if self.score in scores else _chosen(self.objective, scores)
        if name is None:
            return True
        value = float(scores[name])
        with told(self.place):
            trial, known = self._trial()
            if known is not None and round < known:
                return True  # an earlier process came further, and went on from here
            if round != known:
                trial.report(value if self._rises(name) != self.smaller else -value, round)
            return not trial.should_prune()

    def _rises(self, name: str) -> bool:
        """Return whether a larger score is better."""
        metric = name.partition("_")[2]
        if metric == _metric(self.objective):
            return not self.smaller
        return metric.partition("@")[0].rstrip("-") in LARGER_IS_BETTER

    def _trial(self) -> tuple[Trial, int | None]:
        from optuna import load_study
        from optuna.samplers import RandomSampler

        storage = opened(self.place)
        # the sampler proposes nothing: the trial has its values
        study = load_study(
            study_name=self.study, storage=storage, sampler=RandomSampler(), pruner=self.pruning.pruner()
        )
        return trial_of(study, storage, self.number)


def _metric(objective: str) -> str:
    phase, _, rest = objective.partition(".")
    return rest if phase in ("train", "valid", "test") else objective


def _chosen(objective: str, scores: Mapping[str, float]) -> str | None:
    wanted = f"valid_{_metric(objective)}"
    if wanted in scores:
        return wanted
    return next((name for name in scores if name.startswith("valid")), None)
