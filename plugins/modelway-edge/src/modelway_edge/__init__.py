"""Offers the packager ``edge``: features and model as one ONNX graph, run by onnxruntime and numpy alone."""

from __future__ import annotations

from collections.abc import Iterable

from modelway import Packager, hookimpl
from modelway_edge.packager import Edge


@hookimpl
def packagers() -> Iterable[type[Packager]]:
    """Offer the packager of edge bundles."""
    return [Edge]
