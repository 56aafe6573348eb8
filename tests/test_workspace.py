"""The workspace is found from where the user stands, and a project by name or path."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelway.errors import ConfigError
from modelway.workspace import Memory, Workspace


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELWAY_WORKSPACE", raising=False)


def project(folder: Path) -> Path:
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "config.yaml").write_text("project: x\n")
    return folder


def test_it_is_the_nearest_folder_that_looks_like_one(tmp_path: Path) -> None:
    deep = project(tmp_path / "projects" / "shop") / "conf"
    assert Workspace.find(deep).root == tmp_path
    (tmp_path / "projects" / "shop" / ".modelway").mkdir()
    assert Workspace.find(deep).root == tmp_path / "projects" / "shop"


def test_where_none_is_found_it_is_the_folder_itself(tmp_path: Path) -> None:
    assert Workspace.find(tmp_path).root == tmp_path


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWAY_WORKSPACE", str(tmp_path / "told"))
    project(tmp_path / "projects" / "shop")
    assert Workspace.find(tmp_path).root == tmp_path / "told"


def test_a_project_is_found_by_name_from_anywhere_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "projects" / "shop")
    for place in (tmp_path, folder, folder / "conf"):
        monkeypatch.chdir(place)
        assert Workspace.project("shop") == (Workspace(tmp_path), folder)


def test_a_project_by_path_is_in_the_workspace_that_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "a" / "projects" / "shop")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Workspace.project(str(folder)) == (Workspace(tmp_path / "a"), folder)
    monkeypatch.chdir(tmp_path / "a" / "projects")
    assert Workspace.project("./shop") == (Workspace(tmp_path / "a"), folder)


def test_a_project_that_stands_alone_is_its_own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "alone")
    monkeypatch.chdir(tmp_path)
    assert Workspace.project("alone") == (Workspace(folder), folder)


def test_a_misspelt_project_is_told_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path / "projects" / "shop")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no project 'shpo'.*Did you mean 'shop'"):
        Workspace.project("shpo")


def test_a_cache_file_is_whole_or_absent(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    target = place.cache / "deep" / "a.json"
    place.write_cache(target, b"one")
    place.write_cache(target, b"two")
    assert target.read_bytes() == b"two"
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / ".modelway").write_text("a file where a folder should be")
    Workspace(tmp_path).write_cache(Workspace(tmp_path).cache / "a.json", b"one")


@pytest.mark.parametrize(("url", "at"), [("", ".modelway"), ("shared", "shared")])
def test_store_and_ledger_lie_in_the_workspace_unless_told(tmp_path: Path, url: str, at: str) -> None:
    place = Workspace(tmp_path)
    assert place.store(url).url.endswith(str(tmp_path / at))
    ledger = place.ledger(f"{url}/other.db" if url else "")
    assert ledger.url == str(tmp_path / at / ("other.db" if url else "ledger.db"))


def test_what_is_remembered_is_there_in_the_next_run_beside_what_others_wrote(tmp_path: Path) -> None:
    write, path = Workspace(tmp_path).write_cache, tmp_path / "deep" / "remembered.json"
    one, two = Memory(path), Memory(path)
    one["a"], two["b"] = 1, [2]
    assert "a" in one
    assert "b" not in one
    one.save(write)
    two.save(write)
    assert Memory(path).get("a") == 1
    assert Memory(path).get("b") == [2]
    assert Memory(path).get("c") is None


@pytest.mark.parametrize("content", [b"", b"[1]", b"{cut"])
def test_a_broken_memory_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "remembered.json"
    path.write_bytes(content)
    found = Memory(path)
    assert found.get("a") is None
    found["a"] = 1
    found.save(Workspace(tmp_path).write_cache)
    assert Memory(path).get("a") == 1


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "MOST", 3)
    path = tmp_path / "remembered.json"
    for i in range(5):
        found = Memory(path)
        found[f"k{i}"] = i
        found.save(Workspace(tmp_path).write_cache)
    assert [Memory(path).get(f"k{i}") for i in range(5)] == [None, None, 2, 3, 4]
