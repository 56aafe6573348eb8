"""Sampling that depends on the seed, on a trial's place and on the trials told so far, and on nothing else."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from modelway_optuna.space import Axis

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

#: Key of a trial's user attributes: the failed trial that it makes again.
AGAIN = "again"
#: Proposals of points that were made already, after which one that was not is drawn instead.
TRIES = 20
#: Points of a space up to which those left are listed.
LISTED = 100_000


def superseded(trials: list[FrozenTrial]) -> set[int]:
    """Return the numbers of failed trials that were asked for again."""
    return {trial.user_attrs[AGAIN] for trial in trials if AGAIN in trial.user_attrs}


def size(axes: Mapping[str, Axis]) -> float:
    """Return how many points a space holds."""
    return math.prod(axis.size for axis in axes.values())


class Seeded(BaseSampler):
    """Makes a fresh sampler for each trial, seeded by the trial's place, and proposes no point twice.

    Optuna's own samplers go on drawing from one generator, so that a study that is opened again would draw the first
    numbers once more. A trial that makes a failed one again has no place of its own.

    Args:
        kind: ``tpe``, ``random``, ``grid`` or ``nsga2``.
        axes: The space.
        seed: The sweep's.
        startup: Trials before TPE takes over from chance.
        population: Of NSGA-II.
    """

    def __init__(self, kind: str, axes: Mapping[str, Axis], seed: int, startup: int, population: int) -> None:
        self.kind, self.axes, self.seed = kind, dict(axes), seed
        self.startup, self.population = startup, population
        self.space = {name: axis.distribution() for name, axis in self.axes.items()}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space: a point is proposed at once."""
        return self.space

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Mapping[str, Any]) -> dict[str, Any]:
        """Propose a point, as the study holds it."""
        if AGAIN in trial.user_attrs:
            return {}
        earlier = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number]
        seen = {self._content(one.params) for one in earlier}
        place = trial.number - sum(AGAIN in one.user_attrs for one in earlier if one.number < trial.number)
        if self.kind != "grid":
            for attempt in range(TRIES):
                point = self._proposed(study, trial, self._seed(place, attempt))
                if self._content(point) not in seen:
                    return point
        return next((point for point in self._unseen(place) if self._content(point) not in seen), {})

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """Propose one key's value, where no whole point was left to propose."""
        sampler = RandomSampler(seed=self._seed(trial.number, param_name))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _proposed(self, study: Study, trial: FrozenTrial, seed: int) -> dict[str, Any]:
        sampler: BaseSampler
        if self.kind == "tpe":
            sampler = TPESampler(seed=seed, n_startup_trials=self.startup)
        elif self.kind == "nsga2":
            sampler = NSGAIISampler(seed=seed, population_size=self.population)
        else:
            sampler = RandomSampler(seed=seed)
        sampler.before_trial(study, trial)
        point = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
        for name, distribution in self.space.items():
            if name not in point:
                point[name] = sampler.sample_independent(study, trial, name, distribution)
        return {name: point[name] for name in self.space}

    def _unseen(self, place: int) -> Iterator[dict[str, Any]]:
        total = size(self.axes)
        values = [axis.values() if math.isfinite(axis.size) else [] for axis in self.axes.values()]
        if total <= LISTED:
            points = list(itertools.product(*values))
            random.Random(self._seed("grid")).shuffle(points)
            yield from (dict(zip(self.axes, point, strict=True)) for point in points)
        elif math.isfinite(total):
            draw = random.Random(self._seed(place, "unseen"))
            for _ in range(LISTED):
                yield dict(zip(self.axes, map(draw.choice, values), strict=True))

    def _content(self, point: Mapping[str, Any]) -> str:
        # a float of a scale comes back from a study with a last digit of its own
        return repr([float(f"{v:.12g}") if isinstance(v := point.get(name), float) else v for name in self.axes])

    def _seed(self, *names: Any) -> int:
        text = "/".join(map(str, (self.seed, *names)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def counted(trials: list[FrozenTrial]) -> int:
    """Return how many points were asked for, each once however often it was made."""
    waiting = sum(trial.state == TrialState.WAITING for trial in trials)
    return len(trials) - waiting - len(superseded(trials) & {t.number for t in trials})
