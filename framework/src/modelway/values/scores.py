"""Predictions, scores, verdicts and findings: what evaluation, gates and checks exchange."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Required, Self, TypedDict

from modelway.component import plain
from modelway.schema import Task
from modelway.values.artifact import Folder, Value
from modelway.values.columns import Category, Columns, take
from modelway.values.table import Table

if TYPE_CHECKING:
    from modelway.values.columns import Array


_PHASES = ("train", "valid", "test")


@dataclass(frozen=True)
class Predictions(Value, kind="Predictions"):
    """Scored rows: one table (row, fold, phase, label, score, roles), scored once and read by every metric.

    A metric gets the rows of one fold and phase; the table that is stored holds all of them.

    Attributes:
        columns: ``row`` (position in the prepared table), ``label``, ``score`` of shape (rows,), or one column
            ``score_<i>`` per class of a multiclass task, ``weight`` where declared, and one column per role
            (``id``, ``time``, ``entity``, ``group``, ``amount``) where the schema has it.
        classes: The target's classes, in the order of label numbers; empty for regression.
    """

    table: Table
    task: Task
    classes: tuple[Any, ...]
    fold: str = ""
    phase: str = ""
    columns: Columns = field(default_factory=dict, compare=False, repr=False)

    @property
    def label(self) -> Array:
        """Shape (rows,): numbers as in ``Batch.target``."""
        return self.columns["label"]  # type: ignore[return-value]

    @property
    def score(self) -> Array:
        """Shape (rows,), or (rows, classes) for multiclass."""
        import numpy as np

        if self.task != "multiclass":
            return self.columns["score"]  # type: ignore[return-value]
        columns: list[Any] = [self.columns[f"score_{i}"] for i in range(len(self.classes))]
        return np.column_stack(columns)

    @property
    def weight(self) -> Array | None:
        """Shape (rows,), or None where no column has the role."""
        return self.columns.get("weight")  # type: ignore[return-value]

    def slices(self) -> Iterator[Predictions]:
        """Yield the rows of each fold and phase: folds in order of first appearance, phases in that of a lifecycle."""
        whole = self.table.read()
        folds, phases = whole.pop("fold"), whole.pop("phase")
        assert isinstance(folds, Category)
        assert isinstance(phases, Category)
        for f, fold in enumerate(folds.values):
            for p, phase in sorted(enumerate(phases.values), key=lambda found: _PHASES.index(found[1])):
                chosen = (folds.codes == f) & (phases.codes == p)
                if chosen.any():
                    yield replace(self, fold=fold, phase=phase, columns=take(whole, chosen))

    def save(self, folder: Folder) -> None:
        """Write the table and what describes it."""
        self.table.save(folder)
        folder.put_json("predictions.json", {"task": self.task, "classes": self.classes})

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read back what ``save`` wrote."""
        body = folder.get_json("predictions.json")
        return cls(Table.load(folder), body["task"], tuple(body["classes"]))


class Plot(TypedDict, total=False):
    """How to draw what a score's ``detail`` keeps.

    Attributes:
        of: Which columns: those of ``curve``, of each of ``curves``, or of ``table``.
        x, y: Names of columns: one across, one or several up.
        kind: How values stand: ``line`` (the default), ``points`` joined by one, or ``bars`` before each other.
        reference: What to compare with: ``diagonal``, or a height.
    """

    of: Required[Literal["curve", "curves", "table"]]
    x: Required[str]
    y: Required[list[str]]
    kind: Literal["line", "points", "bars"]
    reference: Literal["diagonal"] | float


@dataclass(frozen=True)
class Score:
    """One measured value.

    ``detail`` is plain JSON and free in form. What has one of these names is shown in the run's report: ``note`` (why
    there is no value, or what is odd), ``currency`` (the value is money), ``operating_point`` (``threshold``, ``rule``,
    ``reason``, and the ``phase`` that it was chosen on), ``table`` and ``curve`` (lists of equal length by column),
    ``chosen`` (the table's row at the operating point; else the row of the nearest ``threshold``), ``curves`` (such
    columns by class), ``matrix`` (a row per label, a column per decision) with ``classes``, ``groups``
    (``value``, ``low``, ``high``, ``rows`` by group), and ``plots``: a list of ``Plot``.

    Attributes:
        value: The value, or None where it is not defined.
        low, high: A 95% interval, where one was computed.
        support: Rows behind it.
        threshold: The decision threshold that it belongs to.
        detail: Anything else worth keeping: a curve, a confusion matrix.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    support: int | None = None
    threshold: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    fold: str = ""
    phase: str = ""


@dataclass(frozen=True)
class Scores(Value, kind="Scores"):
    """Measured values, by metric, fold and phase."""

    entries: tuple[Score, ...] = ()
    #: Whether a smaller value of a metric is better, by metric; where a metric that measures several values leaves one
    #: out, its own ``lower_is_better`` counts.
    lower_is_better: Mapping[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, value: float | None = None, /, *, detail: Mapping[str, Any] | None = None, **more: Any) -> Scores:
        """Make the scores of a metric that measures one value."""
        return cls((Score(None if value is None else float(value), detail=detail or {}, **more),))

    @classmethod
    def named(cls, scores: Mapping[str, Score], lower: Collection[str] = ()) -> Scores:
        """Make the scores of a metric that measures several values.

        Args:
            scores: One score by name.
            lower: Names of those whose smaller value is better; none given, the metric's ``lower_is_better`` counts.
        """
        entries = tuple(replace(score, metric=name) for name, score in scores.items())
        return cls(entries, {name: name in lower for name in scores} if lower else {})

    def value(self, metric: str, phase: str = "test") -> float | None:
        """Return a metric's value in a phase; over several folds, the mean of those that cross-validate.

        None where the metric was not measured there.
        """
        found = self.spread(metric, phase)
        return found["mean"] if found else None

    def spread(self, metric: str, phase: str = "test") -> dict[str, Any] | None:
        """Return mean, standard deviation (with n-1), and number of folds of a metric in a phase."""
        values = [s.value for s in self.entries if s.metric == metric and s.phase == phase and s.value is not None]
        if not values:
            return None
        mean = sum(values) / len(values)
        std = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5 if len(values) > 1 else 0.0
        return {"mean": mean, "std": std, "folds": len(values)}

    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics, in order of first appearance."""
        return tuple(dict.fromkeys(score.metric for score in self.entries))

    def save(self, folder: Folder) -> None:
        """Write ``scores.json``."""
        body = {"entries": [plain(s) for s in self.entries], "lower_is_better": dict(self.lower_is_better)}
        folder.put_json("scores.json", body)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``scores.json``."""
        body = folder.get_json("scores.json")
        return cls(tuple(Score(**entry) for entry in body["entries"]), body["lower_is_better"])


@dataclass(frozen=True)
class Reason:
    """One gate's word: whether it passed, both numbers, and a sentence."""

    gate: str
    passed: bool
    text: str
    value: float | None = None
    bound: float | None = None


@dataclass(frozen=True)
class Verdict(Value, kind="Verdict"):
    """A decision with its reasons; it passes when every reason does."""

    reasons: tuple[Reason, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(reason.passed for reason in self.reasons)

    def save(self, folder: Folder) -> None:
        """Write ``verdict.json``."""
        folder.put_json("verdict.json", {"reasons": [asdict(reason) for reason in self.reasons]})

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``verdict.json``."""
        return cls(tuple(Reason(**reason) for reason in folder.get_json("verdict.json")["reasons"]))


@dataclass(frozen=True)
class Finding:
    """One broken rule of a table.

    Attributes:
        rule: What was broken: ``nullable``, ``min``, ``values``, ``unique``, a rule's own name, ...
        column: The column, or the columns joined by commas.
        count: Rows that break it, or what else ``unit`` says.
        severity: ``stop`` or ``warn``.
        rows: A few positions of such rows.
        samples: A few of the offending values.
        text: What the rule asks for, in words.
        unit: What ``count`` counts, in the plural; empty where the table as a whole breaks the rule.
    """

    rule: str
    column: str
    count: int
    severity: str = "stop"
    rows: tuple[int, ...] = ()
    samples: tuple[Any, ...] = ()
    text: str = ""
    unit: str = "rows"


@dataclass(frozen=True)
class Findings(Value, kind="Findings"):
    """All broken rules of a table, found in one pass."""

    items: tuple[Finding, ...] = ()
    rows: int = 0
    rules: int = 0

    @property
    def passed(self) -> bool:
        """Whether nothing was found that stops a run."""
        return not any(item.severity == "stop" for item in self.items)

    def save(self, folder: Folder) -> None:
        """Write ``findings.json``."""
        body = {"items": [plain(asdict(i)) for i in self.items], "rows": self.rows, "rules": self.rules}
        folder.put_json("findings.json", body)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``findings.json``."""
        body = folder.get_json("findings.json")
        items = (Finding(**{**i, "rows": tuple(i["rows"]), "samples": tuple(i["samples"])}) for i in body["items"])
        return cls(tuple(items), body["rows"], body["rules"])
