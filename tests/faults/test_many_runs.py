"""Many runs at once on one store, of one host and of several: nothing is computed twice, lost, or left by half.

Each test takes up to a minute, so none is part of the ordinary tests. PostgreSQL is needed for half of them, and is
installed from Debian where ``MODELWAY_INSTALL`` is set and root asks; without it they are skipped::

    MODELWAY_RUNS=16 python -m pytest tests/faults/test_many_runs.py -m faults -s
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from modelway.engine import flight
from modelway.errors import ConflictError
from modelway.ledger import Ledger
from modelway.store import Store

pytestmark = pytest.mark.faults

RUNS = int(os.environ.get("MODELWAY_RUNS", "16"))
SEED = int(os.environ.get("MODELWAY_SEED", "0"))


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the runs' ledger is."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger" / "ledger.db")
    made: str = request.getfixturevalue("postgresql")()
    return made


def parameters(i: int) -> tuple[str, ...]:
    """Of each run: every two of them want one model, and all of them want the same data and features."""
    return (f"model.sharpness={1 + i // 2 / 10}",)


def started(bench: Any, count: int, **env: str) -> list[subprocess.Popen[str]]:
    """Start runs that differ in parameters."""
    return [bench.start("run", "shop", *parameters(i), "--json", **env) for i in range(count)]


def ended(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Wait until they have ended; returns what those that failed said."""
    told = [(process.communicate(timeout=300)[1], process.returncode) for process in processes]
    return [f"{code}: {err}" for err, code in told if code]


def computed(ledger: Ledger) -> Counter[str]:
    """Count how often each fingerprint was computed, by what runs on record say of their steps."""
    rows = ledger.db.execute("SELECT fingerprint, status FROM steps WHERE fingerprint <> ''")
    counts = Counter({row["fingerprint"]: 0 for row in rows})
    counts.update(row["fingerprint"] for row in rows if row["status"] == "ran")
    return counts


def whole(store: Store, ledger: Ledger) -> None:
    """Make sure that what runs on record name is in the store, every byte of it."""
    for fingerprint in ledger.needed():
        manifest = store.lookup(fingerprint)
        assert manifest is not None, fingerprint
        for digest, size in manifest.files.values():
            assert store.open(digest).stat().st_size == size


def committers(store: Store, ledger: Ledger) -> None:
    """Make sure that each artifact is the one that a run on record computed, and that all runs took that one."""
    rows = ledger.db.execute("SELECT run, fingerprint, digest, status FROM steps WHERE fingerprint <> ''")
    for row in rows:
        manifest = store.lookup(row["fingerprint"])
        assert manifest is not None
        assert manifest.digest == row["digest"]
        if row["status"] == "ran":
            assert manifest.facts["run"] == row["run"], "it was committed twice"


def test_runs_at_once_compute_and_commit_each_shared_step_once(bench: Any, ledger_url: str) -> None:
    began = time.perf_counter()
    failed = ended(started(bench, RUNS, MODELWAY_LEDGER=ledger_url))
    took = time.perf_counter() - began
    assert failed == []
    ledger, store = Ledger(ledger_url), Store(str(bench.root / ".modelway"))
    runs = ledger.runs(limit=1000)
    assert len(runs) == RUNS
    assert {row["status"] for row in runs} == {"done"}
    assert {len(ledger.steps(row["id"])) for row in runs} == {len(ledger.steps(runs[0]["id"]))}
    counts = computed(ledger)
    assert set(counts.values()) == {1}, "a step was computed twice"
    committers(store, ledger)
    whole(store, ledger)
    assert [row["number"] for row in ledger.versions("shop")] == list(range((RUNS + 1) // 2, 0, -1))
    assert list(ledger.aliases("shop")) == ["champion"]
    steps = sum(len(ledger.steps(row["id"])) for row in runs)
    print(f"\n{RUNS} runs, {steps} steps of {len(counts)} kinds: each computed once; {took:.1f} s")


def holders(ledger: Ledger) -> list[int]:
    """Return the processes that compute a step now."""
    rows = ledger.db.execute(f"SELECT holder FROM leases WHERE expires > {ledger.db.clock}")
    return [int(row["holder"].split("|")[1]) for row in rows]


def test_holders_that_are_killed_are_taken_over_and_only_what_was_in_hand_is_computed_again(
    bench: Any, ledger_url: str
) -> None:
    draw, ledger, store = random.Random(SEED), Ledger(ledger_url), Store(str(bench.root / ".modelway"))
    processes = {process.pid: process for process in started(bench, RUNS, MODELWAY_LEDGER=ledger_url)}
    killed: set[int] = set()
    while len(killed) < RUNS // 4 and any(process.poll() is None for process in processes.values()):
        time.sleep(draw.uniform(0.0, 0.2))
        for pid in holders(ledger)[:1]:
            if pid not in killed and processes[pid].poll() is None:
                processes[pid].kill()
                killed.add(pid)
    began = time.perf_counter()
    failed = ended(list(processes.values()))
    assert len(failed) == len(killed) > 0
    assert all(text.startswith("-9") for text in failed), failed
    assert len([row for row in ledger.runs(limit=1000) if row["status"] == "done"]) == RUNS - len(killed)
    again = sum(max(count - 1, 0) for count in computed(ledger).values())
    assert again == 0, "what was committed was computed again"
    whole(store, ledger)
    assert ended(started(bench, 2, MODELWAY_LEDGER=ledger_url)) == []
    whole(store, ledger)
    took = time.perf_counter() - began
    print(f"\n{RUNS} runs, {len(killed)} holders killed; {again} steps on record twice; the rest took {took:.1f} s")


def test_hosts_with_ledgers_of_their_own_share_what_is_in_the_store(
    bench: Any, ledger_url: str, tmp_path: Path, postgresql_or_file: Any
) -> None:
    other = postgresql_or_file(ledger_url)
    half = RUNS // 2
    processes = started(bench, half, MODELWAY_LEDGER=ledger_url) + started(bench, half, MODELWAY_LEDGER=other)
    assert ended(processes) == []
    store, ledgers = Store(str(bench.root / ".modelway")), [Ledger(ledger_url), Ledger(other)]
    both: Counter[str] = Counter()
    for ledger in ledgers:
        assert {row["status"] for row in ledger.runs(limit=100)} == {"done"}
        counts = computed(ledger)
        assert max(counts.values()) == 1, "a step was computed twice on one host"
        both += counts
        whole(store, ledger)
    third = str(tmp_path / "third.db")
    assert ended(started(bench, 2, MODELWAY_LEDGER=third)) == []
    assert set(computed(Ledger(third)).values()) == {0}, "what the store has was computed again"
    print(f"\n{len(both)} kinds of steps on two hosts: {sum(both.values())} computed")


@pytest.fixture
def postgresql_or_file(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Make another ledger of a kind."""

    def make(url: str) -> str:
        return request.getfixturevalue("postgresql")() if "://" in url else str(tmp_path / "other" / "ledger.db")

    return make


def test_a_holder_of_another_host_is_waited_for_until_its_lease_runs_out_and_is_fenced(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host's process numbers say nothing of another's: that the holder was killed shows in its silence only."""
    monkeypatch.setattr(flight, "_SECONDS", 2.0)
    ledger, told = Ledger(ledger_url), list[str]()
    monkeypatch.setattr(flight, "host", lambda: "elsewhere")
    stale = flight.Flight(Ledger(ledger_url), "f", lambda: None, lambda: None)
    assert stale.__enter__() is None
    stale._ended.set()  # it is silent from here on
    monkeypatch.setattr(flight, "host", lambda: "here")
    began = time.perf_counter()
    with flight.Flight(ledger, "f", lambda: None, lambda: told.append("waited")) as found:
        assert found is None
        assert 1.0 < time.perf_counter() - began < 5.0
        assert told == ["waited"]
        with pytest.raises(ConflictError, match="nothing was committed"):
            stale.fence()
        stale.__exit__(None, None, None)
        assert ledger.lease("f", "third|1|1|1", flight.dead) is None, "a stale holder gave away another one's lease"


def test_a_lease_that_is_held_for_long_is_kept_and_not_renewed_after_its_end(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "_SECONDS", 0.6)
    ledger = Ledger(ledger_url)
    for _ in range(5):
        with flight.Flight(Ledger(ledger_url), "f", lambda: None, lambda: None) as found:
            assert found is None
            time.sleep(0.9)
            assert ledger.lease("f", "elsewhere|1|1|1", lambda name: False) is None
        token = ledger.lease("f", "elsewhere|1|1|1", lambda name: False)
        assert token is not None
        ledger.release("f", token)
