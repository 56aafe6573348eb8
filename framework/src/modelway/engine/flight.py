"""Single flight: of several runs that want one step, one computes it and the others take what it made."""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from modelway.errors import ConflictError
from modelway.ledger import Ledger
from modelway.store import Manifest

_SECONDS = 30.0


def holder() -> str:
    """Name this process so that others on the host can tell whether it is still alive."""
    return f"{platform.node()}|{os.getpid()}|{_birth(os.getpid())}|{uuid.uuid4().hex[:8]}"


def dead(name: str) -> bool:
    """Return whether a holder is known to be dead: of this host, and its process gone or another one's."""
    host, pid, birth, _ = name.rsplit("|", 3)
    return host == platform.node() and _birth(int(pid)) != birth


def _birth(pid: int) -> str:
    """Return when a process started, in clock ticks since boot, with the boot's id; empty if it is gone."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{boot}-{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
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
        self._timer: threading.Timer | None = None
        self._lost = False

    def __enter__(self) -> Manifest | None:
        told, name = False, holder()
        while True:
            self.token = self.ledger.lease(self.fingerprint, name, dead, _SECONDS)
            if self.token is not None:
                self._renew_later()
                return self.look()
            found = self.look()
            if found is not None:
                return found
            if not told:
                self.waiting()
                told = True
            time.sleep(0.05)

    def _renew_later(self) -> None:
        self._timer = threading.Timer(_SECONDS / 3, self._renew)
        self._timer.daemon = True
        self._timer.start()

    def _renew(self) -> None:
        if self.token is not None:
            self._lost = not self.ledger.renew(self.fingerprint, self.token, _SECONDS)
            if not self._lost:
                self._renew_later()

    def fence(self) -> None:
        """Make sure that the lease is still held; to be called right before committing.

        Raises:
            ConflictError: another holder took it over, because this one was silent for too long.
        """
        if self._lost or self.token is None or not self.ledger.renew(self.fingerprint, self.token, _SECONDS):
            raise ConflictError(
                "This run was silent for so long that another one took its step over; nothing was committed",
                mend="Repeat the command: it takes what the other one made",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.token is not None:
            self.ledger.release(self.fingerprint, self.token)
