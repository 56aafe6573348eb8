"""Is the cluster still there? Every wait for it asks, so that none is for ever."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelway import ComputeError
from modelway_dask.machine import told

#: Seconds between two looks, and seconds that one look may take.
EVERY, WITHIN = 1.0, 5.0
AGAIN = "Repeat the command: it goes on after the last finished step"


@dataclass
class Seen:
    """What is known of a worker: its memory limit (0: none), and the most memory that it was seen with, in bytes."""

    limit: int = 0
    most: int = 0


class Watch:
    """Looks after a scheduler and its workers.

    Args:
        client: A ``distributed.Client``.
        patience: Seconds that the scheduler may be silent, or that there may be no worker that works.
    """

    def __init__(self, client: Any, patience: float) -> None:
        self.client, self.patience = client, patience
        self.address = str(client.scheduler.address)
        self.seen: dict[str, Seen] = {}
        self._looked = self._answered = self._worked = time.monotonic()

    def look(self) -> Mapping[str, Any]:
        """Return what the scheduler knows of each worker, by address.

        Raises:
            ComputeError: it does not answer, or is gone.
        """
        self._looked = time.monotonic()
        while True:
            if self.client.status != "running":  # once the connection is lost, so is what was sent through it
                raise gone(self.address)
            try:
                info = self.client.sync(self.client.scheduler.identity, callback_timeout=WITHIN)
            except Exception as error:  # closed, cut, timed out, or None between two connections
                if time.monotonic() - self._answered > self.patience:
                    raise gone(self.address, f" for {self.patience:g} seconds") from error
                time.sleep(0.2)
                continue
            break
        self._answered = time.monotonic()
        workers: Mapping[str, Any] = info["workers"]
        for address, facts in workers.items():
            found = self.seen.setdefault(address, Seen())
            found.limit = int(facts.get("memory_limit") or 0)
            found.most = max(found.most, int(facts.get("metrics", {}).get("memory") or 0))
        return workers

    def check(self) -> Mapping[str, Any] | None:
        """Look, if the last look was a while ago; to be called by everything that waits for work.

        Returns:
            As ``look``; None where it was not time to look.

        Raises:
            ComputeError: the scheduler is gone, or there has been no worker that works for too long.
        """
        if time.monotonic() - self._looked < EVERY:
            return None
        workers = self.look()
        if any(facts.get("status") == "running" for facts in workers.values()):
            self._worked = time.monotonic()
        if time.monotonic() - self._worked <= self.patience:
            return workers
        if not workers:
            raise ComputeError(
                f"All workers are lost, and none came back within {self.patience:g} seconds", where=self.address,
                mend=f"Their logs say why they ended. Start workers. {AGAIN}",
            )  # fmt: skip
        limits = ", ".join(sorted({told(self.seen[address].limit) for address in workers}))
        raise ComputeError(
            f"No worker has taken up work for {self.patience:g} seconds: their memory is full (limit {limits})",
            where=self.address, mend="Give the workers more memory, or use more workers with smaller parts",
        )  # fmt: skip

    def ended(self) -> list[dict[str, Any]]:
        """Return what is known of workers that were ended for their memory, last one last: ``worker`` and ``rss``."""
        try:
            events = self.client.sync(
                self.client.scheduler.events, topic="worker-restart-memory", callback_timeout=WITHIN
            )
        except Exception:  # the cluster is ending: there is nothing more to learn
            return []
        return [event for _, event in events if isinstance(event, dict) and "rss" in event]


def gone(address: str, how_long: str = "") -> ComputeError:
    """Return the error for a scheduler that is not there any more."""
    what = f"The cluster's scheduler does not answer{how_long}" if how_long else "The cluster's scheduler is gone"
    return ComputeError(what, where=address, mend=f"Its log says why. Start it again, or use another compute. {AGAIN}")
