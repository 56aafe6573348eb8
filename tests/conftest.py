"""Fixtures of the framework's own tests: third-party distributions, interpreters that find them, and workspaces."""

from __future__ import annotations

import io
import itertools
import json
import os
import pwd
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

#: Seconds, each of them once: no two edits of a test have the same time.
_TICKS = itertools.count()
DISTS = Path(__file__).parent / "dists"
PROJECTS = Path(__file__).parent / "projects"
#: What the script ``modelway`` does.
MAIN = "import sys; from modelway.cli import main; sys.exit(main())"

#: Runs a script in an interpreter of its own and returns it finished.
Interpreter = Callable[..., "subprocess.CompletedProcess[str]"]

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("modelway", deadline=None)
settings.load_profile("modelway")


def lay_down(name: str, target: Path) -> None:
    """Install a distribution of ``tests/dists`` into a folder, as a wheel of it would lie there."""
    project = tomllib.loads((DISTS / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module = project["name"].replace("-", "_")
    shutil.copytree(DISTS / name / "src" / module, target / module, ignore=shutil.ignore_patterns("__pycache__"))
    facts = target / f"{module}-{project['version']}.dist-info"
    facts.mkdir()
    head = f"Metadata-Version: 2.3\nName: {project['name']}\nVersion: {project['version']}\n"
    (facts / "METADATA").write_text(head + "".join(f"Requires-Dist: {need}\n" for need in project["dependencies"]))
    points = "".join(f"{key} = {value}\n" for key, value in project["entry-points"]["modelway"].items())
    (facts / "entry_points.txt").write_text(f"[modelway]\n{points}")
    (facts / "RECORD").write_text("")
    (facts / "INSTALLER").write_text("tests\n")


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Path]:
    """Install distributions of ``tests/dists`` by name into a folder of the test, and return it."""

    def install(*names: str) -> Path:
        target = tmp_path / "site"
        target.mkdir(exist_ok=True)
        for name in names:
            lay_down(name, target)
        return target

    return install


@pytest.fixture
def python(tmp_path: Path) -> Interpreter:
    """Run a script in an interpreter that finds what lies in ``site`` too, and no plugin of the tests' own."""

    def run(script: str, *arguments: str, site: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        path = [str(site)] if site else []
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MODELWAY_")}
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**inherited, "PYTHONPATH": os.pathsep.join(path), **env},
        )

    return run


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Bench:
    """A workspace of its own with projects in it, and the commands run there."""

    root: Path

    @property
    def env(self) -> dict[str, str]:
        """Environment of a command in this workspace."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MODELWAY_")}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**inherited, "MODELWAY_WORKSPACE": str(self.root), "MODELWAY_ACTOR": "tester"}

    def add(self, source: Path, name: str = "") -> Path:
        """Copy a project into the workspace."""
        target = self.root / "projects" / (name or source.name)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".modelway"))
        return target

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a piece of a file, which must be there once."""
        text = (self.root / path).read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))

    def write(self, path: str, text: str) -> None:
        """Write a file, as of an hour ago: caches do not trust what has changed within the last seconds."""
        file = self.root / path
        file.write_text(text)
        when = time.time() - 3600 + next(_TICKS)
        os.utime(file, (when, when))

    def __call__(self, *words: str) -> Done:
        """Run a command in this process, and return how it ended."""
        from modelway.cli import main

        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            warnings.catch_warnings(),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            patch.setenv("MODELWAY_WORKSPACE", str(self.root))
            patch.setenv("MODELWAY_ACTOR", "tester")
            patch.delenv("MODELWAY_PLUGINS", raising=False)
            code = main(list(words))
        return Done(code, out.getvalue(), err.getvalue())

    def start(self, *words: str, script: str = MAIN, **env: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        command, pipe = [sys.executable, "-c", script, *words], subprocess.PIPE
        return subprocess.Popen(command, env={**self.env, **env}, cwd=self.root, text=True, stdout=pipe, stderr=pipe)

    def apart(self, *words: str, script: str = MAIN, **env: str) -> Done:
        """Run a command in a process of its own, and return how it ended."""
        process = self.start(*words, script=script, **env)
        out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)

    def marks(self, *words: str) -> dict[str, str]:
        """Return each step's mark in a plan."""
        return {step["step"]: step["mark"] for step in self("plan", *words, "--json").json["steps"]}

    def reasons(self, *words: str) -> dict[str, str]:
        """Return the reason of each step that a plan would run."""
        return {step["step"]: step["reason"] for step in self("plan", *words, "--json").json["steps"] if step["reason"]}

    def run(self, *words: str) -> dict[str, Any]:
        """Run, having planned it, and make sure that what ran is what the plan had said; returns the outcome."""
        plan = self("plan", *words, "--json").json["steps"]
        outcome: dict[str, Any] = self("run", *words, "--json").json
        ran = {name for name, step in outcome["steps"].items() if step["status"] == "ran"}
        assert list(outcome["steps"]) == [step["step"] for step in plan]
        sure = {step["step"] for step in plan if step["mark"] in "~+" and step["fingerprint"]}
        maybe = {step["step"] for step in plan if step["mark"] != "="}
        assert sure <= ran <= maybe, (plan, ran)
        return {**outcome, "ran": ran}

    def whole(self) -> None:
        """Make sure that store and ledger are what they should be."""
        done = self("store", "verify")
        assert done.code == 0, done.out + done.err
        with closing(sqlite3.connect(self.root / ".modelway" / "ledger.db")) as ledger:
            assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def visits(rows: int, seed: int = 0) -> str:
    """Return rows of the project ``shop`` as CSV."""
    draw = random.Random(seed)
    lines = ["visits,pages,minutes,device,bought"]
    for _ in range(rows):
        bought = draw.random() < 0.4
        seen = draw.gauss(5 + 3 * bought, 1.5)
        device = draw.choice(["phone", "tablet", "desktop"])
        lines.append(
            f"{max(seen, 0):.3f},{draw.randint(1, 20)},{draw.gauss(8, 2):.3f},{device},{'yes' if bought else 'no'}"
        )
    return "\n".join(lines) + "\n"


def lay_out_shop(root: Path) -> Bench:
    """Make a workspace with the project ``shop``, and its data."""
    found = Bench(root / "work")
    found.add(PROJECTS / "shop")
    (found.root / "data").mkdir()
    (found.root / "data" / "visits.csv").write_text(visits(400))
    age(found.root)
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A workspace with the project ``shop``, and its data."""
    return lay_out_shop(tmp_path)


@pytest.fixture(scope="session")
def shop_at() -> Callable[[Path], Bench]:
    """Make workspaces like ``bench`` in folders."""
    return lay_out_shop


@pytest.fixture(scope="session")
def ran_times() -> Callable[[Bench], dict[str, int]]:
    """Count how often each step was computed in a workspace."""

    def count(bench: Bench) -> dict[str, int]:
        with closing(sqlite3.connect(bench.root / ".modelway" / "ledger.db")) as ledger:
            rows = ledger.execute("SELECT name, SUM(status = 'ran') FROM steps GROUP BY name").fetchall()
        return dict(rows)

    return count


@pytest.fixture(scope="session")
def cancer() -> Path:
    """The project ``cancer`` of this repository."""
    return PROJECTS.parent.parent / "projects" / "cancer"


def free_port() -> int:
    """Return a port of this host that nobody listens at."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(process: subprocess.Popen[bytes], port: int, seconds: float = 60) -> bool:
    """Wait until a server that was started listens; False if it ended, or did not in time."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
            return True
        time.sleep(0.05)
    return False


def find_postgresql() -> Path:
    """Find the folder of PostgreSQL's programs; where ``CI`` or ``MODELWAY_INSTALL`` is set, install it if need be."""

    def look() -> Path | None:
        told = shutil.which("initdb")
        places = [Path(told).resolve().parent] if told else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        return next((place for place in reversed(places) if (place / "postgres").exists()), None)

    if look() is None and (os.environ.get("CI") or os.environ.get("MODELWAY_INSTALL")) and shutil.which("apt-get"):
        for command in (("update",), ("install", "-y", "--no-install-recommends", "postgresql")):
            env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "-q", *command], env=env, capture_output=True, check=False)
    found = look()
    if found is None:
        pytest.skip("PostgreSQL is not installed; with MODELWAY_INSTALL=1, root's tests install it from Debian")
    return found


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """Start a PostgreSQL server on this host, and make databases in it: each call returns the URL of a new one."""
    programs = find_postgresql()
    with tempfile.TemporaryDirectory(prefix="modelway-postgresql-") as folder:
        user: dict[str, Any] = {}
        if os.geteuid() == 0:  # it refuses to run as root
            entry = pwd.getpwnam("nobody")
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        data, port = f"{folder}/data", free_port()
        words = ["-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run([programs / "initdb", *words], cwd=folder, capture_output=True, **user, check=False)
        if made.returncode:
            pytest.skip(f"PostgreSQL cannot make a cluster here: {made.stderr.decode().strip()}")
        command = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with open(f"{folder}/log", "wb") as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **user)
        try:
            if not listens(server, port):
                pytest.skip(f"PostgreSQL does not start here: {Path(folder, 'log').read_text().strip()}")
            yield _databases(f"postgresql://tester@127.0.0.1:{port}")
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown: whoever is connected is cut off
            server.wait(60)


def _databases(server: str) -> Callable[[], str]:
    numbers = itertools.count()

    def make() -> str:
        import psycopg

        name = f"ledger{next(numbers)}"
        with closing(psycopg.connect(f"{server}/postgres", autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{server}/{name}"

    return make


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """Start an S3 server on this host, with a bucket ``shared``; returns the environment that leads there."""
    pytest.importorskip("s3fs", reason="stores on S3 need the extra s3")
    boto3 = pytest.importorskip("boto3", reason="the test server needs it to make its bucket")
    pytest.importorskip("moto", reason="it is the test server")
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert listens(server, port), "moto's server does not start"
        at = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
        boto3.client("s3", aws_access_key_id="key", aws_secret_access_key="secret", **at).create_bucket(Bucket="shared")
        yield {"FSSPEC_S3_ENDPOINT_URL": at["endpoint_url"], "FSSPEC_S3_KEY": "key", "FSSPEC_S3_SECRET": "secret"}
    finally:
        server.terminate()
        server.wait(30)


def age(root: Path) -> None:
    """Make every file of a folder look as if it had not been touched for hours, so that caches trust it."""
    past = time.time() - 7200
    for path in [*root.rglob("*"), root]:
        if ".modelway" not in path.parts:
            os.utime(path, (past, past))


@pytest.fixture
def settle() -> Callable[[Path], None]:
    """Make every file of a folder look as if it had not been touched for hours."""
    return age


@pytest.fixture(scope="session")
def workspace_at() -> Callable[[Path], Bench]:
    """Make a workspace without projects in a folder, for tests that share one."""
    return Bench
