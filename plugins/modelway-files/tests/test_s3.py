from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modelway_files.source import Files

from modelway.testing import make_run

pytestmark = [
    pytest.mark.slow,
    # the client's own: it leaves sockets to the end of the process, and dates to botocore
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the file system of an object store on loopback that has one bucket, ``lake``."""
    pytest.importorskip("s3fs", reason="The file system of s3:// is not installed: pip install s3fs")
    server = pytest.importorskip("moto.server", reason="No object store to test with: pip install 'moto[server]'")
    import fsspec
    from fsspec.config import conf

    store = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setitem(conf, "s3", {"endpoint_url": f"http://{host}:{port}", "skip_instance_cache": True})
    fs = fsspec.filesystem("s3")
    fs.mkdir("lake")
    yield fs
    store.stop()


def test_days_of_an_object_store_are_listed_and_read_once(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(day: int, value: int) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"x": [value]}), sink)
        bucket.pipe_file(f"lake/day=2026-01-0{day}/part.parquet", sink.getvalue().to_pybytes())

    fetched: list[str] = []
    original = type(bucket).get_file

    def counted(self: Any, place: str, *args: Any, **more: Any) -> Any:
        fetched.append(place)
        return original(self, place, *args, **more)

    monkeypatch.setattr(type(bucket), "get_file", counted)
    for day in (1, 2, 3):
        put(day, day)
    run = make_run(tmp_path)
    path = "s3://lake/day={day}/*.parquet"
    two, three = Files(path=path, until="2026-01-02"), Files(path=path)
    before = two.version(run)
    assert fetched == [], "a plan fetches an object"
    assert two.load(run).arrow()["x"].to_pylist() == [1, 2]
    assert three.load(run).arrow()["x"].to_pylist() == [1, 2, 3]
    assert len(fetched) == 3, "a longer range fetches more than its new day"
    assert two.version(run) == before
    put(2, 7)
    assert two.version(run) != before
    assert three.load(run).arrow()["x"].to_pylist() == [1, 7, 3]
    assert len(fetched) == 4
