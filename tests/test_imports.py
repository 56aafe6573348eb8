"""What starts must start at once: importing the framework or a plugin imports nothing heavy."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest

HEAVY = (
    "numpy", "pandas", "pyarrow", "hydra", "omegaconf", "yaml", "sqlalchemy", "sklearn", "xgboost", "dask", "bentoml",
    "rich", "fsspec", "pandera", "distributed", "onnxruntime",
)  # fmt: skip


def imported(python: Any, *statements: str) -> set[str]:
    """Return the heavy libraries that statements import in an interpreter of their own."""
    lines = [*statements, "import sys", f"print(*({set(HEAVY)!r} & set(sys.modules)))"]
    done = python("\n".join(lines))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["modelway", "modelway.testing", "modelway.plugins", "modelway.hookspecs"])
def test_importing_the_framework_is_cheap(python: Any, module: str) -> None:
    assert imported(python, f"import {module}") == set()


def test_a_pytest_that_uses_no_fixture_of_ours_pays_for_none(python: Any) -> None:
    assert imported(python, "import modelway.testing.plugin") == set()


def test_loading_every_installed_plugin_is_cheap(python: Any) -> None:
    modules = sorted(point.module for point in entry_points(group="modelway"))
    assert imported(python, *(f"import {module}" for module in modules)) == set()


def test_what_plugins_need_is_in_one_module(python: Any) -> None:
    done = python("import modelway; print(*[n for n in modelway.__dict__ if not n.startswith('_')])")
    names = set(done.stdout.split())
    assert {"Trainer", "Feature", "param", "knob", "secret", "hookimpl", "Run", "Split", "DataError"} <= names
