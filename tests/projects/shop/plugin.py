"""Stages of the project itself: functions where a function is enough, classes where something is fitted or kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from modelway import (
    Bundle,
    Columns,
    Feature,
    Folder,
    Model,
    Packager,
    Predictions,
    Reason,
    Run,
    Scores,
    ScoringModel,
    Split,
    Table,
    Trainer,
    gate,
    metric,
    param,
    preparer,
)


@preparer
def shifted(tables: Mapping[str, Table], run: Run, *, by: float = 0.0) -> Table:
    """Add a number to the minutes."""
    import pyarrow as pa

    def change(batch: Any) -> Any:
        place = batch.schema.get_field_index("minutes")
        moved = [None if value is None else value + by for value in batch.column("minutes").to_pylist()]
        return batch.set_column(place, "minutes", pa.array(moved, pa.float64()))

    return tables["table"].map(change, run)


@dataclass(frozen=True, kw_only=True)
class Centred(Feature, name="centred"):
    """Take the training mean off a column."""

    columns: tuple[str, ...] = param((), "Columns to centre.")
    times: float = param(1.0, "Factor of the result.")

    def summarise(self, columns: Columns) -> dict[str, tuple[float, int]]:
        """Sum each column."""
        return {name: (float(column.sum()), len(column)) for name, column in columns.items()}  # type: ignore[union-attr]

    def merge(self, a: Any, b: Any) -> Any:
        """Add the sums."""
        return {name: (a[name][0] + b[name][0], a[name][1] + b[name][1]) for name in a}

    def finish(self, summary: Any) -> dict[str, float]:
        """Return the means."""
        return {name: total / rows for name, (total, rows) in summary.items()}

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        """Take the means off."""
        return {name: (column - state[name]) * self.times for name, column in columns.items()}  # type: ignore[operator]


@dataclass(frozen=True)
class MeansModel(Model):
    """Scores by how far a row lies from the mean of the training rows, in the direction of the positive ones."""

    names: tuple[str, ...]
    weights: tuple[float, ...]

    def predict(self, columns: Columns) -> dict[str, Any]:
        """Return the positive class's score of each row."""
        import numpy as np

        matrix = np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in self.names])
        return {"score": 1 / (1 + np.exp(-(matrix @ np.asarray(self.weights))))}

    def save(self, folder: Folder) -> None:
        """Write ``means.json``."""
        folder.put_json("means.json", [self.names, self.weights])

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``means.json``."""
        names, weights = folder.get_json("means.json")
        return cls(tuple(names), tuple(weights))


@dataclass(frozen=True, kw_only=True)
class Means(Trainer, name="means"):
    """Weights columns by the difference of their class means."""

    model: ClassVar[type[Model]] = MeansModel
    tasks: ClassVar[tuple[str, ...]] = ("binary",)
    sharpness: float = param(1.0, "Factor of the weights.", above=0)

    def fit(self, split: Split, run: Run) -> Model:
        """Compare the classes, with a little noise of the run's seed."""
        import numpy as np

        names = ("visits", "pages", "minutes")
        batches = list(split.batches("train"))
        rows = np.vstack([np.column_stack([batch.features[name] for name in names]) for batch in batches])
        label = np.concatenate([batch.target for batch in batches])
        found = rows[label == 1].mean(axis=0) - rows[label == 0].mean(axis=0)
        found = found * self.sharpness + run.rng("means").normal(scale=1e-3, size=len(names))
        run.log("rows", len(rows))
        return MeansModel(names, tuple(found.tolist()))


@metric
def hits(predictions: Predictions, *, cut: float = 0.5) -> float:
    """Return the share of rows on the right side of the cut."""
    return float(((predictions.score >= cut) == (predictions.label == 1)).mean())


@gate
def enough(scores: Scores, champion: Scores | None, run: Run, *, metric: str, at_least: float = 0.0) -> Reason:
    """Ask for a value on the test rows."""
    value = scores.value(metric, "test")
    text = f"{metric} is {value:.3f} of {at_least}"
    return Reason(run.label, value is not None and value >= at_least, text, value, at_least)


@dataclass(frozen=True, kw_only=True)
class Plain(Packager, name="plain"):
    """A folder with a text file and the schema."""

    title: str = param("", "First line of the text.")

    def package(self, model: ScoringModel, run: Run) -> Bundle:
        """Write the folder."""
        root = run.scratch / "bundle"
        root.mkdir()
        golden = len(model.golden["rows"])
        (root / "title.txt").write_text(f"{self.title}\n{golden} golden rows\n")
        return Bundle(root, {"title": self.title})
