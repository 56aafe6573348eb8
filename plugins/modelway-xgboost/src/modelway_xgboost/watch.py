"""Watching the workers of a training, so that no wait is for ever and a lost worker is told in plain words."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from modelway import ComputeError, ModelwayError
from modelway_xgboost.sizes import readable

AGAIN = "Repeat the command: it goes on after the last finished step"
#: Seconds between two looks, that one answer may take, that a worker or scheduler may be silent, and to end in.
EVERY, ANSWER, SILENT, ENDING = 1.0, 10.0, 30.0, 10.0


class Lost(Exception):
    """A worker of the training is gone, or they lost touch; its text says which and why."""


@dataclass
class Known:
    """What is known of a worker.

    Attributes:
        born: Its local folder, which a worker that was started again does not share.
        threads: Its threads.
        limit: Bytes of memory that it may take; 0 means any.
        nanny: Whether it can be started again from outside.
        memory: Bytes that it took when last heard of.
        heard: What the scheduler noted as the time that it was last heard of.
        since: When that was noted here.
    """

    born: str
    threads: int
    limit: int
    nanny: bool
    memory: int = 0
    heard: float = 0.0
    since: float = 0.0


class Watch:
    """Looks after the workers.

    Args:
        client: A ``distributed.Client``.
        patience: Seconds to wait for workers.
        deadline: Seconds from now until when all must be done; 0 means any.
    """

    def __init__(self, client: Any, patience: float, deadline: float) -> None:
        self.client, self.patience, self.deadline = client, patience, deadline
        self.began = self.looked = self.answered = time.monotonic()
        self.known: dict[str, Known] = {}
        self.there: set[str] = set()  # known to the scheduler
        self.now: set[str] = set()  # those of them that were heard of lately

    def look(self) -> None:
        """Ask the scheduler.

        Raises:
            ComputeError: it is gone, or the deadline has passed.
        """
        self.looked = time.monotonic()
        if self.deadline and self.looked - self.began > self.deadline:
            raise ComputeError(
                f"Training is not done within its deadline of {self.deadline:g} seconds", where="step train",
                mend="Use more workers or fewer rounds, or set 'deadline' higher",
            )  # fmt: skip
        try:
            info = self.client.sync(self.client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER)
        except Exception as error:  # closed, cut off, timed out, or between two connections
            if self.client.status in ("closed", "closing") or time.monotonic() - self.answered > SILENT:
                raise ComputeError(
                    "The cluster's scheduler does not answer", where="step train",
                    mend=f"Its log says why. Start it again, or use another compute. {AGAIN}",
                ) from error  # fmt: skip
            return
        self.answered = time.monotonic()
        self.there, self.now = set(info["workers"]), set()
        for address, facts in info["workers"].items():
            known = self.known.get(address)
            if known is None or known.born != facts["local_directory"]:
                limit = int(facts.get("memory_limit") or 0)
                known = Known(facts["local_directory"], int(facts["nthreads"]), limit, bool(facts.get("nanny")))
                self.known[address] = known
            known.memory = int(facts.get("metrics", {}).get("memory") or 0)
            if facts["last_seen"] != known.heard:
                known.heard, known.since = facts["last_seen"], self.answered
            if self.answered - known.since <= SILENT:
                self.now.add(address)

    def enough(self, count: int) -> list[str]:
        """Wait for so many workers; returns the addresses of those there are, sorted: fewer if no more came."""
        until = time.monotonic() + self.patience
        while True:
            self.look()
            if len(self.now) >= count or time.monotonic() > until:
                return sorted(self.now)
            time.sleep(0.2)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Wait for other trainings to end: two at once could wait for each other's workers for ever.

        Raises:
            ComputeError: the scheduler is gone, or the deadline has passed.
        """
        from distributed import Lock

        made: Any = Lock
        lock = made(name, scheduler_rpc=self.client.scheduler, loop=self.client.loop)
        while True:
            with suppress(OSError, TimeoutError):
                if lock.acquire(timeout=ANSWER):
                    break
            self.look()
        try:
            yield
        finally:
            with suppress(Exception):  # a scheduler that is gone holds no lock
                lock.release()

    @contextmanager
    def events(self, topic: str) -> Iterator[queue.Queue[Any]]:
        """Subscribe to what workers tell under a topic."""
        found: queue.Queue[Any] = queue.Queue()
        self.client.subscribe_topic(topic, lambda event: found.put(event[1]))
        try:
            yield found
        finally:
            with suppress(Exception):
                self.client.unsubscribe_topic(topic)

    def ask(self, function: Callable[..., Any], *words: Any, at: str) -> Any:
        """Call a function on a worker at once, whatever it does meanwhile.

        Raises:
            Lost: it does not answer.
        """
        if self.client.status != "running":
            raise Lost("the scheduler does not answer")
        try:
            return self.client.sync(self.client.run, function, *words, workers=[at], callback_timeout=ANSWER * 3)[at]
        except (OSError, TimeoutError, KeyError) as error:
            raise Lost(f"worker {at} does not answer") from error

    def until_done(
        self, futures: Sequence[Any], addresses: Sequence[str], events: queue.Queue[Any], each: Callable[[Any], None]
    ) -> None:
        """Wait until all futures are done, handing each event over as it comes.

        Raises:
            Lost: a worker is gone.
            ComputeError: the scheduler is gone, or the deadline has passed.
            ModelwayError: what a worker raised.
        """
        born = {address: self.known[address].born for address in addresses}
        for future in futures:
            future.add_done_callback(lambda _: events.put(None))
        while True:
            with suppress(queue.Empty):
                event = events.get(timeout=EVERY / 2)
                if event is not None:
                    each(event)
                    continue
            if any(future.status in ("error", "cancelled", "lost") for future in futures):
                self._raise(futures, born, events, each)
            if all(future.done() for future in futures):
                return
            if time.monotonic() - self.looked > EVERY:
                self.look()
                gone = self._gone(born)
                if gone:
                    raise Lost(self._why(gone))

    def _gone(self, born: Mapping[str, str]) -> list[str]:
        return [a for a, place in born.items() if a not in self.now or self.known[a].born != place]

    def _raise(
        self, futures: Sequence[Any], born: Mapping[str, str], events: queue.Queue[Any], each: Callable[[Any], None]
    ) -> None:
        """Raise what a worker said, or tell which one is gone: the others' errors only follow from that."""
        until = time.monotonic() + ENDING
        while time.monotonic() < until:
            errors = [future.exception() for future in futures if future.status == "error"]
            for error in errors:
                if isinstance(error, ModelwayError):
                    raise error
                if not isinstance(error, RuntimeError) and type(error).__name__ != "KilledWorker":
                    raise error
            self.look()
            gone = self._gone(born)
            if gone:
                raise Lost(self._why(gone))
            if all(future.done() for future in futures):
                until = min(until, time.monotonic() + EVERY * 3)  # the scheduler may not have noticed yet
            time.sleep(EVERY / 4)
        said = next((str(error) for error in errors), "a task was cancelled")
        raise Lost(f"the workers lost touch with each other: {said[:200]}")

    def _why(self, gone: Sequence[str]) -> str:
        told = []
        for address in gone:
            known = self.known[address]
            rss = self._ended_at(address) or (known.memory if known.limit and known.memory > 0.8 * known.limit else 0)
            full = f", with {readable(rss)} of its {readable(known.limit)} of memory taken" if rss else ""
            told.append(f"worker {address} was lost{full}")
        return "; ".join(told)

    def _ended_at(self, address: str) -> int:
        with suppress(Exception):
            found = self.client.sync(
                self.client.scheduler.events, topic="worker-restart-memory", callback_timeout=ANSWER
            )
            for _, event in reversed(found):
                if event.get("worker") == address:
                    return int(event["rss"])
        return 0

    def end(self, futures: Sequence[Any], addresses: Sequence[str], *, force: bool) -> None:
        """Give up what still runs.

        Args:
            futures: What was asked for.
            addresses: Who was asked.
            force: Whether workers that do not come to an end are started again.
        """
        asked = list(zip(futures, addresses, strict=True))
        with suppress(Exception):  # a cluster that is gone has ended
            until = time.monotonic() + (ENDING if force else 0)
            while time.monotonic() < until and not all(f.done() or address not in self.now for f, address in asked):
                time.sleep(EVERY / 4)
            busy = [address for future, address in asked if not future.done() and address in self.there]
            self.client.sync(self.client.cancel, list(futures), force=True, callback_timeout=ANSWER)
            held = [address for address in busy if self.known[address].nanny]
            if force and held:
                self.client.restart_workers(held, timeout=SILENT, raise_for_error=False)
