"""Metrics of decisions: scores turned into classes, counted in a confusion matrix."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modelway import ConfigError, param
from modelway_metrics.sampled import Rows, Sampled, Statistic

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Decision(Sampled):
    """A metric of a confusion matrix."""

    tasks = ("binary", "multiclass")

    threshold: float = param(0.5, "Score from which a row of a binary task counts as positive, itself included.")

    @abstractmethod
    def of(self, matrix: Array, binary: bool) -> float:
        """Measure a confusion matrix: NaN where not defined.

        Args:
            matrix: Shape (classes, classes): rows are labels, columns decisions; sums of weights.
            binary: Whether the task is binary, so that class 1 is the one that counts.
        """

    def note(self, matrix: Array, rows: Rows) -> str:
        """Say why the value is not defined, or what is odd about it."""
        return ""

    def more(self, matrix: Array, rows: Rows) -> dict[str, Any]:
        """Return what to keep beside the value."""
        return {}

    def prepare(self, rows: Rows) -> Statistic:
        """Decide each row's class, and count.

        Without weights, a resample of rows is a multinomial draw of the matrix itself, whatever the number of rows.

        Raises:
            ConfigError: a threshold for a multiclass task, whose decision is the class of the highest score.
        """
        import numpy as np

        if rows.task == "binary":
            decided = (rows.score >= self.threshold).astype(np.int64)
        elif self.threshold != 0.5:
            raise ConfigError(
                f"{self.name} has threshold {self.threshold}, which a multiclass task has no use for",
                mend="Leave threshold out: the decision is the class of the highest score",
            )
        else:
            decided = rows.score.argmax(axis=1)
        size, binary = len(rows.classes), rows.task == "binary"
        cells = rows.label * size + decided

        def count(weight: Array | None) -> Array:
            return np.bincount(cells, weight, size * size).reshape(size, size)

        matrix = count(rows.weight)
        support = np.bincount(rows.label, minlength=size)
        shared: dict[str, Any] = {
            "threshold": self.threshold if binary else None,
            "note": self.note(matrix, rows),
            "detail": {"support": rows.named(support), **self.more(matrix, rows)},
        }
        if rows.weight is None:
            counted = matrix.ravel()
            return Statistic(lambda cells: self.of(cells.reshape(size, size), binary), counted, counts=True, **shared)
        return Statistic(lambda weight: self.of(count(weight), binary), rows.weight, **shared)


def _only(matrix: Array, rows: Rows) -> str:
    """Name the class of a slice whose rows are all of one class, else return nothing."""
    held = matrix.sum(axis=1).nonzero()[0]
    return str(rows.classes[held[0]]) if len(held) == 1 else ""


@dataclass(frozen=True, kw_only=True)
class Accuracy(Decision, name="accuracy"):
    """Share of rows whose decision is right.

    As ``sklearn.metrics.accuracy_score``.
    """

    def of(self, matrix: Array, binary: bool) -> float:
        """Measure a confusion matrix."""
        return float(matrix.trace() / matrix.sum())


@dataclass(frozen=True, kw_only=True)
class BalancedAccuracy(Decision, name="balanced_accuracy"):
    """Mean over classes of the share of each class's rows whose decision is right.

    Classes without a row are left out. As ``sklearn.metrics.balanced_accuracy_score``.
    """

    def of(self, matrix: Array, binary: bool) -> float:
        """Measure a confusion matrix."""
        total = matrix.sum(axis=1)
        held = total > 0
        return float((matrix.diagonal()[held] / total[held]).mean())

    def note(self, matrix: Array, rows: Rows) -> str:
        """Say that a class is alone."""
        only = _only(matrix, rows)
        return f"All rows are of class {only}, so this is its recall" if only else ""


@dataclass(frozen=True, kw_only=True)
class Averaged(Decision):
    """A ratio per class: that of the positive class for a binary task, else an average."""

    average: Literal["macro", "micro", "weighted"] = param(
        "macro", "How a multiclass task's classes are averaged: all alike, over all counts, or by their share of rows."
    )

    @abstractmethod
    def parts(self, matrix: Array) -> tuple[Array, Array]:
        """Return numerator and denominator of each class."""

    def each(self, matrix: Array) -> Array:
        """Return the ratio of each class, 0 where its denominator is 0."""
        import numpy as np

        above, below = self.parts(matrix)
        return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)

    def of(self, matrix: Array, binary: bool) -> float:
        """Measure a confusion matrix; classes that are neither labels nor decisions have no say."""
        import numpy as np

        above, below = self.parts(matrix)
        if binary:
            return float(above[1] / below[1]) if below[1] else NAN
        if self.average == "micro":
            return float(above.sum() / below.sum())
        labels = matrix.sum(axis=1)
        if self.average == "weighted":
            return float(np.average(self.each(matrix), weights=labels))
        return float(self.each(matrix)[labels + matrix.sum(axis=0) > 0].mean())

    def note(self, matrix: Array, rows: Rows) -> str:
        """Say which classes have a ratio of nothing to nothing."""
        _, below = self.parts(matrix)
        if rows.task == "binary":
            return "" if below[1] else f"Not defined: no row is, or is taken for, class {rows.classes[1]}"
        present = matrix.sum(axis=1) + matrix.sum(axis=0) > 0
        empty = [str(name) for name, none in zip(rows.classes, present & (below == 0), strict=True) if none]
        return f"Counted as 0, being nothing of nothing: class {', '.join(empty)}" if empty else ""

    def more(self, matrix: Array, rows: Rows) -> dict[str, Any]:
        """Return the ratio of each class."""
        return {"classes": rows.named(self.each(matrix))}


@dataclass(frozen=True, kw_only=True)
class Precision(Averaged, name="precision"):
    """Share of the rows taken for a class that are of it.

    For a binary task, of the positive class; a model that takes no row for it has precision 0, and a slice without
    such rows and decisions has none. As ``sklearn.metrics.precision_score``.
    """

    def parts(self, matrix: Array) -> tuple[Array, Array]:
        """Return hits, and decisions, of each class."""
        return matrix.diagonal(), matrix.sum(axis=0)

    def of(self, matrix: Array, binary: bool) -> float:
        """Measure a confusion matrix."""
        missed = binary and matrix[1].sum() > 0 and not matrix[:, 1].sum()
        return 0.0 if missed else super().of(matrix, binary)

    def note(self, matrix: Array, rows: Rows) -> str:
        """Say that nothing was taken for the positive class."""
        if rows.task == "binary" and matrix[1].sum() and not matrix[:, 1].sum():
            return f"Counted as 0: no row is taken for class {rows.classes[1]}"
        return super().note(matrix, rows)


@dataclass(frozen=True, kw_only=True)
class Recall(Averaged, name="recall"):
    """Share of the rows of a class that are taken for it.

    For a binary task, of the positive class; not defined where it has no row. As ``sklearn.metrics.recall_score``.
    """

    def parts(self, matrix: Array) -> tuple[Array, Array]:
        """Return hits, and rows, of each class."""
        return matrix.diagonal(), matrix.sum(axis=1)

    def note(self, matrix: Array, rows: Rows) -> str:
        """Say that the positive class has no row."""
        if rows.task == "binary" and not matrix[1].sum():
            return f"Not defined: the slice has no row of class {rows.classes[1]}"
        return super().note(matrix, rows)


@dataclass(frozen=True, kw_only=True)
class F1(Averaged, name="f1"):
    """Harmonic mean of precision and recall.

    For a binary task, of the positive class; not defined where no row is of it and none is taken for it. As
    ``sklearn.metrics.f1_score``.
    """

    def parts(self, matrix: Array) -> tuple[Array, Array]:
        """Return twice the hits, and rows plus decisions, of each class."""
        return 2 * matrix.diagonal(), matrix.sum(axis=0) + matrix.sum(axis=1)


@dataclass(frozen=True, kw_only=True)
class MCC(Decision, name="mcc"):
    """Matthews correlation coefficient of labels and decisions, from -1 to 1.

    The form for any number of classes (Gorodkin 2004). Not defined where all rows are of one class; 0 where all
    decisions are. As ``sklearn.metrics.matthews_corrcoef``.
    """

    def of(self, matrix: Array, binary: bool) -> float:
        """Measure a confusion matrix."""
        labels, decided = matrix.sum(axis=1), matrix.sum(axis=0)
        if (labels > 0).sum() < 2:
            return NAN
        if (decided > 0).sum() < 2:
            return 0.0
        total = labels.sum()
        spread = float(total**2 - labels @ labels) * float(total**2 - decided @ decided)
        return float((matrix.trace() * total - labels @ decided) / spread**0.5)

    def note(self, matrix: Array, rows: Rows) -> str:
        """Say that labels or decisions do not vary."""
        only = _only(matrix, rows)
        if only:
            return f"Not defined: all rows are of class {only}"
        taken = _only(matrix.T, rows)
        return f"Counted as 0: all rows are taken for class {taken}" if taken else ""


@dataclass(frozen=True, kw_only=True)
class Confusion(Decision, name="confusion"):
    """The confusion matrix, in ``detail``: one row per label, one column per decision.

    Cells hold sums of weights where rows have weights, else numbers of rows. There is no single value. As
    ``sklearn.metrics.confusion_matrix`` with all classes of the target.
    """

    seeded = False
    bootstrap: int = param(0, "Not used: a matrix has no interval.", at_least=0, at_most=0)

    def of(self, matrix: Array, binary: bool) -> float:
        """Return no value."""
        return NAN

    def note(self, matrix: Array, rows: Rows) -> str:
        """Say where the matrix is."""
        return "A matrix, and not one value"

    def more(self, matrix: Array, rows: Rows) -> dict[str, Any]:
        """Return the matrix."""
        return {"matrix": matrix.tolist(), "classes": [str(name) for name in rows.classes]}
