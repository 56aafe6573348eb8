"""Training on the workers of a cluster: who reads what, checks before it starts, and going on when a worker is lost."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from modelway import ComputeError, Run, Split
from modelway_xgboost.layout import Layout
from modelway_xgboost.share import Share, meet, pack, ready, stop, unpacked
from modelway_xgboost.sizes import SHARE, Size, readable
from modelway_xgboost.watch import AGAIN, Lost, Watch

#: Seconds in which what workers told of their last rounds may still arrive.
_LATE = 5.0


@dataclass(frozen=True)
class Care:
    """What is done about lost workers.

    Attributes:
        checkpoint: A booster is kept after each so many rounds; 0 means never.
        restarts: How often training goes on from it.
        patience: Seconds to wait for workers.
        deadline: Seconds that the training may take; 0 means any.
    """

    checkpoint: int
    restarts: int
    patience: float
    deadline: float


def pieces_of(split: Split) -> list[Split]:
    """Return the pieces that have training rows."""
    return [piece for piece in split.pieces() if piece.count("train")]


def width(run: Run) -> int:
    """Return the number of workers that a training uses."""
    found = run.workers.shape.get("workers")
    return int(found) if found else len(run.workers.client.scheduler_info(n_workers=-1)["workers"])


def train(
    split: Split, pieces: Sequence[Split], layout: Layout, parameters: Mapping[str, Any], rounds: int,
    watched: Sequence[str], patience: int | None, memory: int | None, external: str, dense: bool, care: Care, run: Run,
) -> Any:  # fmt: skip
    """Train on the workers.

    Piece i goes to the worker of place i modulo their number, by sorted address; a worker reads its pieces in the rows'
    order, and the places are the ranks by which histograms are joined. So equal numbers of workers give equal bytes.

    Args:
        split: The split, for its validation rows.
        pieces: Those of its pieces that have training rows.
        layout: The columns.
        parameters: XGBoost's.
        rounds: Most rounds.
        watched: Phases that are scored after each round.
        patience: For early stopping.
        memory: Bytes of float32 that a worker may hold; None means what its memory limit allows.
        external: ``auto``, ``always`` or ``never``: whether workers keep the bins on disk.
        dense: Whether no value is missing.
        care: What is done about lost workers.
        run: The run.

    Returns:
        The booster.

    Raises:
        ComputeError: too little memory, too few workers, too many of them lost, or too late.
    """
    from xgboost.core import Booster

    count = width(run)
    validating = [piece for piece in split.pieces() if piece.count("valid")] if "valid" in watched else []
    parameters = {"seed_per_iteration": True, **parameters}  # a round draws the same rows wherever training goes on
    share = Share(
        "", 0, (), (), layout, parameters, rounds, tuple(watched), patience, care.checkpoint, memory or 0, False
    )
    shares = [
        replace(share, place=i, train=tuple(pieces[i::count]), valid=tuple(validating[i::count])) for i in range(count)
    ]
    found = Training(shares, memory, external, dense, care, run).carried_out()
    return Booster(model_file=bytearray(found))


class Training:
    """A training on its way.

    Args:
        shares: What each place does.
        memory: Bytes of float32 that a worker may hold; None means what its memory limit allows.
        external: ``auto``, ``always`` or ``never``.
        dense: Whether no value is missing.
        care: What is done about lost workers.
        run: The run.
    """

    def __init__(
        self, shares: Sequence[Share], memory: int | None, external: str, dense: bool, care: Care, run: Run
    ) -> None:
        self.shares, self.memory, self.external, self.care, self.run = shares, memory, external, care, run
        self.client = run.workers.client
        self.watch = Watch(self.client, care.patience, care.deadline)
        self.sizes = [Size.of(s.matrices({"max_bin": s.parameters["max_bin"]}), dense) for s in shares]
        self.rows = [sum(piece.count("train") for piece in s.train) for s in shares]
        self.history: list[Mapping[str, float]] = []
        self.kept = ("", 0)
        self.reported = -1

    def carried_out(self) -> bytes:
        """Train, going on from the last booster kept as often as is allowed; returns the booster's bytes."""
        lost: list[str] = []
        with self.watch.alone("modelway-xgboost"):
            while True:
                addresses = self._workers(lost)
                shares = self._placed(addresses)
                self._log(addresses, shares, lost)
                try:
                    return self._attempt(addresses, shares)
                except Lost as reason:
                    lost.append(str(reason))
                    if len(lost) > self.care.restarts:
                        raise ComputeError(
                            f"Training lost workers {len(lost)} times, and goes on {self.care.restarts} times at most:"
                            f" {reason}", where="step train",
                            mend=f"Their logs say why. Use more workers or give them more memory. {AGAIN}",
                        ) from None  # fmt: skip
                    self.run.progress("restarts after a lost worker", len(lost), self.care.restarts)

    def _workers(self, lost: Sequence[str]) -> list[str]:
        count = len(self.shares)
        found = self.watch.enough(count)
        if len(found) < count:
            why = f" ({lost[-1]})" if lost else ""
            raise ComputeError(
                f"Training needs {count} workers, and {len(found)} are there after {self.care.patience:g} seconds{why}",
                where="step train", mend=f"Start more workers. {AGAIN}",
            )  # fmt: skip
        return found[:count]

    def _placed(self, addresses: Sequence[str]) -> list[Share]:
        """Say for each share how it keeps its rows, by the memory of the worker that gets it."""
        found = []
        for share, address, size in zip(self.shares, addresses, self.sizes, strict=True):
            limit = self.watch.known[address].limit
            room = limit * SHARE if limit else float("inf")
            on_disk = self.external == "always" or (self.external == "auto" and size.streamed > room)
            needed = size.external if on_disk else size.streamed
            if needed > room:
                raise ComputeError(
                    f"Step train needs about {readable(needed / SHARE)} on each worker, and worker {address}"
                    f" has {readable(limit)}",
                    where=f"{len(addresses)} workers, {max(self.rows)} rows each at most",
                    mend="Use more workers, give them more memory"
                    + (", or set external_memory to 'auto'" if self.external == "never" else ""),
                )
            memory = self.memory
            if memory is None:
                memory = int(max(room - size.streamed, 0)) if limit else size.held
            found.append(replace(share, memory=memory, external=on_disk))
        return found

    def _log(self, addresses: Sequence[str], shares: Sequence[Share], lost: Sequence[str]) -> None:
        self.run.log("workers", {
            "count": len(shares),
            "threads": [self.watch.known[address].threads for address in addresses],
            "rows": self.rows,
            "pieces": [len(share.train) for share in shares],
            "bins": ["disk" if share.external else "memory" for share in shares],
            "lost": list(lost),
        })  # fmt: skip

    def _attempt(self, addresses: Sequence[str], shares: Sequence[Share]) -> bytes:
        topic = f"modelway-xgboost-{uuid.uuid4().hex}"
        host = addresses[0].rpartition("://")[2].rpartition(":")[0].strip("[]")
        digest, rounds = self.kept
        with self.watch.events(topic) as events:
            warm = [self.client.submit(ready, workers=[address], pure=False) for address in addresses]
            self.watch.until_done(warm, addresses, events, lambda event: None)
            meeting = self.watch.ask(meet, topic, len(shares), host, at=addresses[0])
            futures = []
            for share, address in zip(shares, addresses, strict=True):
                begun = replace(share, topic=topic, kept=digest, history=tuple(self.history[:rounds]))
                work = (unpacked, pack(begun), meeting, self.watch.known[address].born)
                futures.append(self.client.submit(*work, workers=[address], pure=False, key=f"{topic}-{share.place}"))
            try:
                self.watch.until_done(futures, addresses, events, lambda event: self._told(event, topic, addresses[0]))
                found: dict[str, Any] = futures[0].result()
            except BaseException as error:
                if not isinstance(error, Lost) and addresses[0] in self.watch.now:
                    with suppress(Lost):
                        self.watch.ask(stop, topic, at=addresses[0])
                self.watch.end(futures, addresses, force=isinstance(error, (Lost, ComputeError)))
                raise
            until = time.monotonic() + _LATE
            with suppress(queue.Empty):
                while len(self.history) < found["rounds"] and time.monotonic() < until:
                    event = events.get(timeout=_LATE)
                    if event is not None:
                        self._told(event, topic, addresses[0])
            return bytes(found["booster"])

    def _told(self, event: Mapping[str, Any], topic: str, address: str) -> None:
        done = event["round"]
        self.history[done:] = [event["scores"]]
        if event["kept"]:
            self.kept = (event["kept"], done + 1)
        if done > self.reported:  # rounds that are made again were told already
            self.reported = done
            if not self.run.report(done, event["scores"]):
                self.watch.ask(stop, topic, at=address)
