"""What shows that a suite can fail: run all of it against a component that breaks one rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def caught(tmp_path: Path) -> Callable[..., set[str]]:
    """Return the names of a suite's checks, or of ``only`` one of them, that a component does not pass."""

    def run(suite: type, only: str = "", **attributes: Any) -> set[str]:
        checks = type("Checks", (suite,), {"__test__": False, **attributes})
        failed = set()
        for name in [only] if only else sorted(name for name in dir(checks) if name.startswith("test_")):
            folder = tmp_path / name
            folder.mkdir()
            try:
                getattr(checks(), name)(folder)
            except Exception:  # whatever a rude component raises, pytest would show as a failure
                failed.add(name)
        return failed

    return run
