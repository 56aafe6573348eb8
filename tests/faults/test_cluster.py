"""Distributed runs whose workers, scheduler, client, network and disks fail: they finish, or say soon what is wrong.

The short form (marker ``slow``) is part of the ordinary tests. The others, which take some minutes, are run by::

    MODELWAY_KILLS=50 MODELWAY_SEED=1 python -m pytest tests/faults/test_cluster.py -m faults

A run that something was killed under must end within ``LIMIT`` seconds, with the undisturbed run's result or with exit
code 12 and one paragraph; repeated, it must finish, with the same transforms and scores to the last bit: what is mapped
over parts does not depend on which worker did it. Network namespaces and full disks need root.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("modelway_dask", reason="modelway-dask is not installed")

KILLS = int(os.environ.get("MODELWAY_KILLS", "50"))
SEED = int(os.environ.get("MODELWAY_SEED", "0"))
#: Seconds within which a disturbed run must have ended: its own time, and the 20 seconds that it may wait for workers.
LIMIT = 90.0
PATIENCE = "20"
PARTS, ROWS = 6, 4_000

CONFIG = f"""
defaults: [base, _self_]
project: wide
task: binary
seed: 5
schema:
  columns:
    a: {{type: number}}
    b: {{type: number}}
    c: {{type: number}}
    y: {{type: boolean, role: target, values: [false, true], positive: true}}
source: {{use: parts, parts: {PARTS}, rows: {ROWS}}}
prepare:
  moved: {{use: moved, by: 1.5}}
split: {{use: random, test: 0.25, valid: 0.2}}
features:
  centre: {{use: centred, columns: [a, b]}}
model: {{use: nearest}}
metrics:
  auc: {{use: roc_auc, bootstrap: 0}}
"""

PLUGIN = '''
"""A generated table of several parts, and stages that take their time over each."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from modelway import Feature, Model, Source, Table, Trainer, param, preparer

PAUSE = float(os.environ.get("WIDE_PAUSE", "0.05"))


@dataclass(frozen=True, kw_only=True)
class Parts(Source, name="parts"):
    """Random rows, part by part."""

    parts: int = param(6, "Parts.")
    rows: int = param(1000, "Rows of a part.")

    def version(self, run: Any) -> str:
        return f"{run.seed} {self.parts} {self.rows}"

    def load(self, run: Any) -> Table:
        made = list(run.map(lambda part: self.make(part, run), range(self.parts)))
        return Table(made[0].columns, tuple(part for table in made for part in table.parts), run.blobs)

    def make(self, part: int, run: Any) -> Table:
        rng = run.rng("part", part)
        time.sleep(PAUSE)
        columns = {name: rng.normal(size=self.rows) for name in "abc"}
        return run.table([{**columns, "y": columns["a"] + rng.normal(size=self.rows) > 0.3}])


@preparer
def moved(tables: Any, run: Any, *, by: float = 0.0) -> Table:
    """Move a column."""
    import pyarrow.compute as pc

    def change(batch: Any) -> Any:
        time.sleep(PAUSE)
        return batch.set_column(1, "b", pc.add(batch["b"], by))

    return tables["table"].map(change, run)


@dataclass(frozen=True, kw_only=True)
class Centred(Feature, name="centred"):
    """Take the training mean off."""

    columns: tuple[str, ...] = param((), "Columns.")

    def summarise(self, columns: Any) -> Any:
        time.sleep(PAUSE)
        return {name: (float(column.sum()), len(column)) for name, column in columns.items()}

    def merge(self, a: Any, b: Any) -> Any:
        return {name: (a[name][0] + b[name][0], a[name][1] + b[name][1]) for name in a}

    def finish(self, summary: Any) -> Any:
        return {name: total / rows for name, (total, rows) in summary.items()}

    def apply(self, state: Any, columns: Any) -> Any:
        return {name: column - state[name] for name, column in columns.items()}


@dataclass(frozen=True)
class NearestModel(Model):
    """Weighs columns."""

    weights: tuple[float, ...]

    def predict(self, columns: Any) -> Any:
        import numpy as np

        time.sleep(PAUSE)
        return {"score": 1 / (1 + np.exp(-np.column_stack([columns[n] for n in "abc"]) @ np.asarray(self.weights)))}

    def save(self, folder: Any) -> None:
        folder.put_json("weights.json", self.weights)

    @classmethod
    def load(cls, folder: Any) -> Any:
        return cls(tuple(folder.get_json("weights.json")))


@dataclass(frozen=True, kw_only=True)
class Nearest(Trainer, name="nearest"):
    """Weighs columns by the distance of their class means, over parts on the run's compute."""

    model: ClassVar[Any] = NearestModel
    tasks: ClassVar[tuple[str, ...]] = ("binary",)

    def fit(self, split: Any, run: Any) -> Any:
        import numpy as np

        def sums(piece: Any) -> Any:
            time.sleep(PAUSE)
            total = np.zeros((2, 4))
            for batch in piece.batches("train"):
                rows = np.column_stack([*(batch.features[name] for name in "abc"), np.ones(len(batch.rows))])
                for label in (0, 1):
                    total[label] += rows[batch.target == label].sum(axis=0)
            return total

        total = sum(run.map(sums, split.pieces()))
        means = total[:, :3] / total[:, 3:]
        return NearestModel(tuple((means[1] - means[0]).tolist()))
'''


@dataclass
class Dask:
    """A scheduler and workers as processes of their own."""

    folder: Path
    prefixes: tuple[tuple[str, ...], ...] = ((), (), ())
    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ("127.0.0.1", "127.0.0.1")
    env: dict[str, str] = field(default_factory=dict)  # of the first worker
    scheduler: Any = None
    workers: list[Any] = field(default_factory=list)
    address: str = ""

    def start(self, count: int = 2) -> Dask:
        """Start them."""
        self.folder.mkdir(exist_ok=True, parents=True)
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.address, self.workers = "", []
        command = ("scheduler", "--host", self.host, "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        self.scheduler = self._process(self.prefixes[0], *command)
        until = time.monotonic() + 60
        while not self.address and time.monotonic() < until:
            with suppress(OSError, ValueError):
                self.address = json.loads(file.read_text())["address"]
            time.sleep(0.05)
        for number in range(count):
            self.work(number, **({} if number else self.env))
        return self

    def work(self, number: int = 0, **more: str) -> None:
        """Start a worker with a nanny, which replaces the worker's process when it is killed."""
        self.workers.append(self._process(
            self.prefixes[1 + number % 2], "worker", self.address, "--host", self.hosts[number % 2], "--nthreads", "1",
            "--no-dashboard", "--memory-limit", "1GB", "--local-directory", str(self.folder), **more,
        ))  # fmt: skip

    def _process(self, prefix: tuple[str, ...], *words: str, **more: str) -> Any:
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", "dask", *words], stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, **more}, start_new_session=True,
            )  # fmt: skip

    def mend(self) -> None:
        """Start anew what has ended: a nanny does not outlive a worker that is killed while it starts."""
        whole = [w for w in self.workers if w.poll() is None and children(w.pid, "multiprocessing.spawn")]
        if self.scheduler.poll() is not None or len(whole) < len(self.workers):
            self.stop()
            self.start()

    def stop(self) -> None:
        """End them and their children."""
        for process in [*self.workers, self.scheduler]:
            with suppress(ProcessLookupError, AttributeError):
                os.killpg(process.pid, signal.SIGKILL)
            if process is not None:
                process.wait()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    """A cluster that a test starts."""
    found = Dask(tmp_path / "dask")
    yield found
    found.stop()


@pytest.fixture(scope="session")
def wide_at(workspace_at: Callable[..., Any]) -> Callable[[Path], Any]:
    """Make a workspace with the project ``wide`` in a folder."""

    def make(root: Path) -> Any:
        bench = workspace_at(root)
        (root / "projects" / "wide" / "conf").mkdir(parents=True)
        bench.write("projects/wide/conf/config.yaml", CONFIG)
        bench.write("projects/wide/plugin.py", PLUGIN)
        return bench

    return make


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, wide_at: Any) -> dict[str, Any]:
    """What a run in one process makes, and how long one on workers of this machine takes."""
    here = wide_at(tmp_path_factory.mktemp("inline") / "work").apart("run", "wide", "--json").json
    began = time.perf_counter()
    there = wide_at(tmp_path_factory.mktemp("local") / "work").apart("run", "wide", *on_this_machine(), "--json").json
    assert digests(here) == digests(there)  # transforms, model and scores are equal on both, to the last bit
    return {**here, "took": time.perf_counter() - began}


def on_this_machine() -> tuple[str, ...]:
    """Return the overrides that run on workers of this machine."""
    return ("compute=local", "compute.workers=2", f"compute.timeout={PATIENCE}")


def on(dask: Dask) -> tuple[str, ...]:
    """Return the overrides that run on a cluster."""
    return ("compute=cluster", f"compute.address={dask.address}", "compute.workers=2", f"compute.timeout={PATIENCE}")


def digests(outcome: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each step's output."""
    return {name: step["digest"] for name, step in outcome["steps"].items() if name != "scoring"}


def children(pid: int, word: str = "") -> list[int]:
    """Return the processes below one, those whose command line has a word in it."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                below = int(folder.name)
                if word in (folder / "cmdline").read_text():
                    found.append(below)
                found += children(below, word)
    return found


def ended(process: Any, outcome: dict[str, Any]) -> str:
    """Wait for a run, and make sure that it finished as undisturbed or says in one paragraph what is wrong."""
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError(f"It had not ended after {LIMIT:g} seconds") from None
    if process.returncode == -signal.SIGKILL:
        return "killed"
    lines = [line for line in err.splitlines() if line]
    assert "Traceback" not in err, err
    if process.returncode:
        assert process.returncode == 12, err
        assert len(lines) == 1, err
        return f"failed after {time.monotonic() - began:.0f} s: {lines[0][:160]}"
    assert lines == [], err
    assert digests(json.loads(out)) == digests(outcome)
    return "finished"


def disturb(bench: Any, dask: Dask, victim: str, after: float, outcome: dict[str, Any]) -> str:
    """Start a run, kill something of it after some seconds, and return how it ended."""
    process = bench.start("run", "wide", *(on_this_machine() if victim == "own workers" else on(dask)), "--json")
    time.sleep(after)
    if victim == "own workers":
        targets = children(process.pid, "multiprocessing.spawn")
    elif victim == "scheduler":
        targets = [dask.scheduler.pid]
    elif victim == "client":
        targets = [process.pid]
    else:  # the processes below the nannies
        targets = [pid for worker in dask.workers for pid in children(worker.pid, "multiprocessing.spawn")]
        targets = targets[:1] if victim == "worker" else targets
    for pid in targets:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return ended(process, outcome)


VICTIMS = ("worker", "workers", "scheduler", "client", "own workers")


def kills(count: int, seed: int, wide_at: Any, folder: Path, dask: Dask, outcome: dict[str, Any]) -> list[str]:
    """Disturb so many runs, and make sure that each is finished by the next; returns how they ended."""
    draw, told = random.Random(seed), []
    dask.start()
    for number in range(count):
        bench = wide_at(folder / str(number))
        victim = VICTIMS[number % len(VICTIMS)]
        after = draw.uniform(0.15, 1.0) * outcome["took"]
        how = disturb(bench, dask, victim, after, outcome)
        told.append(f"{number:3} {victim:12} at {after:5.1f} s: {how}")
        dask.mend()
        again = bench.apart("run", "wide", *on(dask), "--json")
        assert again.code == 0, again.err
        assert digests(again.json) == digests(outcome), told
        bench.whole()
        shutil.rmtree(bench.root)
    return told


@pytest.mark.slow
def test_three_kills_cost_only_the_work_in_hand(
    tmp_path: Path, dask: Dask, wide_at: Any, undisturbed: dict[str, Any]
) -> None:
    kills(3, SEED + 3, wide_at, tmp_path, dask, undisturbed)


@pytest.mark.faults
def test_kills_at_any_instant_end_in_the_same_result_or_a_clear_error(
    tmp_path: Path, dask: Dask, wide_at: Any, undisturbed: dict[str, Any]
) -> None:
    print("\n".join(["", *kills(KILLS, SEED, wide_at, tmp_path, dask, undisturbed)]))


def begun(bench: Any) -> None:
    """Wait until a run has finished its first step."""
    until = time.monotonic() + 60
    # the first entry is the run's environment
    while len(list((bench.root / ".modelway").glob("index/*/*.json"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)


def started(process: Any) -> list[int]:
    """Wait until a run has workers of its own, and return them."""
    until = time.monotonic() + 60
    while len(children(process.pid, "multiprocessing.spawn")) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    return children(process.pid)


def gone(pids: list[int]) -> None:
    """Make sure that processes end."""
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.1)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.faults
def test_a_killed_client_leaves_no_worker_of_its_own_behind(tmp_path: Path, wide_at: Any) -> None:
    process = wide_at(tmp_path / "work").start("run", "wide", *on_this_machine())
    left = started(process)
    process.kill()
    process.communicate()
    gone(left)


@pytest.mark.faults
def test_ctrl_c_ends_the_run_and_its_workers(tmp_path: Path, wide_at: Any) -> None:
    bench = wide_at(tmp_path / "work")
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from modelway.cli import main; sys.exit(main())", "run", "wide",
         *on_this_machine()],
        env=bench.env, cwd=bench.root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    left = started(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to the workers too
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert len(err.strip().splitlines()) == 1, err
    gone(left)


# Networks


def ip(*words: str, check: bool = True) -> bool:
    """Run ``ip``."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.returncode == 0


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Dask]:
    """A cluster whose scheduler and two workers are in network namespaces of their own, on a bridge."""
    name = f"mw{os.getpid() % 10000}"
    if os.geteuid() != 0 or shutil.which("ip") is None or not ip("netns", "add", f"{name}x", check=False):
        pytest.skip("Network namespaces need root, and a host that permits them")
    ip("netns", "del", f"{name}x")
    if not ip("link", "add", f"{name}br", "type", "bridge", check=False):
        pytest.skip("This host permits no bridge")
    ip("addr", "add", "10.117.0.1/24", "dev", f"{name}br")
    ip("link", "set", f"{name}br", "up")
    try:
        for number in (2, 3, 4):
            space, link = f"{name}n{number}", f"{name}v{number}"
            ip("netns", "add", space)
            ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", link, "master", f"{name}br", "up")
            ip("-n", space, "addr", "add", f"10.117.0.{number}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "link", "set", "lo", "up")
        inside = tuple(("ip", "netns", "exec", f"{name}n{number}") for number in (2, 3, 4))
        found = Dask(tmp_path / "dask", inside, "10.117.0.2", ("10.117.0.3", "10.117.0.4"))
        found.start()
        yield found
        found.stop()
    finally:
        for number in (2, 3, 4):
            ip("link", "del", f"{name}v{number}", check=False)
            ip("netns", "del", f"{name}n{number}", check=False)
        ip("link", "del", f"{name}br", check=False)


def link_of(number: int) -> str:
    """Return the host's end of the link to a namespace: 2 is the scheduler's, 3 and 4 are the workers'."""
    return f"mw{os.getpid() % 10000}v{number}"


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        pytest.param(2, 0, id="whole"),
        pytest.param(2, 10, id="scheduler cut for 10 s"),
        pytest.param(2, 1000, id="scheduler cut for good"),
        pytest.param(3, 10, id="worker cut for 10 s"),
        pytest.param(3, 1000, id="worker cut for good"),
    ],
)
def test_a_link_that_is_cut_is_survived_or_told(
    tmp_path: Path, apart: Dask, wide_at: Any, undisturbed: dict[str, Any], number: int, seconds: int
) -> None:
    bench = wide_at(tmp_path / "work")
    began = time.monotonic()
    process = bench.start("run", "wide", *on(apart), "--json", WIDE_PAUSE="0.6")
    begun(bench)
    if seconds:
        ip("link", "set", link_of(number), "down")
        with suppress(subprocess.TimeoutExpired):
            process.wait(min(seconds, 10))
        if seconds == 10:
            ip("link", "set", link_of(number), "up")
    how = ended(process, undisturbed)
    print(f"\n{how}, {time.monotonic() - began:.0f} s in all")
    if seconds <= 10 or number == 3:  # one worker is left
        assert how == "finished"
    else:
        assert how.startswith("failed"), how
    assert bench.apart("run", "wide", *on_this_machine(), "--json").code == 0


# Disks and memory


@pytest.mark.faults
def test_a_full_disk_on_one_worker_is_told_with_its_name(
    tmp_path: Path, dask: Dask, wide_at: Any, undisturbed: dict[str, Any]
) -> None:
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("A file system of one worker's own needs root")
    small, scratch = tmp_path / "small.sh", tmp_path / "scratch"
    scratch.mkdir()
    small.write_text(f'mount -t tmpfs -o size=40k tmpfs {scratch} && exec "$@"\n')
    dask.env = {"TMPDIR": str(scratch)}
    dask.prefixes = ((), ("unshare", "-m", "sh", str(small)), ())
    dask.start()
    bench = wide_at(tmp_path / "work")
    process = bench.start("run", "wide", *on(dask), TMPDIR=str(scratch))
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 6, out + err
    assert "No space left on device" in err, err
    assert "on the worker tcp://127.0.0.1:" in err, err
    assert len(err.strip().splitlines()) == 1, err
    assert bench.apart("run", "wide", *on_this_machine(), "--json").code == 0


@pytest.mark.faults
def test_a_part_that_is_corrupt_is_one_paragraph(tmp_path: Path, wide_at: Any) -> None:
    bench = wide_at(tmp_path / "work")
    assert bench.apart("run", "wide", "--to", "prepare").code == 0
    for blob in (bench.root / ".modelway" / "objects").rglob("*"):
        if blob.is_file() and blob.read_bytes()[:4] == b"PAR1":
            data = bytearray(blob.read_bytes())
            data[len(data) // 2] ^= 0xFF
            blob.write_bytes(data)
    done = bench.apart("run", "wide", *on_this_machine())
    assert done.code == 6, done.err
    assert "is corrupt: its bytes do not match its digest" in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    for _ in range(2 * PARTS):  # a corrupt part is removed when it is found, and is then computed anew
        done = bench.apart("run", "wide", *on_this_machine())
        if done.code == 0:
            break
    assert done.code == 0, done.err
