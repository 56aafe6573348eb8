from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modelway_files.source import Files

from modelway import DataError
from modelway.testing import make_run


class Site:
    """A web server of files, that counts what it is asked for.

    ``tells`` is the header by which it identifies a file's content, or nothing.
    """

    def __init__(self, tells: str) -> None:
        site = self
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.sent = 0
        self.swap: bytes | None = None

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(with_body=False)

            def do_GET(self) -> None:
                self.answer(with_body=True)
                if site.swap is not None:
                    site.files[self.path], site.swap = site.swap, None

            def answer(self, *, with_body: bool) -> None:
                site.asked.append((self.command, self.path))
                body = site.files.get(self.path)
                self.send_response(404 if body is None else 200)
                body = body or b""
                self.send_header("Content-Length", str(len(body)))
                if tells == "ETag":
                    self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
                elif tells == "Last-Modified":
                    self.send_header("Last-Modified", f"Thu, 01 Jan 2026 00:00:{sum(body) % 60:02} GMT")
                self.end_headers()
                if with_body:
                    self.wfile.write(body)
                    site.sent += len(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def since(self) -> tuple[int, int, int]:
        """Return and forget how many HEAD and GET requests came, and how many bytes of files were sent."""
        heads = sum(how == "HEAD" for how, _ in self.asked)
        found = heads, len(self.asked) - heads, self.sent
        self.asked, self.sent = [], 0
        return found

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(getattr(request, "param", "ETag"))
    yield made
    made.close()


def parquet(value: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": [value]}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("site", ["ETag", "Last-Modified"], indirect=True)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_unchanged_files_of_a_web_server_are_not_fetched_again(tmp_path: Path, site: Site, suffix: str) -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]

    def content(n: int) -> bytes:
        return parquet(n) if suffix == "parquet" else f"x\n{n}\n".encode()

    for n, day in enumerate(days):
        site.files[f"/{day}.{suffix}"] = content(n)
    size, run = len(content(0)), make_run(tmp_path)
    two = Files(path=f"{site.url}/{{day}}.{suffix}", since=days[0], until=days[1])
    three = Files(path=f"{site.url}/{{day}}.{suffix}", since=days[0], until=days[2])

    two.version(run)
    assert site.since()[1:] == (0, 0), "a plan fetches a file"
    first = two.load(run)
    assert site.since()[1:] == (2, 2 * size)
    assert two.load(run) == first
    assert site.since()[1:] == (0, 0), "an unchanged file is fetched again"
    assert three.load(run).arrow()["x"].to_pylist() == [0, 1, 2]
    assert site.since()[1:] == (1, size), "a longer range fetches more than its new day"

    version = three.version(run)
    site.files[f"/{days[1]}.{suffix}"] = content(7)
    assert three.version(run) != version
    site.since()
    assert three.load(run).arrow()["x"].to_pylist() == [0, 7, 2]
    assert site.since()[1:] == (1, size)
    assert not list(run.scratch.iterdir()), "fetched files stay behind"


@pytest.mark.parametrize("site", ["nothing"], indirect=True)
def test_a_server_that_identifies_nothing_is_named_and_its_changes_are_seen(tmp_path: Path, site: Site) -> None:
    logged: dict[str, Any] = {}
    run = make_run(tmp_path, on_log=logged.__setitem__)
    site.files["/t.csv"] = b"x\n1\n"
    source = Files(path=f"{site.url}/t.csv")
    version = source.version(run)
    assert site.since()[1:] == (1, 4), "the content is read once to plan"
    assert source.load(run).arrow()["x"].to_pylist() == [1]
    assert site.since()[1:] == (1, 4), "the content is read once to load"
    assert logged["unidentified"] == [f"{site.url}/t.csv"]
    assert source.version(run) == version
    site.files["/t.csv"] = b"x\n2\n"
    assert source.version(run) != version


def test_a_file_that_changes_while_it_is_fetched_is_refused(tmp_path: Path, site: Site) -> None:
    site.files["/t.csv"], site.swap = b"x\n1\n", b"x\n2\n"
    source, run = Files(path=f"{site.url}/t.csv"), make_run(tmp_path)
    with pytest.raises(DataError, match="changed while it was fetched"):
        source.load(run)
    assert source.load(run).arrow()["x"].to_pylist() == [2]


def test_a_day_that_a_server_lacks_is_named(tmp_path: Path, site: Site) -> None:
    site.files["/1.csv"] = b"x\n1\n"
    with pytest.raises(DataError, match=r"The file is not there.*/2\.csv"):
        Files(path=f"{site.url}/{{n}}.csv", since=1, until=2).version(make_run(tmp_path))


def test_secrets_of_an_address_stay_out_of_what_is_kept(tmp_path: Path, site: Site) -> None:
    site.files["/t.csv?sig=hunter2"] = b"x\n1\n"
    run = make_run(tmp_path)
    table = Files(path=f"{site.url}/t.csv?sig=hunter2", format="csv").load(run)
    assert "hunter2" not in str(table.about) + str(run.memory)


def test_unchanged_objects_are_listed_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = fsspec.filesystem("memory")
    fetched: list[str] = []
    original = type(fs).get_file

    def counted(self: Any, place: str, *args: Any, **more: Any) -> Any:
        fetched.append(place)
        return original(self, place, *args, **more)

    monkeypatch.setattr(type(fs), "get_file", counted)
    try:
        for n in (1, 2, 3):
            fs.pipe_file(f"/lake/n={n}/part.parquet", parquet(n))
        run = make_run(tmp_path, schema={"columns": {"n": {"type": "integer"}}})
        source = Files(path="memory://lake/n={n}/*.parquet", until=2)
        source.version(run)
        assert fetched == []
        assert source.load(run).arrow().to_pydict() == {"x": [1, 2], "n": [1, 2]}
        assert len(fetched) == 2
        assert Files(path="memory://lake/n={n}/*.parquet").load(run).rows == 3
        assert len(fetched) == 3
        fs.pipe_file("/lake/n=1/part.parquet", parquet(9))
        assert source.load(run).arrow().to_pydict() == {"x": [9, 2], "n": [1, 2]}
        assert len(fetched) == 4
    finally:
        fs.store.clear()
