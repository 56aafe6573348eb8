"""Fixtures that pytest offers wherever Modelway is installed; nothing heavy is imported before one is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from modelway.context import Run
    from modelway.values import Table

pytest.register_assert_rewrite("modelway.testing")


@pytest.fixture
def modelway_run(tmp_path: Path) -> Callable[..., Run]:
    """Make runs below the test's folder: ``modelway_run(schema={...}, task="binary", seed=0)``."""

    def make(**more: Any) -> Run:
        from modelway.testing import make_run

        return make_run(tmp_path, **more)

    return make


@pytest.fixture
def modelway_table(modelway_run: Callable[..., Run]) -> Callable[..., Table]:
    """Make tables of plain columns: ``modelway_table({"a": [1, 2]}, parts=2)``."""

    def make(columns: Any, parts: int = 1, **more: Any) -> Table:
        from modelway.testing import make_table

        return make_table(modelway_run(**more), columns, parts)

    return make
