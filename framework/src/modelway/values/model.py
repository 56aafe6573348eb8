"""Transforms and models: what was fitted, and the scoring form that travels into bundles.

Nothing here is pickled. A transform is its component's configuration and a fitted state of plain JSON; a model writes
its engine's own format. Both are read back through the component that made them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from modelway.errors import ConfigError, DataError, nearest
from modelway.schema import Schema, Task
from modelway.values.artifact import Folder, Value
from modelway.values.columns import Columns, from_records, to_records

if TYPE_CHECKING:
    from modelway.graph import Graph, Wire
    from modelway.values.columns import Array

#: A change of rows that needs nothing but the row: a row preparer, or a fitted transform.
RowStep: TypeAlias = "Callable[[Columns], Columns]"


@dataclass(frozen=True)
class Transform(Value, kind="Transform"):
    """A fitted feature: the component, the columns it reads, and its state.

    Attributes:
        feature: The component; its ``apply(state, columns)`` computes the outputs.
        inputs: Columns it reads, and replaces unless the component keeps its inputs.
        state: What was fitted: numbers, text, lists and mappings only.
        label: Name of the feature in the configuration.
    """

    feature: Any
    inputs: tuple[str, ...]
    state: Mapping[str, Any]
    label: str = ""

    def __call__(self, columns: Columns) -> Columns:
        """Apply to columns of any number of rows; outputs take the place of the inputs.

        Raises:
            DataError: an input column is absent.
        """
        for name in self.inputs:
            if name not in columns:
                raise DataError(
                    f"Feature '{self.label}' needs column '{name}', which is not there", mend=nearest(name, columns)
                )
        try:
            made: Columns = self.feature.apply(self.state, {name: columns[name] for name in self.inputs})
        except DataError as error:
            where = f"features.{self.label}" + (f", {error.where}" if error.where else "")
            raise DataError(error.what, where=where, mend=error.mend) from None
        gone = () if self.feature.keeps_inputs else self.inputs
        return {name: column for name, column in columns.items() if name not in gone} | made

    def plain(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"label": self.label, "inputs": self.inputs, "state": self.state, **described(self.feature)}

    @classmethod
    def of(cls, body: dict[str, Any], folder: Folder) -> Transform:
        """Build from the JSON form."""
        feature = folder.component("features", body["use"], body["config"])
        return cls(feature, tuple(body["inputs"]), body["state"], body["label"])

    def save(self, folder: Folder) -> None:
        """Write ``transform.json``."""
        folder.put_json("transform.json", self.plain())

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``transform.json``."""
        return cls.of(folder.get_json("transform.json"), folder)  # type: ignore[return-value]


def described(component: Any) -> dict[str, Any]:
    """Return what is needed to build a component again: its name and what shapes its result; knobs do not travel."""
    return {"use": component.name, "config": component.params()}


class Model(Value, kind="Model"):
    """What a trainer returns. Subclass it beside the trainer, and name it as the trainer's ``model``.

    ``save`` and ``load`` write and read the engine's own format, one that executes nothing when read.
    """

    @abstractmethod
    def predict(self, columns: Columns) -> dict[str, Array]:
        """Score transformed feature columns.

        Returns:
            Named outputs; ``score`` has shape (rows,) for binary (probability of the positive class) and for
            regression, and (rows, classes) for multiclass. Shapes of other outputs are the trainer's own.
        """

    def facts(self) -> dict[str, Any]:
        """Return what is worth showing: rounds kept, ``importance`` (a number by feature), size."""
        return {}

    def contributions(self, columns: Columns) -> Columns | None:
        """Return how much each feature adds to each row's margin: the score before its link, such as log-odds.

        Args:
            columns: Transformed feature columns, as ``predict`` takes them.

        Returns:
            Shape (rows,) by feature name, and ``bias``; together they sum to the margin. None where the model, or its
            task, has no such thing.
        """
        return None

    def to_onnx(self, columns: Mapping[str, Wire], graph: Graph) -> str:
        """Write the model into a graph.

        Returns:
            The tensor of scores, float32, of shape (rows, 1), or (rows, classes) for multiclass.

        Raises:
            ConfigError: the model, as it was configured, cannot be written.
        """
        raise ConfigError(f"A model of type {type(self).__name__} cannot write itself as ONNX")


@dataclass(frozen=True)
class ScoringModel(Value, kind="ScoringModel"):
    """The scoring form: everything that is needed to score raw rows, and to prove that it does so rightly.

    Attributes:
        model: The trained model.
        steps: Row preparers and fitted transforms, in order.
        schema: Declared schema of the features that a row must have.
        golden: Raw rows, their features and scores at training time: ``{"rows", "features", "scores"}``.
    """

    model: Model
    trainer: Any
    preparers: tuple[tuple[str, Any], ...]
    transforms: tuple[Transform, ...]
    schema: Schema
    task: Task
    classes: tuple[Any, ...]
    golden: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[RowStep, ...]:
        """Row preparers and transforms, in the order in which a row meets them."""
        return (*(preparer.apply for _, preparer in self.preparers), *self.transforms)

    @property
    def kinds(self) -> dict[str, str]:
        """Schema type of each column that a row must have."""
        return {name: column.type for name, column in self.schema.columns.items()}

    def features(self, columns: Columns) -> Columns:
        """Apply row steps and transforms to raw columns."""
        for step in self.steps:
            columns = step(columns)
        return columns

    def score(self, columns: Columns) -> dict[str, Array]:
        """Score raw columns; see ``Model.predict`` for the outputs' shapes."""
        return self.model.predict(self.features(columns))

    def score_records(self, records: list[dict[str, Any]]) -> dict[str, Array]:
        """Score JSON-like rows; a field that is absent is missing."""
        return self.score(from_records(records, self.kinds))

    def self_test(self) -> float:
        """Score the golden rows and return the largest difference from their scores at training time.

        Raises:
            DataError: the model carries no golden rows.
        """
        import numpy as np

        if not self.golden:
            raise DataError("The model carries no golden rows, so it cannot test itself")
        found = self.score_records(self.golden["rows"])["score"]
        return float(np.abs(found - np.asarray(self.golden["scores"])).max())

    def with_golden(self, rows: list[dict[str, Any]]) -> ScoringModel:
        """Return the model with golden rows: their features and scores as computed here and now, missing as None."""
        columns = self.features(from_records(rows, self.kinds))
        records = to_records(columns)
        features = {name: [record[name] for record in records] for name in columns}
        scores = self.model.predict(columns)["score"].tolist()
        return replace(self, golden={"rows": rows, "features": features, "scores": scores})

    def save(self, folder: Folder) -> None:
        """Write the model's own files below ``model/`` and everything else to ``scoring.json``."""
        self.model.save(folder.sub("model"))
        body = {
            "trainer": described(self.trainer),
            "preparers": [{"label": label, **described(preparer)} for label, preparer in self.preparers],
            "transforms": [transform.plain() for transform in self.transforms],
            "schema": self.schema.plain(),
            "task": self.task,
            "classes": self.classes,
            "golden": self.golden,
            "about": self.about,
        }
        folder.put_json("scoring.json", body)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read back what ``save`` wrote."""
        body = folder.get_json("scoring.json")
        trainer = folder.component("train", body["trainer"]["use"], body["trainer"]["config"])
        return cls(
            model=trainer.model.load(folder.sub("model")),
            trainer=trainer,
            preparers=tuple(
                (step["label"], folder.component("prepare", step["use"], step["config"])) for step in body["preparers"]
            ),
            transforms=tuple(Transform.of(item, folder) for item in body["transforms"]),
            schema=Schema.of(body["schema"]),
            task=body["task"],
            classes=tuple(body["classes"]),
            golden=body["golden"],
            about=body["about"],
        )
