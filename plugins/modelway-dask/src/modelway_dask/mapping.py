"""Mapping over a cluster: in order, bounded, placed the same way each time, and never waiting for what is gone.

An item is sent to one worker and no other. Where that worker is lost, the item is sent anew from here: the scheduler
would keep a task whose worker does not exist any more, though others came.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from modelway import ComputeError
from modelway_dask import task
from modelway_dask.liveness import AGAIN, EVERY, WITHIN, Watch
from modelway_dask.troubles import failure, killed

#: Items under way for each worker thread, and how many results may be waiting for an earlier one.
EACH, AHEAD = 2, 16
#: Bytes above which a function is sent once to each worker, rather than with each item.
LARGE = 50_000


@dataclass(frozen=True)
class Sent:
    """An item under way: its place in the order, itself, its worker, and how many workers were lost over it."""

    place: int
    item: bytes
    worker: str
    lost: int = 0


class Crew:
    """The workers of a cluster that were found fit for the run's work.

    Args:
        client: A ``distributed.Client``.
        watch: Looks after its cluster.
        workers: Their addresses.
        retries: How many of them may be lost over one item.
        fit: Whether a worker that came later is fit too; raises where it would do the work differently.
    """

    def __init__(self, client: Any, watch: Watch, workers: list[str], retries: int, fit: Callable[[str], bool]) -> None:
        self.client, self.watch, self.workers, self.retries = client, watch, workers, retries
        self._fit, self._known = fit, set(workers)

    def present(self, workers: Iterable[str]) -> list[str]:
        """Return those workers that are fit, sorted.

        Raises:
            ComputeError: one has other code, or does not see the store.
        """
        for worker in workers:
            if worker not in self._known and self._fit(worker):
                self._known.add(worker)
        return sorted(self._known.intersection(workers))


class Mapped:
    """Maps over a crew: item i goes to worker i mod n, and elsewhere once that one is lost.

    Args:
        crew: The workers.
        threads: Threads of each worker.
    """

    def __init__(self, crew: Crew, threads: int) -> None:
        self.crew = crew
        self.width = EACH * max(threads, 1) * len(crew.workers)

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Apply a function to items.

        Raises:
            ComputeError: the cluster cannot finish the work.
            Exception: as the function raised it for the first item, in order, that it fails for.
        """
        work: Any = task.pack(function)
        if len(work) > LARGE:
            work = self.crew.client.submit(task.hold, work, pure=False)
        under_way, workers = UnderWay(self.crew, task.call, work), self.crew.workers
        left, more, sent, turn = enumerate(items), True, 0, 0
        try:
            while more or under_way.waiting or under_way.done:
                while more and len(under_way.waiting) < self.width and sent - turn < AHEAD * self.width:
                    place, item = next(left, (-1, None))
                    more = place >= 0
                    if more:
                        under_way.send(Sent(place, task.pack(item), workers[place % len(workers)]))
                        sent += 1
                while turn in under_way.done:
                    value, error = under_way.done.pop(turn)
                    if error is not None:
                        raise error
                    yield task.unpack(value)
                    turn += 1
                if under_way.waiting and turn not in under_way.done:
                    under_way.step()
        finally:
            under_way.drop()


class UnderWay:
    """What was sent to a crew, and what has come back.

    Args:
        crew: The workers.
        function: What they do with an item.
        given: Arguments that come before the item.
    """

    def __init__(self, crew: Crew, function: Callable[..., bytes], *given: Any) -> None:
        self.crew, self.client, self.watch = crew, crew.client, crew.watch
        self.function, self.given = function, given
        self.waiting: dict[Any, Sent] = {}
        self.done: dict[int, tuple[bytes, BaseException | None]] = {}
        self.news: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def send(self, sent: Sent) -> Any:
        """Send an item, and return its future."""
        future = self.client.submit(
            self.function, *self.given, sent.item, pure=False, workers=[sent.worker], allow_other_workers=False
        )
        self.waiting[future] = sent
        future.add_done_callback(self.news.put)
        return future

    def step(self) -> Iterable[str] | None:
        """Wait for the next thing to happen, a second at most; returns the workers where it was time to look.

        Raises:
            ComputeError: the cluster is gone.
        """
        try:
            future = self.news.get(timeout=EVERY)
        except queue.Empty:
            future = None
        if future in self.waiting:
            self._take(future)
        workers = self.watch.check()
        if workers:
            for future, sent in list(self.waiting.items()):
                if sent.worker not in workers:
                    self._again(future, workers)
        return workers

    def _take(self, future: Any) -> None:
        sent = self.waiting[future]
        if future.status == "error":
            del self.waiting[future]
            self.done[sent.place] = b"", failure(future, self.watch)
            return
        until = time.monotonic() + self.watch.patience
        while future.status == "finished":
            try:
                value = future.result(timeout=WITHIN)
            except Exception as error:  # the result lay on a worker that is lost, or takes its time
                workers = self.watch.look()
                if workers and sent.worker not in workers:
                    self._again(future, workers)
                    return
                if time.monotonic() > until:
                    raise ComputeError(
                        f"A result cannot be fetched from a worker: {type(error).__name__}",
                        where=f"worker {sent.worker}", mend=AGAIN,
                    ) from error  # fmt: skip
                continue
            del self.waiting[future]
            self.done[sent.place] = value, None
            return
        if future.status == "pending":  # it was done, and its worker is lost: it is sent again when that is known
            future.add_done_callback(self.news.put)
            return
        raise failure(future, self.watch)

    def _again(self, future: Any, workers: Iterable[str]) -> None:
        sent = self.waiting[future]
        if sent.lost < self.crew.retries:
            present = self.crew.present(workers)
            if not present:
                return  # not yet
            del self.waiting[future]
            self.send(replace(sent, worker=present[sent.place % len(present)], lost=sent.lost + 1))
        else:
            del self.waiting[future]
            self.done[sent.place] = b"", killed(sent.worker, sent.lost + 1, self.watch)
        self._cancel([future])

    def drop(self) -> None:
        """Let go of all that is under way."""
        if self.waiting and self.client.status == "running":
            self._cancel(list(self.waiting))

    def _cancel(self, futures: list[Any]) -> None:
        try:
            self.client.sync(self.client.cancel, futures, callback_timeout=WITHIN)
        except Exception:  # nobody is there to be told
            return
