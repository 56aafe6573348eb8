"""Tab completion: what a person at a shell is offered."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelway.cli import main

ROOT = Path(__file__).parent.parent


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(ROOT / "projects" / "cancer", tmp_path / "projects" / "cancer")
    monkeypatch.setenv("MODELWAY_WORKSPACE", str(tmp_path))

    def ask(*words: str) -> list[str]:
        capsys.readouterr()
        assert main(["completion", "--words", *words]) == 0
        return capsys.readouterr().out.splitlines()

    return ask


def test_commands_projects_choices_and_keys_are_offered(offered) -> None:
    assert "runs " in offered("ru")
    assert offered("run", "ca") == ["cancer "]
    assert "model=xgboost " in offered("run", "cancer", "model=")
    assert offered("plan", "cancer", "model.max_d") == ["model.max_depth="]
    assert "+model=xgboost " in offered("run", "cancer", "+mod")


def test_a_project_that_does_not_compose_offers_nothing_and_says_nothing(offered, tmp_path: Path) -> None:
    (tmp_path / "projects" / "cancer" / "conf" / "config.yaml").write_text("task: nonsense\n")
    assert offered("run", "cancer", "model.zzz") == [""]


def test_each_shell_gets_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        assert "modelway completion --words" in capsys.readouterr().out
