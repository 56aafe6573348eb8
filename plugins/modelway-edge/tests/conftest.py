"""Models that the tests share."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest


@pytest.fixture(autouse=True)
def _one_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a bundle once where it is measured: tests look at what is found, not at how quick it is."""
    from modelway_edge import measuring

    monkeypatch.setattr(measuring, "_STARTS", 1)
