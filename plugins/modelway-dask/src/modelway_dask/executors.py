"""Executors of ``concurrent.futures`` whose calls go to Dask's workers, or to processes that joblib keeps."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from modelway import ComputeError
from modelway_dask import task
from modelway_dask.liveness import WITHIN
from modelway_dask.mapping import Crew, Sent, UnderWay
from modelway_dask.quiet import deaf

P = ParamSpec("P")
T = TypeVar("T")


class Tasks(Executor):
    """Calls as tasks of a cluster, one at a time for each worker; none waits for a cluster that is gone.

    Args:
        crew: The workers.
        keep: Whether calls that are under way go on when this is left.
    """

    def __init__(self, crew: Crew, *, keep: bool = False) -> None:
        self.crew, self.keep = crew, keep
        self._under_way = UnderWay(crew, task.alone)
        self._queue: deque[tuple[int, bytes]] = deque()
        self._answers: dict[int, Future[Any]] = {}
        self._count = itertools.count()
        self._ended: BaseException | None = None
        self._leave = False
        self._guide = threading.Thread(target=self._go_on, name="modelway-dask", daemon=True)
        self._guide.start()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Send a call to the next worker that has nothing to do."""
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()
        number, work = next(self._count), task.pack(partial(function, *args, **kwargs))
        if self._leave:
            raise RuntimeError("The executor was shut down")
        self._answers[number] = answer
        self._queue.append((number, work))
        self._under_way.news.put(None)
        if self._ended is not None:  # while this one was put down
            self._fail(self._ended)
        return answer

    def _go_on(self) -> None:
        workers, under_way = list(self.crew.workers), self._under_way
        try:
            while not self._leave:
                busy = {sent.worker for sent in under_way.waiting.values()}
                for worker in [w for w in workers if w not in busy]:
                    if self._queue:
                        number, work = self._queue.popleft()
                        self._keep(under_way.send(Sent(number, work, worker)))
                there = under_way.step()
                workers = self.crew.present(there) or workers if there else workers
                for number in list(under_way.done):
                    self._answer(number, *under_way.done.pop(number))
        except BaseException as error:  # whatever it is, somebody waits for answers
            self._ended = error
            self._fail(error)

    def _keep(self, future: Any) -> None:
        if self.keep:
            from distributed import fire_and_forget

            fire_and_forget(future)  # type: ignore[no-untyped-call]  # distributed has no types for it

    def _answer(self, number: int, value: bytes, error: BaseException | None) -> None:
        answer = self._answers.pop(number)
        if error is not None:
            answer.set_exception(error)
            return
        try:
            answer.set_result(task.unpack(value))
        except Exception as unread:  # it is the caller's to know
            answer.set_exception(unread)

    def _fail(self, error: BaseException) -> None:
        while self._answers:
            with suppress(KeyError):
                _, answer = self._answers.popitem()
                answer.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the calls that are under way, or drop them."""
        if wait and not cancel_futures:
            for answer in list(self._answers.values()):
                answer.exception()
        self._leave = True
        self._under_way.news.put(None)
        self._guide.join(WITHIN)
        if not self.keep:
            self._under_way.drop()
        self._fail(CancelledError())

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)


class Processes(Executor):
    """Calls in processes that joblib keeps; one that was lost is replaced, and its call made again.

    Args:
        count: Number of processes.
        retries: How often a call is made again because a process was lost.
    """

    def __init__(self, count: int, retries: int) -> None:
        self.count, self.retries = count, retries
        self._lock = threading.Lock()
        self._pool: Any = None

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Send a call to the next free process."""
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()
        self._send(task.pack(partial(function, *args, **kwargs)), answer, self.retries)
        return answer

    def _send(self, work: bytes, answer: Future[Any], left: int) -> None:
        from concurrent.futures.process import BrokenProcessPool

        with self._lock:
            try:
                sent = self._sent(work)
            except BrokenProcessPool:  # a process was lost meanwhile, and the whole pool with it
                self._pool = None
                sent = self._sent(work)
        sent.add_done_callback(partial(self._done, work, answer, left))

    def _sent(self, work: bytes) -> Any:
        if self._pool is None:
            from joblib.externals.loky import ProcessPoolExecutor

            self._pool = ProcessPoolExecutor(self.count, timeout=60)
        with deaf():
            return self._pool.submit(task.alone, work)

    def _done(self, work: bytes, answer: Future[Any], left: int, sent: Any) -> None:
        from concurrent.futures.process import BrokenProcessPool

        try:
            answer.set_result(task.unpack(sent.result()))
        except BrokenProcessPool:
            if left:
                self._send(work, answer, left - 1)
                return
            answer.set_exception(
                ComputeError(
                    f"A process was lost {self.retries + 1} times while it made this trial",
                    mend="The system's log says whether it ran out of memory: then set fewer launcher.n_jobs",
                )
            )
        except BaseException as error:  # whatever it is, it is the caller's
            answer.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, after what they are doing or at once."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=True, kill_workers=cancel_futures or not wait)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)
