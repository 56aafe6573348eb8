"""A worker's share of a distributed training: it reads its own pieces of the split, and boosts with the other workers.

XGBoost's collective, which ``xgboost.dask`` is built of, joins the workers' histograms. ``xgboost.dask.train`` itself
would keep every partition as float32 beside the bins, begin at the first round again when a worker is lost, and could
not be ended from outside while a worker is silent.
"""

from __future__ import annotations

import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from modelway import ConfigError, Split
from modelway_xgboost.boosting import early_stopping
from modelway_xgboost.layout import Layout
from modelway_xgboost.matrix import Rows, one_class
from modelway_xgboost.messages import out_of_touch, said

#: Trainings that the client wants ended after the round in hand.
_stopped: set[str] = set()
_trackers: dict[str, Any] = {}
#: Seconds that a worker waits for the others, who may still be reading; the client watches whether they are alive.
_WAIT = 3600


@dataclass(frozen=True)
class Share:
    """What one worker does in a training.

    Attributes:
        topic: Under which events of the training are told.
        place: Its rank: 0 keeps boosters and tells of rounds.
        train, valid: The pieces that it reads; there may be none to validate on.
        layout: The columns.
        parameters: XGBoost's.
        rounds: Most rounds.
        watched: Phases to score after each round.
        patience: Rounds without a better validation score after which to stop; None means all.
        checkpoint: A booster is kept after each so many rounds; 0 means never.
        memory: Bytes of float32 that may be held.
        external: Whether the bins are kept on disk.
        kept: Digest of the booster to go on from, or empty.
        history: Scores of each round that it has.
    """

    topic: str
    place: int
    train: tuple[Split, ...]
    valid: tuple[Split, ...]
    layout: Layout
    parameters: Mapping[str, Any]
    rounds: int
    watched: tuple[str, ...]
    patience: int | None
    checkpoint: int
    memory: int
    external: bool
    kept: str = ""
    history: tuple[Mapping[str, float], ...] = field(default=())

    def matrices(self, settings: dict[str, Any], cache: Path | None = None) -> tuple[Rows, Rows]:
        """Return the rows to train and to validate on; see ``Rows``."""
        return (
            Rows(self.train, "train", self.layout, settings, self.memory, cache),
            Rows(self.valid, "valid", self.layout, settings, self.memory, cache),
        )

    def boost(self, meeting: Mapping[str, Any]) -> dict[str, Any]:
        """Boost with the other workers; all of them end with the same booster.

        Args:
            meeting: How to reach the others.

        Returns:
            ``booster``: its bytes, from place 0 alone; ``rounds``: how many were made.

        Raises:
            DataError: values that XGBoost refuses, or one class only.
            ConfigError: parameters that it refuses once it sees the rows.
            RuntimeError: another worker is gone, or does not answer for an hour.
        """
        from distributed import get_worker
        from xgboost.core import XGBoostError

        worker = get_worker()
        threads = int(self.parameters.get("nthread") or 0) or worker.state.nthreads
        with tempfile.TemporaryDirectory(dir=worker.local_directory) as folder:
            settings = {"max_bin": self.parameters["max_bin"], "nthread": threads}
            rows = self.matrices(settings, Path(folder) if self.external else None)
            try:
                with _joined({**meeting, "dmlc_task_id": f"{self.place:08}", "dmlc_timeout": _WAIT}):
                    return self._together(*rows, {**self.parameters, "nthread": threads}, worker)
            except XGBoostError as error:
                if out_of_touch(error):
                    raise RuntimeError(said(error)) from None
                raise ConfigError(f"XGBoost cannot train: {said(error)}", where="xgboost") from None

    def _together(self, train: Rows, valid: Rows, parameters: Mapping[str, Any], worker: Any) -> dict[str, Any]:
        from xgboost.core import Booster

        matrix = train.quantised()
        if self.train[0].task != "regression":
            self._two_classes(matrix.get_label())
        matrices = {"train": matrix}
        if "valid" in self.watched:
            matrices["valid"] = valid.quantised(ref=matrix)
        evals = [(matrices[phase], phase) for phase in self.watched]
        start = bytearray(self._blobs.open(self.kept).read_bytes()) if self.kept else None
        booster = Booster(dict(parameters), [*matrices.values()], model_file=start)
        booster.set_param(dict(parameters))
        log, stopping = _log(self.history), early_stopping(self.patience)
        if stopping:
            for done in range(len(self.history)):  # as if these rounds had been made here
                stopping.after_iteration(booster, done, _upto(log, done + 1))
        epoch = len(self.history) - 1
        for epoch in range(len(self.history), self.rounds):
            booster.update(matrix, epoch)
            scores = _scores(booster.eval_set(evals, epoch))
            for phase, metrics in scores.items():
                for metric, value in metrics.items():
                    log.setdefault(phase, {}).setdefault(metric, []).append(value)
            ended = bool(stopping and stopping.after_iteration(booster, epoch, log))
            if self._told(worker, booster, epoch, scores, ended=ended) or ended:
                break
        if stopping and booster.num_boosted_rounds():
            booster = stopping.after_training(booster)
        _stopped.discard(self.topic)
        raw = bytes(booster.save_raw("ubj")) if self.place == 0 else b""
        return {"booster": raw, "rounds": epoch + 1}

    def _two_classes(self, labels: Any) -> None:
        import numpy as np
        from xgboost import collective

        few = np.asarray([labels.min(), -labels.max()], np.float64)
        low, high = collective.allreduce(few, collective.Op.MIN)
        if low == -high:
            raise one_class(self.train[0], int(low))

    @property
    def _blobs(self) -> Any:
        return self.train[0].table.blobs

    def _told(self, worker: Any, booster: Any, epoch: int, scores: Any, *, ended: bool) -> bool:
        """Tell of a round, and learn whether the client wants to stop: from place 0, for all must stop together."""
        import numpy as np
        from xgboost import collective

        if self.place == 0:
            kept = ""
            if self.checkpoint and (epoch + 1) % self.checkpoint == 0 and epoch + 1 < self.rounds and not ended:
                kept, _ = self._blobs.put_bytes(bytes(booster.save_raw("ubj")))
            flat = {f"{phase}_{name}": value for phase, found in scores.items() for name, value in found.items()}
            worker.log_event(self.topic, {"round": epoch, "scores": flat, "kept": kept})
        asked = np.asarray([self.place == 0 and self.topic in _stopped], np.int32)
        return bool(collective.allreduce(asked, collective.Op.MAX)[0])


@contextmanager
def _joined(args: Mapping[str, Any]) -> Iterator[None]:
    """Join the other workers; the tracker ranks by the task's id."""
    from xgboost.collective import CommunicatorContext

    context = CommunicatorContext(**args)
    with redirect_stdout(StringIO()):  # where XGBoost would say which rank it has
        context.__enter__()
    try:
        yield
    except BaseException:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where it would say that the others are gone
            context.__exit__()
        raise
    context.__exit__()


def _scores(told: str) -> dict[str, dict[str, float]]:
    """Read ``[3]  train-logloss:0.4  valid-logloss:0.5``."""
    found: dict[str, dict[str, float]] = {}
    for word in told.split()[1:]:
        name, _, value = word.rpartition(":")
        phase, _, metric = name.partition("-")
        found.setdefault(phase, {})[metric] = float(value)
    return found


def _log(history: tuple[Mapping[str, float], ...]) -> dict[str, dict[str, list[float]]]:
    log: dict[str, dict[str, list[float]]] = {}
    for scores in history:
        for name, value in scores.items():
            phase, _, metric = name.partition("_")
            log.setdefault(phase, {}).setdefault(metric, []).append(value)
    return log


def _upto(log: Mapping[str, Mapping[str, list[float]]], rounds: int) -> dict[str, dict[str, list[float]]]:
    return {phase: {m: values[:rounds] for m, values in metrics.items()} for phase, metrics in log.items()}


def ready() -> None:
    """Import XGBoost, which may take long, in a thread that may wait, and as the first to do so: its log goes there."""
    import xgboost.core  # noqa: F401  # imported for what that does


# What the client runs on the worker of place 0, beside its tasks.


def meet(topic: str, workers: int, host: str) -> dict[str, Any]:
    """Start the tracker through which the workers of a training find each other; returns how to reach it."""
    from xgboost.tracker import RabitTracker

    tracker = RabitTracker(n_workers=workers, host_ip=host, sortby="task")
    tracker.start()

    def wait() -> None:
        try:
            tracker.wait_for()
        except Exception:  # a worker was lost: the client knows
            return
        finally:
            _trackers.pop(topic, None)

    _trackers[topic] = tracker
    threading.Thread(target=wait, name="modelway-xgboost", daemon=True).start()
    return dict(tracker.worker_args())


def stop(topic: str) -> None:
    """End a training after the round in hand."""
    _stopped.add(topic)


# Pickled by value where a project's own plugin is part of it: no worker can import that.


def pack(share: Share) -> bytes:
    """Turn a share into bytes."""
    import cloudpickle

    with _by_value():
        packed: bytes = cloudpickle.dumps(share)
    return packed


def unpacked(share: bytes, meeting: Mapping[str, Any], born: str) -> dict[str, Any]:
    """Boost a packed share, on the very worker process that it was sent to: another one comes too late."""
    import pickle

    from distributed import get_worker

    if get_worker().local_directory != born:
        raise RuntimeError("the worker was started again")
    found: Share = pickle.loads(share)  # noqa: S301  # from the client that this worker obeys
    return found.boost(meeting)


@contextmanager
def _by_value() -> Iterator[None]:
    import sys

    import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    own = [m for name, m in list(sys.modules.items()) if name.startswith("modelway_project_") and name not in known]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)
