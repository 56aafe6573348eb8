"""Sources that read files, and scikit-learn's bundled data sets."""

from __future__ import annotations

from modelway import Source, hookimpl
from modelway_files.bundled import Bundled
from modelway_files.source import Files


@hookimpl
def sources() -> list[type[Source]]:
    """Offer ``files`` and ``sklearn``."""
    return [Files, Bundled]
