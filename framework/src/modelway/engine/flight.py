"""Single flight: of several runs that want one step, one computes it and the others take what it made."""

from __future__ import annotations

import functools
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from modelway.errors import ConflictError, LedgerError
from modelway.ledger import Ledger
from modelway.store import Manifest

_SECONDS = 30.0
#: Seconds between two looks at whether the other holder is done: at first, and at most.
_LOOK, _LOOK_AT_MOST = 0.05, 0.5


def holder() -> str:
    """Name this process so that others of the host can tell whether it is still alive."""
    return f"{host()}|{os.getpid()}|{_birth(os.getpid())}|{uuid.uuid4().hex[:8]}"


def dead(name: str) -> bool:
    """Return whether a holder is known to be dead: of this host, and its process gone or another one's.

    Of a holder on another host nothing is known: its lease has to run out.
    """
    where, pid, birth, _ = name.rsplit("|", 3)
    return where == host() and _birth(int(pid)) != birth


def alive(name: str) -> bool:
    """Return whether a holder is known to be alive: of this host, and its process is there."""
    where, pid, birth, _ = name.rsplit("|", 3)
    return where == host() and _birth(int(pid)) == birth


def process(name: str) -> int:
    """Return the number of a holder's process."""
    return int(name.rsplit("|", 3)[1])


@functools.cache
def host() -> str:
    """Name what this process shares its process numbers with: equal names of hosts, or of containers, do not matter."""
    told = platform.node()
    with suppress(OSError):
        told += f"-{Path('/proc/sys/kernel/random/boot_id').read_text().strip()[:8]}-{os.readlink('/proc/self/ns/pid')}"
    return told


def _birth(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; empty if it is gone, or only waits to be reaped."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in "ZX" else rest[18]
    except (OSError, IndexError, ValueError):
        if Path("/proc/self/stat").exists():
            return ""
        try:
            os.kill(pid, 0)
        except OSError:
            return ""
        return "alive"


class Flight:
    """A context in which this process alone computes a fingerprint.

    Entering waits for another living holder, and returns what it committed, if it did. Leaving gives the lease back.

    Args:
        ledger: Where leases are.
        fingerprint: What is to be computed.
        look: Looks in the store for what another holder committed.
        waiting: Told once, when there is another holder to wait for.
    """

    def __init__(
        self, ledger: Ledger, fingerprint: str, look: Callable[[], Manifest | None], waiting: Callable[[], None]
    ) -> None:
        self.ledger, self.fingerprint, self.look, self.waiting = ledger, fingerprint, look, waiting
        self.token: int | None = None
        self._ended = threading.Event()
        self._renewer: threading.Thread | None = None

    def __enter__(self) -> Manifest | None:
        told, name, pause = False, holder(), _LOOK
        while True:
            self.token = self.ledger.lease(self.fingerprint, name, dead, _SECONDS)
            try:
                found = self.look()
            except BaseException:
                self._give_back()
                raise
            if found is not None:
                return found
            if self.token is not None:
                self._renewer = threading.Thread(target=self._renew, name="modelway-lease", daemon=True)
                self._renewer.start()
                return None
            if not told:
                self.waiting()
                told = True
            time.sleep(pause)
            pause = min(pause * 1.25, _LOOK_AT_MOST)

    def _renew(self) -> None:
        while not self._ended.wait(_SECONDS / 3):
            with suppress(LedgerError):  # out of reach for a moment: ``fence`` decides
                if self.token is None or not self.ledger.renew(self.fingerprint, self.token, _SECONDS):
                    return

    def fence(self) -> None:
        """Make sure that the lease is still held; to be called right before committing.

        Raises:
            ConflictError: another holder took it over, because this one was silent for too long.
        """
        if self.token is None or not self.ledger.renew(self.fingerprint, self.token, _SECONDS):
            raise ConflictError(
                "This run was silent for so long that another one took its step over; nothing was committed",
                mend="Repeat the command: it takes what the other one made",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._renewer is not None:
            self._renewer.join()  # or it might renew what is given back
        self._give_back()

    def _give_back(self) -> None:
        if self.token is not None:
            with suppress(LedgerError):  # it runs out by itself, and must not hide why the step failed
                self.ledger.release(self.fingerprint, self.token)
