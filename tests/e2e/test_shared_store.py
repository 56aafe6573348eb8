"""One store for many: what one workspace computed another takes, at once or after a push and a pull."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelway.ledger import Ledger
from modelway.store import Manifest, Store


@pytest.fixture
def other(tmp_path: Path, shop_at: Callable[[Path], Any]) -> Any:
    """Another host's workspace: the same project and data, a ledger and a store of its own."""
    return shop_at(tmp_path / "other")


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A shared store: its URL, and the environment of commands that reach it."""
    if request.param == "folder":
        return str(tmp_path / "shared"), {}
    return f"s3://shared/{tmp_path.name}", request.getfixturevalue("s3")


def statuses(done: Any) -> set[str]:
    """Return what became of the steps of a run."""
    return {step["status"] for step in done.json["steps"].values()}


def test_a_second_workspace_with_a_ledger_of_its_own_computes_nothing(
    bench: Any, other: Any, shared: tuple[str, dict[str, str]]
) -> None:
    url, env = shared
    first = bench.apart("run", "shop", f"store={url}", "--json", **env)
    assert statuses(first) == {"ran"}
    second = other.apart("run", "shop", f"store={url}", "--json", **env)
    assert statuses(second) == {"cached"}
    assert second.json["scores"] == first.json["scores"]
    assert len(Ledger(str(other.root / ".modelway" / "ledger.db")).runs()) == 1
    assert other.apart("store", "verify", url, **env).out == "Every file matches its digest.\n"


def test_what_was_pushed_and_pulled_is_not_computed_again(
    bench: Any, other: Any, shared: tuple[str, dict[str, str]]
) -> None:
    url, env = shared
    first = bench.apart("run", "shop", "--json", **env)
    pushed = bench.apart("store", "push", url, **env)
    assert pushed.code == 0, pushed.err
    assert pushed.out.startswith("Pushed ")
    again = bench.apart("store", "push", url, **env)
    assert "Pushed 0 artifacts" in again.out
    assert "0 files, 0 B" in again.out
    assert "there already" in again.out
    nothing = other.apart("store", "pull", url, **env)
    assert "--all takes everything" in nothing.out
    pulled = other.apart("store", "pull", url, "--all", **env)
    assert pulled.out.split(" from ")[0].removeprefix("Pulled") == pushed.out.split(" to ")[0].removeprefix("Pushed")
    second = other.apart("run", "shop", "--json")
    assert statuses(second) == {"cached"}
    assert second.json["scores"] == first.json["scores"]


def test_a_store_that_was_lost_comes_back_with_a_pull(bench: Any, tmp_path: Path) -> None:
    run = bench("run", "shop", "--json").json["run"]
    before = {m.fingerprint for m in Store(str(bench.root / ".modelway")).manifests()}
    bench("store", "push", str(tmp_path / "shared"))
    for folder in ("objects", "index"):
        shutil.rmtree(bench.root / ".modelway" / folder)
    done = bench("store", "pull", str(tmp_path / "shared"), "--runs", run[:9])
    assert done.code == 0, done.err
    assert {m.fingerprint for m in Store(str(bench.root / ".modelway")).manifests()} == before
    assert set(bench.marks("shop").values()) == {"="}


def test_only_what_a_run_or_a_project_needs_is_pushed(bench: Any, tmp_path: Path) -> None:
    bench("run", "shop")
    run = bench("run", "shop", "model.sharpness=2.0", "--json").json["run"]
    ledger, store = Ledger(str(bench.root / ".modelway" / "ledger.db")), Store(str(tmp_path / "shared"))
    bench("store", "push", store.url, "--runs", run)
    steps = {step["fingerprint"] for step in ledger.steps(run)}
    found = {manifest.fingerprint: manifest.kind for manifest in store.manifests()}
    assert steps <= set(found)
    assert {found[name] for name in set(found) - steps} == {"Environment"}
    bench("store", "push", store.url, "--project", "shop")
    assert {manifest.fingerprint for manifest in store.manifests()} >= ledger.needed() > steps
    wrong = bench("store", "push", store.url, "--project", "shp")
    assert (wrong.code, "no run on record" in wrong.err) == (2, True)


def test_a_push_to_where_nothing_listens_is_one_paragraph(bench: Any) -> None:
    pytest.importorskip("s3fs", reason="stores on S3 need the extra s3")
    bench("run", "shop")
    env = {"FSSPEC_S3_ENDPOINT_URL": "http://127.0.0.1:1", "FSSPEC_S3_KEY": "a", "FSSPEC_S3_SECRET": "b"}
    done = bench.apart("store", "push", "s3://bucket/store", AWS_MAX_ATTEMPTS="1", **env)
    assert done.code == 6
    assert "Check its URL, its endpoint and its credentials" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_the_store_and_ledger_of_the_environment_are_every_commands(bench: Any, other: Any, tmp_path: Path) -> None:
    env = {"MODELWAY_STORE": str(tmp_path / "shared"), "MODELWAY_LEDGER": str(tmp_path / "ledger.db")}
    run = bench.apart("run", "shop", "--json", **env).json["run"]
    assert not (bench.root / ".modelway" / "objects").exists()
    assert other.apart("show", run, **env).code == 0
    assert statuses(other.apart("run", "shop", "--json", **env)) == {"cached"}
    assert len(Ledger(env["MODELWAY_LEDGER"]).runs()) == 2
    assert other.apart("store", "gc", "--dry-run", **env).code == 0


def test_a_shared_store_is_not_collected_by_one_who_does_not_know_what_others_need(bench: Any, tmp_path: Path) -> None:
    done = bench.apart("store", "gc", MODELWAY_STORE=str(tmp_path / "shared"))
    assert done.code == 2
    assert "MODELWAY_LEDGER" in done.err


@pytest.mark.faults
def test_a_push_killed_at_any_instant_leaves_nothing_by_half_and_goes_on(bench: Any, tmp_path: Path) -> None:
    source, draw = Store(str(bench.root / ".modelway")), random.Random(3)
    for i in range(300):
        files = {f"{k}.bin": source.put_bytes(bytes([i % 256, k]) * 20_000 + str(i).encode()) for k in range(3)}
        source.commit(Manifest(f"{i:064x}", "Thing", files))
    target = tmp_path / "shared"
    counts = []
    for _ in range(8):
        process = bench.start("store", "push", str(target), "--all")
        until = time.monotonic() + 30
        while not (target / "objects").exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(draw.uniform(0.0, 1.0))
        process.kill()
        process.communicate()
        told: list[str] = []
        manifests = list(Store(str(target), warn=told.append).manifests())
        assert told == []
        counts.append(len(list((target / "objects").rglob("*"))))
        for manifest in manifests[:20]:
            for digest, size in manifest.files.values():
                assert Store(str(target)).open(digest).stat().st_size == size
    assert counts == sorted(counts)
    done = bench.apart("store", "push", str(target), "--all")
    assert done.code == 0, done.err
    assert list(Store(str(target)).manifests()) == list(source.manifests())
