"""Stages that learn and judge: features, train, evaluate, gate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from modelway.component import Component
from modelway.context import Run
from modelway.errors import ConfigError
from modelway.values import Columns, Model, Predictions, Reason, Scores, Split

if TYPE_CHECKING:
    from modelway.graph import Graph, Wire, Wires


class Feature(Component, ABC):
    """features: a change of columns that may need to be fitted on training rows first.

    A field ``columns`` holds names or patterns of the inputs. A feature that needs no fitting leaves
    ``summarise``, ``merge`` and ``finish`` alone and sets ``fitted = False``.
    """

    stage: ClassVar[str] = "features"
    #: Whether ``summarise`` must see the training rows.
    fitted: ClassVar[bool] = True
    #: Whether the input columns stay beside the outputs; otherwise outputs replace them.
    keeps_inputs: ClassVar[bool] = False

    def inputs(self, available: Columns) -> tuple[str, ...]:
        """Return the names of the columns that the feature reads, given those that are there: a few rows of each.

        Raises:
            ConfigError: a name or pattern of ``columns`` that matches nothing.
        """
        from fnmatch import fnmatchcase

        from modelway.errors import nearest

        found: list[str] = []
        for key in getattr(self, "columns", ()):
            matched = [key] if key in available else [name for name in available if fnmatchcase(name, key)]
            if not matched:
                raise ConfigError(f"Feature '{self.name}' names column '{key}'", mend=nearest(key, available))
            found += matched
        return tuple(dict.fromkeys(found))

    def summarise(self, columns: Columns) -> Any:
        """Summarise the input columns of one batch of training rows."""
        return None

    def merge(self, a: Any, b: Any) -> Any:
        """Merge two summaries; ``a`` is of earlier rows. The order of merging is that of the rows."""
        return None

    def finish(self, summary: Any) -> Mapping[str, Any]:
        """Turn the summary of all training rows into the fitted state: plain JSON only."""
        return {}

    @abstractmethod
    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        """Compute the output columns, row by row alike, from the input columns and the fitted state.

        Needs numpy only: the same code serves training, batch scoring and the service.
        """

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write ``apply`` into a graph, for targets without Python's features; most features can.

        Returns:
            The output columns, which hold what ``apply`` makes of the same rows.

        Raises:
            ConfigError: the feature, as it is configured, cannot be written.
        """
        raise ConfigError(f"The feature '{self.name}' cannot write itself as ONNX")


class Trainer(Component, ABC):
    """train: fit a model."""

    stage: ClassVar[str] = "train"
    seeded: ClassVar[bool] = True
    #: The ``Model`` subclass that ``fit`` returns, so that it can be loaded again.
    model: ClassVar[type[Model]]
    #: Tasks that the trainer can do.
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")
    #: Whether ``fit`` uses ``run.workers.client``, so that the cluster's shape is part of the fingerprint.
    distributed: ClassVar[bool] = False

    @abstractmethod
    def fit(self, split: Split, run: Run) -> Model:
        """Fit on ``split.batches("train")``; ``split.batches("valid")`` may stop early.

        Raises:
            DataError: the training rows cannot be learnt from (one class, no feature, a text column left over).
        """


class Metric(Component, ABC):
    """evaluate: measure predictions."""

    stage: ClassVar[str] = "evaluate"
    seeded: ClassVar[bool] = True
    #: Tasks that the metric is defined for.
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")
    #: Whether a smaller value is better.
    lower_is_better: ClassVar[bool] = False

    @abstractmethod
    def measure(self, predictions: Predictions, run: Run) -> Scores:
        """Measure the rows of one fold and phase: ``Scores.of(value, ...)`` or ``Scores.named({...})``."""


class Gate(Component, ABC):
    """gate: whether a model may be released; pure."""

    stage: ClassVar[str] = "gate"
    #: Whether the decision needs the champion's scores on the same rows.
    needs_champion: ClassVar[bool] = False

    @abstractmethod
    def decide(self, scores: Scores, champion: Scores | None, run: Run) -> Reason:
        """Decide; ``champion`` holds its scores on the same rows, or is None while there is no champion."""
