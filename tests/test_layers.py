"""The layers of the framework: each module imports what lies below it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_module_imports_what_lies_below_it() -> None:
    pytest.importorskip("importlinter")
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert command is not None
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_plugins_import_the_public_contract_and_nothing_deeper() -> None:
    deeper = re.compile(r"^\s*(?:from|import) +modelway\.(?!testing\b)\S+", re.M)
    found = {}
    for path in (ROOT / "plugins").rglob("*.py"):
        if lines := deeper.findall(path.read_text(encoding="utf-8")):
            found[str(path.relative_to(ROOT))] = lines
    assert found == {}


def test_plugins_never_import_each_other() -> None:
    imported = re.compile(r"^\s*(?:from|import) +(modelway_\w+)", re.M)
    found = {}
    for folder in (ROOT / "plugins").glob("modelway-*"):
        own = {path.name for path in (folder / "src").iterdir()}  # a plugin may bring a runtime that travels alone
        for path in (folder / "src").rglob("*.py"):
            if others := set(imported.findall(path.read_text(encoding="utf-8"))) - own:
                found[str(path.relative_to(ROOT))] = others
    assert found == {}
