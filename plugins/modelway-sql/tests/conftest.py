"""A PostgreSQL server of the tests' own: on loopback, in a folder that goes away, never as root."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None where it is not installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    found = [*([Path(on_path).resolve().parent] if on_path else []), *versions]
    return next((folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _user() -> str | None:
    """Return the account to run the server as: one's own, or for root, which PostgreSQL refuses, another one."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give the URL of an empty database."""
    pytest.importorskip("psycopg", reason="The driver of PostgreSQL is not installed: pip install psycopg[binary]")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here: apt-get install -y postgresql")
    user = _user()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="modelway-postgresql-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        account = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **account}
        data = folder / "data"
        make = [programs / "initdb", "-D", data, "-U", "modelway", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(make, check=True, **quiet)
        listen = ["-h", "127.0.0.1", "-p", str(port), "-k", folder]
        server = subprocess.Popen([programs / "postgres", "-D", data, *listen, "-F"], **quiet)
        try:
            url = f"postgresql+psycopg://modelway:secret@127.0.0.1:{port}/postgres"
            _wait(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    import time

    import psycopg

    for _ in range(200):
        assert server.poll() is None, "PostgreSQL did not start"
        try:
            psycopg.connect(url.replace("+psycopg", "")).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError("PostgreSQL does not answer")
