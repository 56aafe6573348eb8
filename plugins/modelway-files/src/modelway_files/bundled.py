"""The small real data sets that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from modelway import PluginError, Run, Source, Table, param


@dataclass(frozen=True, kw_only=True)
class Bundled(Source, name="sklearn"):
    """A data set bundled with scikit-learn, whose last column is ``target``.

    Feature columns keep scikit-learn's names (``mean radius``, ``pixel_0_0``) and are float64. The target of ``iris``,
    ``wine``, ``breast_cancer`` and ``digits`` is the name of the class, as text (``malignant``, ``setosa``, ``'0'`` to
    ``'9'``); that of ``diabetes`` is a number. Nothing is downloaded.
    """

    libraries = ("scikit-learn",)

    dataset: Literal["iris", "wine", "breast_cancer", "digits", "diabetes"] = param(..., "Name of the data set.")

    def version(self, run: Run) -> str:
        """Identify the data: the data set and the version of scikit-learn that bundles it.

        Raises:
            PluginError: scikit-learn is not installed.
        """
        try:
            return f"{self.dataset}, scikit-learn {metadata.version('scikit-learn')}"
        except metadata.PackageNotFoundError:
            raise _absent() from None

    def load(self, run: Run) -> Table:
        """Load the data set.

        Raises:
            PluginError: scikit-learn is not installed.
        """
        try:
            from sklearn import datasets
        except ImportError:
            raise _absent() from None
        import numpy as np
        import pyarrow as pa

        bunch = getattr(datasets, f"load_{self.dataset}")()
        columns = {str(name): pa.array(bunch.data[:, i]) for i, name in enumerate(bunch.feature_names)}
        target = bunch.target
        if hasattr(bunch, "target_names"):
            target = np.asarray([str(name) for name in bunch.target_names])[target]
        about = {"files": {self.dataset: self.version(run)}}
        return run.table([pa.table({**columns, "target": pa.array(target)})], about)


def _absent() -> PluginError:
    return PluginError(
        "The source 'sklearn' needs scikit-learn, which is not installed",
        mend="Install it with: pip install 'modelway-files[sklearn]'",
    )
