"""Scores rows with a bundle's ONNX graph; needs onnxruntime, numpy and the standard library.

This package is copied into every bundle as ``modelway_edge_runtime``::

    from modelway_edge_runtime import Scorer

    scorer = Scorer("bundle")
    scores = scorer.score([{"age": 41, "plan": "basic"}])
"""

from modelway_edge_runtime.errors import BundleError, NotReadyError, RefusedError
from modelway_edge_runtime.scorer import Scorer

__all__ = ["BundleError", "NotReadyError", "RefusedError", "Scorer"]
