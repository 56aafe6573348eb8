"""The trainer: its configuration, and the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, ClassVar, Literal

from modelway import ConfigError, Model, Run, Split, Trainer, knob, nearest, param
from modelway_xgboost.model import XGBoostModel


def _distribution() -> str:
    for name in ("xgboost-cpu", "xgboost"):
        try:
            return distribution(name).metadata["Name"]
        except PackageNotFoundError:
            continue
    return "xgboost-cpu"


#: Objectives that give what a task's ``score`` must be; the first is the default.
_OBJECTIVES = {
    "binary": ("binary:logistic", "reg:logistic"),
    "multiclass": ("multi:softprob",),
    "regression": ("reg:squarederror", "reg:", "count:"),
}

#: Names that XGBoost knows our fields by.
_ALIASES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "alpha": "reg_alpha",
    "min_split_loss": "gamma",
    "nthread": "threads",
    "n_jobs": "threads",
    "n_estimators": "rounds",
    "num_boost_round": "rounds",
    "early_stopping_rounds": "early_stopping",
    "monotone_constraints": "monotone",
}

#: What the run itself decides.
_OURS = {"seed": "the run's 'seed'", "random_state": "the run's 'seed'", "num_class": "the schema's target"}


@dataclass(frozen=True, kw_only=True)
class XGBoost(Trainer, name="xgboost"):
    """Gradient-boosted trees by XGBoost, for all three tasks.

    Missing values find their own way at every branch. Columns of categories are split natively: those whose
    ``values`` the schema declares, and those that a feature gives a vocabulary. Rows are read as a stream. With
    ``early_stopping`` the validation rows decide how many rounds are kept. Equal rows, configuration and seed give
    equal bytes; on a cluster, for an equal number of workers.
    """

    libraries: ClassVar[tuple[str, ...]] = (_distribution(),)
    model: ClassVar[type[Model]] = XGBoostModel
    distributed: ClassVar[bool] = True

    rounds: int = param(100, "Most rounds of boosting.", at_least=1)
    max_depth: int = param(6, "Largest depth of a tree; 0 means no limit.", at_least=0)
    learning_rate: float = param(0.3, "Share of each tree's correction that is taken.", above=0, at_most=1)
    min_child_weight: float = param(1.0, "Least sum of second derivatives in a leaf.", at_least=0)
    subsample: float = param(1.0, "Share of the rows that each tree sees.", above=0, at_most=1)
    colsample_bytree: float = param(1.0, "Share of the columns that each tree sees.", above=0, at_most=1)
    reg_lambda: float = param(1.0, "L2 penalty on leaf values.", at_least=0)
    reg_alpha: float = param(0.0, "L1 penalty on leaf values.", at_least=0)
    gamma: float = param(0.0, "Least gain for which a leaf is split.", at_least=0)
    max_bin: int = param(256, "Most bins that a column is cut into.", at_least=2)
    objective: str = param("", "XGBoost's objective; empty means the task's own.")
    base_score: float | None = param(None, "First guess of every row; estimated when absent.")
    scale_pos_weight: float = param(1.0, "Weight of the positive class, in a binary task.", above=0)
    monotone: dict[str, int] = param({}, "By column: 1 where the score may only rise with it, -1 only fall.")
    eval_metric: str = param("", "XGBoost's metric for early stopping and progress; empty means the objective's own.")
    early_stopping: int | None = param(
        None, "Stop after so many rounds without a better validation score, and keep the best.", at_least=1
    )
    threads: int = param(
        0, "Threads; 0 means all. With very uneven weights their number shows in the last digits.", at_least=0
    )
    device: str = param("cpu", "Where to train: 'cpu', or 'cuda' with the distribution xgboost.")
    extra: dict[str, Any] = param({}, "Any other parameter of XGBoost, by its own name.")
    watch_train: bool = knob(False, "Whether to show the training score of each round, which takes time.")
    watch_valid: bool = knob(False, "Whether to show the validation score of each round without early stopping.")
    memory: int | None = knob(
        None, "Megabytes of rows to hold, 256 when absent; more are read several times instead.", at_least=0
    )
    external_memory: Literal["auto", "always", "never"] = knob(
        "auto", "Whether to keep the bins on disk: 'auto' does so where they do not fit into memory."
    )
    checkpoint: int = knob(25, "On a cluster: rounds after which the booster is kept; 0 means never.", at_least=0)
    restarts: int = knob(2, "On a cluster: how often to go on from it after workers were lost.", at_least=0)
    patience: float = knob(60.0, "On a cluster: seconds to wait for workers, lost ones too.", at_least=0)
    deadline: float = knob(0.0, "On a cluster: seconds that training may take; 0 means any.", at_least=0)

    def fit(self, split: Split, run: Run) -> XGBoostModel:
        """Fit on the training rows.

        Raises:
            ConfigError: a parameter that XGBoost does not accept, or does not use.
            DataError: rows that cannot be learnt from: no feature, one class, text, infinite values.
            ComputeError: a cluster whose workers are too few, too small, lost too often, or too slow.
        """
        from modelway_xgboost.fitting import fit

        return fit(self, split, run)

    def parameters(self, split: Split, names: tuple[str, ...], seed: int) -> dict[str, Any]:
        """Return XGBoost's parameters for a split whose features are ``names``.

        Raises:
            ConfigError: an objective of another task, a constraint on no column, or an ``extra`` that has a field.
        """
        allowed = _OBJECTIVES[split.task]
        objective = self.objective or allowed[0]
        if not objective.startswith(allowed):
            raise ConfigError(
                f"The objective '{objective}' does not give the scores of a {split.task} task",
                where="xgboost.objective",
                mend=f"Use one of {', '.join(allowed)}"
                if split.task != "regression"
                else "Use one of reg:* or count:*",
            )
        if self.scale_pos_weight != 1 and split.task != "binary":
            raise ConfigError(f"A {split.task} task has no positive class to weigh", where="xgboost.scale_pos_weight")
        self._check_monotone(names)
        self._check_extra()
        same = ("max_depth", "learning_rate", "min_child_weight", "subsample", "colsample_bytree", "reg_lambda")
        found = {name: getattr(self, name) for name in (*same, "reg_alpha", "gamma", "max_bin", "device")}
        optional: Mapping[str, Any] = {
            "num_class": len(split.classes) if split.task == "multiclass" else None,
            "base_score": self.base_score,
            "scale_pos_weight": self.scale_pos_weight if self.scale_pos_weight != 1 else None,
            "eval_metric": self.eval_metric or None,
        }
        found |= {name: value for name, value in optional.items() if value is not None}
        fixed = {"tree_method": "hist", "nthread": self.threads, "seed": seed, "objective": objective}
        return fixed | found | self.extra

    def _check_monotone(self, names: tuple[str, ...]) -> None:
        for name, way in self.monotone.items():
            if name not in names:
                raise ConfigError(
                    f"A monotone constraint names column '{name}', which the model does not read",
                    where=f"xgboost.monotone.{name}",
                    mend=nearest(name, names),
                )
            if way not in (-1, 0, 1):
                raise ConfigError(
                    f"A monotone constraint is {way}, and may be 1 or -1", where=f"xgboost.monotone.{name}"
                )

    def _check_extra(self) -> None:
        own = {field.name for field in fields(self)}
        if self.extra.get("tree_method") == "exact":
            raise ConfigError(
                "XGBoost's 'tree_method: exact' needs every value in memory, and rows are read as bins here",
                where="xgboost.extra.tree_method",
                mend="Leave it out, and raise 'max_bin' for finer splits",
            )
        for name in self.extra:
            if name in _OURS:
                raise ConfigError(f"XGBoost's '{name}' comes from {_OURS[name]}", where=f"xgboost.extra.{name}")
            if name in own or name in _ALIASES:
                raise ConfigError(
                    f"XGBoost's '{name}' has a field of its own here",
                    where=f"xgboost.extra.{name}",
                    mend=f"Set '{_ALIASES.get(name, name)}' instead",
                )
