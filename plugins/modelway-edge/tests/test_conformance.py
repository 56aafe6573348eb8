"""The packager keeps the contract of packagers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import edge_models
from modelway_edge.packager import Edge

from modelway import Bundle, ScoringModel
from modelway.testing import PackagerSuite


class TestEdge(PackagerSuite):
    """Edge bundles of trees with every kind of column."""

    component = Edge(parity_rows=20)

    def model(self, folder: Path) -> ScoringModel:
        """Return a small model."""
        return edge_models.scoring_model(rounds=3)

    def golden(self, bundle: Bundle) -> Any:
        """Return the golden rows."""
        return json.loads((bundle.root / "golden.json").read_text())["rows"]
