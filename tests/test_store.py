"""The store keeps what it was given, whole, or says so; whatever happens to the process, the disk or a file."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelway.errors import StoreError
from modelway.store import Manifest, Store, sha256
from modelway.store.transfer import carry

KEY = "ab" + "0" * 62


@pytest.fixture(params=["local", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of each backend, with its warnings in ``store.told``."""
    told: list[str] = []
    urls = {
        "local": str(tmp_path / "store"),
        "memory": f"memory://{tmp_path.name}",
        "s3": f"s3://shared/{tmp_path.name}",
    }
    if request.param == "s3":
        request.getfixturevalue("reach_s3")
    made = Store(urls[request.param], scratch=tmp_path / "scratch", warn=told.append)
    made.told = told  # type: ignore[attr-defined]
    yield made
    if request.param == "memory":
        made._backend.fs.rm(made._backend.base, recursive=True)  # type: ignore[union-attr]


@pytest.fixture
def reach_s3(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead ``s3://`` to the tests' server in this process too, whose configuration may have been read already."""
    import fsspec

    settings = {key.removeprefix("FSSPEC_S3_").lower(): value for key, value in s3.items()}
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)


def fresh(store: Store, folder: Path) -> Store:
    """Another process's view: nothing is verified, nothing is cached."""
    again = Store(store.url, scratch=folder / "other", warn=store.warn)
    again.told = store.told  # type: ignore[attr-defined]
    return again


def overwrite(store: Store, name: str, data: bytes) -> None:
    """Change a file behind the store's back."""
    if "://" in store.url:
        store._backend.fs.pipe_file(f"{store._backend.base}/{name}", data)  # type: ignore[union-attr]
    else:
        Path(store.url, name).parent.mkdir(parents=True, exist_ok=True)
        Path(store.url, name).write_bytes(data)


def object_of(digest: str) -> str:
    return f"objects/{digest[:2]}/{digest}"


def entry_of(key: str) -> str:
    return f"index/{key[:2]}/{key}.json"


def commit(store: Store, key: str = KEY, data: bytes = b"data", **facts: Any) -> Manifest:
    digest, size = store.put_bytes(data)
    return store.commit(Manifest(key, "Thing", {"thing.bin": (digest, size)}, facts))


def test_what_was_kept_is_read_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * 3_000_000)
    for digest, size in (store.put_file(tmp_path / "big.bin"), store.put_bytes(b"")):
        read = fresh(store, tmp_path).open(digest).read_bytes()
        assert (sha256(read), len(read)) == (digest, size)
    assert (tmp_path / "big.bin").exists()


def test_a_committed_result_is_found_by_its_fingerprint_and_no_other(store: Store, tmp_path: Path) -> None:
    kept = commit(store, run="r1")
    assert fresh(store, tmp_path).lookup(KEY) == kept
    assert store.lookup("cd" + KEY[2:]) is None
    assert list(store.manifests()) == [kept]
    assert store.told == []  # type: ignore[attr-defined]


def test_equal_content_has_one_identity_whoever_computed_it(store: Store) -> None:
    one, two = commit(store, run="r1"), commit(store, "cd" + KEY[2:], run="r2")
    other = commit(store, "ef" + KEY[2:], b"other")
    assert one.digest == two.digest != other.digest
    files = {"a": one.files["thing.bin"], "b": other.files["thing.bin"]}
    turned = dict(reversed(files.items()))
    assert Manifest(KEY, "Thing", files).digest == Manifest(KEY, "Thing", turned).digest


def test_the_first_result_of_a_fingerprint_wins(store: Store) -> None:
    first = commit(store, run="r1")
    assert commit(store, data=b"later", run="r2") == first
    assert store.lookup(KEY) == first


def test_a_forced_result_takes_the_place_of_the_first(store: Store) -> None:
    commit(store, run="r1")
    digest, size = store.put_bytes(b"forced")
    forced = Manifest(KEY, "Thing", {"thing.bin": (digest, size)}, {"run": "r2"})
    assert store.commit(forced, replace=True) == forced
    assert store.lookup(KEY) == forced


def test_a_corrupt_artifact_is_refused_and_computed_anew(store: Store, tmp_path: Path) -> None:
    manifest = commit(store)
    digest, _ = manifest.files["thing.bin"]
    overwrite(store, object_of(digest), b"DATA")
    with pytest.raises(StoreError, match="do not match its digest"):
        fresh(store, tmp_path).open(digest)
    assert fresh(store, tmp_path).lookup(KEY) is None, "the step must be computed anew"
    assert commit(fresh(store, tmp_path)).files == manifest.files
    assert fresh(store, tmp_path).open(digest).read_bytes() == b"data"


def test_a_corrupt_artifact_is_not_taken_for_good_because_the_same_was_put_again(store: Store, tmp_path: Path) -> None:
    digest, _ = store.put_bytes(b"data")
    overwrite(store, object_of(digest), b"DATA")
    again = fresh(store, tmp_path)
    again.put_bytes(b"data")
    try:
        assert again.open(digest).read_bytes() == b"data"
    except StoreError:
        again.put_bytes(b"data")
        assert again.open(digest).read_bytes() == b"data"


def test_an_artifact_that_is_cut_short_is_a_miss(store: Store) -> None:
    digest, _ = commit(store).files["thing.bin"]
    overwrite(store, object_of(digest), b"dat")
    assert store.lookup(KEY) is None
    assert "missing or cut short" in store.told[0]  # type: ignore[attr-defined]


def test_a_removed_artifact_is_explained_even_to_the_process_that_wrote_it(store: Store, tmp_path: Path) -> None:
    digest, _ = store.put_bytes(b"data")
    store.open(digest)
    Store(store.url, scratch=store.scratch).gc(lambda manifest: False, min_age=-1)
    with pytest.raises(StoreError, match="is not in the store"):
        store.open(digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        "{}",
        '{"files": []}',
        "[" * 100_000,
        json.dumps({"fingerprint": KEY, "kind": "Thing", "files": {}, "schema": 99}),
        json.dumps({"fingerprint": "f" * 64, "kind": "Thing", "files": {}}),
        json.dumps({"fingerprint": KEY, "kind": "Thing", "files": {}, "facts": 3}),
        json.dumps({"fingerprint": KEY, "kind": "Thing", "files": {"a": [5, 5]}}),
        json.dumps({"fingerprint": KEY, "kind": "Thing", "files": {"a": ["../../../precious", 8]}}),
        json.dumps({"fingerprint": KEY, "kind": "Thing", "files": {"../../precious": ["0" * 64, 8]}}),
        json.dumps({"fingerprint": KEY, "kind": "Thing", "files": {}, "more": 1}),
    ],
    ids=range(15),
)
def test_an_unreadable_entry_is_a_miss_with_a_warning(store: Store, tmp_path: Path, text: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    overwrite(store, entry_of(KEY), text.encode())
    assert store.lookup(KEY) is None
    assert "computed anew" in store.told[0]  # type: ignore[attr-defined]
    assert list(store.manifests()) == []
    assert commit(store).files == store.lookup(KEY).files  # type: ignore[union-attr]
    assert precious.read_text() == "precious"


def test_gc_keeps_what_is_named_and_what_is_young(store: Store, tmp_path: Path) -> None:
    kept = commit(store, run="kept")
    commit(store, "cd" + KEY[2:], b"dropped", run="dropped")
    lone, _ = store.put_bytes(b"lone")
    (store.scratch / f"123-{'0' * 32}").write_bytes(b"half")
    (store.scratch / "mine.txt").write_bytes(b"someone else's")

    def keep(manifest: Manifest) -> bool:
        return manifest.facts["run"] == "kept"

    assert store.gc(keep) == (0, 0), "what is young may be about to be committed"
    would = store.gc(keep, min_age=-1, dry=True)
    assert store.has(lone)
    assert store.gc(keep, min_age=-1) == would
    assert would[0] == 4, "a manifest, its blob, the blob that nobody names, and the file that was never finished"
    assert [manifest.facts["run"] for manifest in fresh(store, tmp_path).manifests()] == ["kept"]
    assert fresh(store, tmp_path).open(kept.files["thing.bin"][0]).read_bytes() == b"data"
    assert not store.has(lone)
    assert (store.scratch / "mine.txt").exists()


def test_gc_spares_a_blob_that_a_run_is_about_to_name_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    digest, _ = store.put_bytes(b"shared")
    old = time.time() - 7200
    os.utime(tmp_path / "store" / object_of(digest), (old, old))
    store.put_bytes(b"shared")
    store.gc(lambda manifest: False)
    assert store.has(digest)


def test_a_value_is_written_and_read_through_a_folder(store: Store, tmp_path: Path) -> None:
    writing = store.writing()
    writing.put_json("a.json", {"b": 1})
    sub = writing.sub("inner")
    sub.put("c.bin", b"c")
    (tmp_path / "d.bin").write_bytes(b"d")
    sub.add("d.bin", tmp_path / "d.bin")
    digest, size = store.put_bytes(b"e")
    sub.refer("e.bin", digest, size)
    assert sub.names() == ["c.bin", "d.bin", "e.bin"]
    manifest = store.commit(Manifest(KEY, "Thing", writing.files))
    reading = fresh(store, tmp_path).reading(manifest, lambda stage, use, config: (stage, use, config))
    assert reading.get_json("a.json") == {"b": 1}
    assert [reading.sub("inner").path(n).read_bytes() for n in ("c.bin", "d.bin", "e.bin")] == [b"c", b"d", b"e"]
    assert reading.component("train", "x", {}) == ("train", "x", {})


def test_a_corrupt_cached_copy_does_not_cost_the_remote_its_artifact(tmp_path: Path) -> None:
    store = Store(f"memory://{tmp_path.name}", scratch=tmp_path / "scratch")
    digest, _ = store.put_bytes(b"data")
    store.open(digest).write_bytes(b"DATA")
    later = Store(store.url, scratch=tmp_path / "scratch")
    assert later.open(digest).read_bytes() == b"data"
    assert store.has(digest, 4)


# Another process, and another host


def test_a_store_travels_to_workers(tmp_path: Path) -> None:
    def callback(text: str) -> None:  # cannot be pickled
        raise AssertionError

    store = Store(str(tmp_path / "store"), warn=callback)
    digest, _ = store.put_bytes(b"data")
    sent = pickle.dumps(store)
    there = pickle.loads(sent)
    assert there.open(digest).read_bytes() == b"data"
    more, _ = there.put_bytes(b"more")
    assert Store(store.url).open(more).read_bytes() == b"more"
    assert pickle.loads(sent) is there, "a worker would verify each file once per task"


def test_a_remote_store_travels_without_its_scratch_folder(store: Store, tmp_path: Path) -> None:
    digest, _ = store.put_bytes(b"data")
    words = (store.url, store.identity, "/nowhere/at/all/scratch")
    there = store.__reduce__()[0](*words)
    assert there.open(digest).read_bytes() == b"data"
    assert not str(there.scratch).startswith("/nowhere")


def test_a_relative_store_means_the_same_folder_wherever_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("store")
    digest, _ = store.put_bytes(b"data")
    sent = pickle.dumps(store)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert pickle.loads(sent).open(digest).read_bytes() == b"data"


@pytest.mark.parametrize("instead", ["nothing", "another store"])
def test_a_worker_that_does_not_see_the_store_says_so_and_writes_nowhere(tmp_path: Path, instead: str) -> None:
    store = Store(str(tmp_path / "store"))
    kept = commit(store)
    sent = pickle.dumps(store)
    os.rename(tmp_path / "store", tmp_path / "mounted elsewhere")
    if instead == "another store":
        pickle.dumps(Store(str(tmp_path / "store")))
    before = sorted((tmp_path / "store").rglob("*"))
    there = pickle.loads(sent)
    for act in (
        lambda: there.open(kept.files["thing.bin"][0]),
        lambda: there.put_bytes(b"more"),
        lambda: there.lookup(KEY),
        lambda: there.commit(kept),
        lambda: there.has(kept.files["thing.bin"][0]),
    ):
        with pytest.raises(StoreError, match="does not see the store.*a shared folder, or a URL"):
            act()
    assert sorted((tmp_path / "store").rglob("*")) == before
    if instead == "nothing":
        os.rename(tmp_path / "mounted elsewhere", tmp_path / "store")
        assert there.lookup(KEY) == kept, "it is there now"


def test_a_file_system_whose_package_is_missing_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec.registry  # noqa: F401  # so that it is there to be changed

    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(StoreError, match=r"modelway\[s3\]"):
        Store("s3://bucket/store", tmp_path).lookup(KEY)


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_explained_and_not_made(reach_s3: None, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(StoreError, match="bucket does not exist.*Make its bucket"):
            Store("s3://nosuchbucket/store", tmp_path).put_bytes(b"data")


# From one store to another


def filled(folder: Path, count: int = 6) -> Store:
    """A store of some artifacts; each has a file of its own, and one that all share."""
    store = Store(str(folder))
    shared = store.put_bytes(b"shared" * 1000)
    for i in range(count):
        files = {"own.bin": store.put_bytes(bytes([i]) * 5000), "shared.bin": shared}
        store.commit(Manifest(f"{i:064x}", "Thing", files, {"i": i}))
    return store


def keys(store: Store) -> list[str]:
    return [manifest.fingerprint for manifest in store.manifests()]


def test_what_is_carried_to_another_store_is_the_same_there_and_is_carried_once(store: Store, tmp_path: Path) -> None:
    source = filled(tmp_path / "source")
    done = carry(source, store, [*keys(source), KEY])
    assert (done.artifacts, done.present, done.absent) == (6, 0, 1)
    assert (done.files, done.bytes, done.shared) == (7, 36_000, 0)
    assert list(fresh(store, tmp_path).manifests()) == list(source.manifests())
    again = carry(source, store, keys(source))
    assert (again.artifacts, again.present, again.files, again.bytes) == (0, 6, 0, 0)
    back = Store(str(tmp_path / "back"))
    carry(fresh(store, tmp_path), back, keys(source)[:2])
    for manifest in back.manifests():
        for digest, size in manifest.files.values():
            assert back.open(digest).stat().st_size == size
    assert keys(back) == keys(source)[:2]


def test_an_artifact_that_another_made_first_stays(store: Store, tmp_path: Path) -> None:
    source = Store(str(tmp_path / "source"))
    commit(source, data=b"later")
    first = commit(store, data=b"first")
    carry(source, store, [KEY])
    assert store.lookup(KEY) == first


def test_a_corrupt_file_is_not_carried_and_its_artifact_does_not_appear(store: Store, tmp_path: Path) -> None:
    source = filled(tmp_path / "source", 3)
    harmed = source.lookup(f"{1:064x}")
    assert harmed is not None
    overwrite(source, object_of(harmed.files["own.bin"][0]), bytes([7]) * 5000)
    with pytest.raises(StoreError, match="do not match its digest"):
        carry(Store(source.url), store, keys(source))
    assert harmed.fingerprint not in keys(store)
    done = carry(Store(source.url), store, [f"{i:064x}" for i in range(3)])
    assert (done.artifacts, done.absent) == (2, 1)


def test_a_carriage_that_is_interrupted_leaves_nothing_by_half_and_goes_on_where_it_was(
    store: Store, tmp_path: Path
) -> None:
    source = filled(tmp_path / "source", 40)

    def stop(done: int, total: int, size: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry(source, store, keys(source), stop)
    assert keys(fresh(store, tmp_path)) == []
    done = carry(source, store, keys(source))
    assert done.artifacts == 40
    assert done.shared >= 9
    assert done.files + done.shared == 41
    assert list(fresh(store, tmp_path).manifests()) == list(source.manifests())


# What happens to a process

_WRITE = """
import sys
from modelway.store import Manifest, Store
store = Store(sys.argv[1])
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    files = {f"{i}.bin": store.put_bytes(bytes([number % 251, i]) * 40_000) for i in range(3)}
    store.commit(Manifest(f"{number:064x}", "Thing", files, {"number": number}))
"""


@pytest.mark.faults
def test_a_writer_killed_at_any_instant_leaves_the_store_whole(tmp_path: Path) -> None:
    url, rng, found = str(tmp_path / "store"), random.Random(5), 0
    for start in range(0, 12_000, 1000):
        child = subprocess.Popen([sys.executable, "-c", _WRITE, url, str(start)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.25))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        told: list[str] = []
        store = Store(url, warn=told.append)
        manifests = list(store.manifests())
        assert told == [], "an entry names what is not there"
        for manifest in manifests:
            for digest, size in manifest.files.values():
                assert store.open(digest).stat().st_size == size
        assert len(manifests) >= found, "what was committed is gone"
        found = len(manifests)
    assert found > 3, "the writers were killed before they wrote anything"
    store.gc(lambda manifest: True, min_age=-1)
    assert not [path for path in (tmp_path / "store" / "tmp").rglob("*") if path.is_file()], "files never finished stay"
    assert len(list(store.manifests())) == found


_RACE = """
import sys, time
from modelway.store import Manifest, Store
store = Store(sys.argv[1])
files = {"thing.bin": store.put_bytes(sys.argv[2].encode() * 1000)}
time.sleep(max(0.0, float(sys.argv[3]) - time.time()))
print(store.commit(Manifest("ab" + "0" * 62, "Thing", files, {"by": sys.argv[2]})).facts["by"])
"""


@pytest.mark.faults
def test_eight_processes_that_commit_one_fingerprint_agree_on_one_result(tmp_path: Path) -> None:
    at = str(time.time() + 2.0)
    command = [sys.executable, "-c", _RACE, str(tmp_path / "store")]
    children = [subprocess.Popen([*command, str(i), at], stdout=subprocess.PIPE, text=True) for i in range(8)]
    said = {child.communicate()[0].strip() for child in children}
    assert len(said) == 1, f"the processes were told of {said}"
    manifest = Store(str(tmp_path / "store")).lookup(KEY)
    assert manifest is not None
    assert {manifest.facts["by"]} == said


# What happens to a disk


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a small file system of its own, where the rights suffice."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("Mounting a small file system needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"A small file system cannot be mounted here: {done.stderr.decode().strip()}")

    def remount(*options: str) -> Path:
        if options:
            subprocess.run(["mount", "-o", f"remount,{','.join(options)}", place], check=True)
        return place

    yield remount
    subprocess.run(["umount", place], check=True)


@pytest.mark.faults
def test_a_full_disk_is_explained_and_what_was_committed_stays(mounted: Callable[..., Path], tmp_path: Path) -> None:
    store = Store(str(mounted() / "store"))
    kept = commit(store)
    with pytest.raises(StoreError, match="No space left") as told:
        list(map(store.put_bytes, (bytes([i]) * 50_000 for i in range(100))))
    assert "Free some space" in str(told.value)
    again = Store(store.url)
    assert again.lookup(KEY) == kept
    assert again.open(kept.files["thing.bin"][0]).read_bytes() == b"data"
    assert not [path for path in (mounted() / "store" / "tmp").iterdir() if path.is_file()], "the half file stays"
    again.gc(lambda manifest: True, min_age=-1)
    again.put_bytes(b"y" * 50_000)


@pytest.mark.faults
def test_a_read_only_store_can_be_read_and_says_why_it_cannot_be_written(mounted: Callable[..., Path]) -> None:
    kept = commit(Store(str(mounted() / "store")))
    store = Store(str(mounted("ro") / "store"))
    try:
        assert store.lookup(KEY) == kept
        assert store.open(kept.files["thing.bin"][0]).read_bytes() == b"data"
        with pytest.raises(StoreError, match="read-only: make it writable"):
            store.put_bytes(b"more")
        with pytest.raises(StoreError, match="read-only: make it writable"):
            store.commit(kept)
    finally:
        mounted("rw")


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() == 0, reason="No folder refuses root")
def test_a_folder_without_rights_is_explained(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="change its rights"):
        Store(str(tmp_path / "store")).put_bytes(b"data")


def test_a_store_below_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(str(tmp_path / "file" / "store")).put_bytes(b"data")


@pytest.mark.faults
def test_a_workspace_writes_into_a_store_on_another_disk(mounted: Callable[..., Path], tmp_path: Path) -> None:
    from modelway.workspace import Workspace

    store = Workspace(tmp_path).store(str(mounted() / "store"))
    assert commit(store) == store.lookup(KEY)
