"""A bundle that the tests share, and the folder of the small distribution that its model is made with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "dists"))

from modelway import Bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    from shop import package, scoring_model

    return package(tmp_path_factory.mktemp("bundle"), scoring_model())
