"""The sweeper: Optuna's studies behind the contract of searches."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from modelway import Choices, ConfigError, Interval, Point, Run, Search, Sweeper, knob, param
from modelway_optuna.space import Axis, axis
from modelway_optuna.studies import closed, file_of, opened, told, trial_of
from modelway_optuna.watching import Pruning, Watch

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

#: Finished trials below which nothing can be said of importances.
FEWEST = 4


@dataclass(frozen=True, kw_only=True)
class Optuna(Sweeper, name="optuna"):
    """Proposes trials from what earlier ones gave, with Optuna.

    A key may be a list of values (``a=x,y``: names to choose among), a scale (``a=range(2,9)``) or an interval
    (``a=interval(0.01,0.3)``, searched by ratio inside ``tag(log, ...)``, by whole numbers where both ends are whole).
    One objective or several are searched, each in its metric's own direction; no point is proposed twice, and a space
    with an end is over when all of it was tried.

    The study is kept as each trial starts and ends. Repeating the command goes on with it: a trial that a killed
    process had in hand is made first, with its values; one that failed is made again; then come the points that are
    missing, or those that a larger ``trials`` adds. What is proposed depends on the seed, the trial's place and the
    trials told so far. One trial at a time, an interrupted sweep therefore makes the same trials as an undisturbed
    one, with every sampler; several at once, this holds for ``random`` and ``grid``, while ``tpe`` and ``nsga2``
    depend on which trials happened to be finished when another was asked for.

    A pruner looks at each round's validation score: the objective's own metric where the trainer reports it, else the
    first one that starts with ``valid``. Optuna prunes for a single objective only; with several, every trial is made
    in full.
    """

    trials: int = knob(20, "Trials of the whole sweep, those of earlier times included.", at_least=1)
    sampler: Literal["tpe", "random", "grid", "nsga2"] = param(
        "tpe",
        "How points are proposed: tpe learns from few trials, for one objective and for several; nsga2 evolves and"
        " wants hundreds; grid takes every combination, in random order.",
    )
    startup: int = param(
        8, "Random trials before tpe learns, and finished ones before median or percentile prune.", at_least=1
    )
    population: int = param(20, "Trials of one generation of nsga2.", at_least=2)
    pruner: Literal["none", "median", "percentile", "hyperband"] = param(
        "none", "What stops a trial in training that will not be among the best."
    )
    percentile: float = param(
        25.0, "For the percentile pruner: the best so many percent of trials go on.", at_least=0.0, at_most=100.0
    )
    warmup: int = param(5, "Rounds of a trial before it may be stopped.", at_least=0)
    interval: int = param(1, "Rounds from one look of the pruner to the next.", at_least=1)
    score: str = param("", "Round's score that the pruner goes by, such as valid_auc; empty chooses one.")
    study: str = knob("", "Name of the study; empty means the sweep's own id.")
    storage: str = knob(
        "", "URL of a database that SQLAlchemy opens, or env:NAME of one with a password; empty means a file."
    )

    def search(
        self, space: Mapping[str, Choices | Interval], objectives: Mapping[str, bool], run: Run
    ) -> AbstractContextManager[Search]:
        """Begin a study, or go on with the one of that name.

        Raises:
            ConfigError: a space without values, or a study of that name over another space or for other objectives.
            ModelwayError: a storage that cannot be opened.
        """
        axes = {key: axis(key, space[key]) for key in sorted(space)}
        if not axes:
            raise ConfigError(
                "There is nothing to search", where="sweeper.use", mend="Give a key several values, or an interval"
            )
        if not objectives:
            raise ConfigError(
                "The search has no objective", where="sweeper.use", mend="Name a metric, such as objective=test.auc"
            )
        if self.sampler == "grid":
            for key, found in axes.items():
                if not math.isfinite(found.size):
                    raise ConfigError(
                        f"'{key}' is an interval of fractions, which has no end of values for a grid",
                        where="sweeper.sampler", mend=f"List the values of {key}, or use sampler tpe or random",
                    )  # fmt: skip
        return self._search(axes, list(space), objectives, run)

    @contextmanager
    def _search(
        self, axes: dict[str, Axis], keys: list[str], objectives: Mapping[str, bool], run: Run
    ) -> Iterator[Search]:
        from optuna import create_study
        from optuna.pruners import NopPruner

        from modelway_optuna.sampling import Seeded

        name = self.study or run.id
        place = self.storage or file_of(run.workspace, name)
        pruning = Pruning(self.pruner, self.startup, self.warmup, self.percentile)
        storage = opened(place)
        try:
            with told(place):
                study = create_study(
                    storage=storage,
                    study_name=name,
                    load_if_exists=True,
                    sampler=Seeded(self.sampler, axes, run.seed, self.startup, self.population),
                    pruner=pruning.pruner() if self.pruner != "none" else NopPruner(),
                    directions=["minimize" if smaller else "maximize" for smaller in objectives.values()],
                )
                _same(study, axes, objectives)
                watch = Watch(place, name, -1, pruning, self.interval, *next(iter(objectives.items())), self.score)
                search = _Search(study, storage, axes, keys, self.trials, watch, run.seed)
            yield search  # what goes wrong meanwhile need not be the storage's fault
        finally:
            closed(place)


def _same(study: Study, axes: Mapping[str, Axis], objectives: Mapping[str, bool]) -> None:
    """Refuse a study that searched something else: its trials would be taken for those of this space."""
    asked = {
        "objectives": dict(objectives),
        "space": {key: json.loads(json.dumps(asdict(found))) for key, found in axes.items()},
    }
    known = study.user_attrs
    for what, value in asked.items():
        if what not in known:
            study.set_user_attr(what, value)
        elif known[what] != value:
            changed = sorted(key for key in {**known[what], **value} if known[what].get(key) != value.get(key))
            raise ConfigError(
                f"The study '{study.study_name}' has another {what.removesuffix('s')}: {', '.join(changed)} changed",
                where="sweeper.study", mend="Name another study, or go back to what it searched",
            )  # fmt: skip


class _Search(Search):
    def __init__(
        self, study: Study, storage: BaseStorage, axes: dict[str, Axis], keys: list[str], trials: int, pruning: Watch,
        seed: int,
    ) -> None:  # fmt: skip
        from modelway_optuna.sampling import AGAIN, size, superseded

        self.study, self.storage, self.axes, self.keys = study, storage, axes, keys
        self.pruning, self.seed = pruning, seed
        self.most = min(trials, size(axes))
        found = study.get_trials(deepcopy=False)
        self.left = [trial.number for trial in found if trial.state.name == "RUNNING"]
        known = superseded(found)
        for trial in found:
            if trial.state.name == "FAIL" and trial.number not in known:
                study.enqueue_trial(dict(trial.params), user_attrs={AGAIN: trial.number})

    def ask(self, count: int) -> Sequence[Point]:
        points: list[Point] = []
        with told(self.pruning.place):
            while len(points) < count:
                if self.left:
                    trial, _ = trial_of(self.study, self.storage, self.left.pop(0))
                elif self._over():
                    break
                else:
                    trial = self.study.ask()
                values = {key: self.axes[key].suggest(trial, key) for key in self.axes}
                points.append(Point(trial.number, {key: values[key] for key in self.keys}))
        return points

    def _over(self) -> bool:
        from modelway_optuna.sampling import counted

        return counted(self.study.get_trials(deepcopy=False)) >= self.most

    def tell(self, point: Point, values: Sequence[float] | None, *, pruned: bool = False) -> None:
        from optuna.trial import TrialState

        with told(self.pruning.place):
            if values is not None and not pruned and not any(math.isnan(value) for value in values):
                self.study.tell(point.number, list(values), skip_if_finished=True)
            else:
                state = TrialState.PRUNED if pruned else TrialState.FAIL
                self.study.tell(point.number, state=state, skip_if_finished=True)

    def watch(self, point: Point) -> Callable[[int, Mapping[str, float]], bool] | None:
        if self.pruning.pruning.kind == "none" or len(self.study.directions) > 1:
            return None
        return replace(self.pruning, number=point.number)

    def importances(self) -> Mapping[str, float]:
        with told(self.pruning.place):
            found = self.study.get_trials(deepcopy=False)
        done = [trial for trial in found if trial.state.name == "COMPLETE"]
        first: list[float] = [trial.values[0] for trial in done]
        if len(done) < FEWEST or len(set(first)) == 1 or not all(map(math.isfinite, first)):
            return {}
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        with told(self.pruning.place), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shares: Mapping[str, Any] = get_param_importances(
                self.study, evaluator=FanovaImportanceEvaluator(seed=self.seed % 2**32), target=_first
            )
        return {key: float(share) for key, share in shares.items()}


def _first(trial: FrozenTrial) -> float:
    return float(trial.values[0])
