"""Fixtures of the framework's own tests: third-party distributions, and interpreters that find them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

DISTS = Path(__file__).parent / "dists"

#: Runs a script in an interpreter of its own and returns it finished.
Interpreter = Callable[..., "subprocess.CompletedProcess[str]"]


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
