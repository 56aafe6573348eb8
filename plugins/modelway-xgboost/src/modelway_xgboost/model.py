"""The model: a booster, and the layout of the columns that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from modelway import Columns, DataError, Model
from modelway_xgboost.layout import Layout

if TYPE_CHECKING:
    import numpy as np

    from modelway import Folder, Graph, Wire

    Array = np.ndarray[Any, Any]

#: Up to so many rows are scored on one thread.
_FEW = 256


@dataclass(frozen=True)
class XGBoostModel(Model):
    """Boosted trees.

    Attributes:
        booster: The ``xgboost.Booster``, with the rounds that were kept and no others.
        layout: The columns that it reads.
        task: ``binary``, ``multiclass`` or ``regression``.
        classes: Number of classes; 0 for regression.
    """

    booster: Any
    layout: Layout
    task: str
    classes: int

    def predict(self, columns: Columns) -> dict[str, Array]:
        """Score feature columns, which may come in any order.

        Returns:
            ``score``, float32: shape (rows,), or (rows, classes) for multiclass.

        Raises:
            DataError: a column is absent, of another kind than in training, or holds an infinite value.
        """
        import numpy as np

        matrix = self.layout.matrix(columns)
        infinite = np.isinf(matrix)
        if infinite.any():
            raise infinite_value(self.layout, infinite)
        if not len(matrix):
            shape = (0, self.classes) if self.task == "multiclass" else (0,)
            return {"score": np.empty(shape, np.float32)}
        booster = self._small if len(matrix) <= _FEW else self.booster
        return {"score": booster.inplace_predict(matrix, validate_features=False)}

    @cached_property
    def _small(self) -> Any:
        # A team of threads waits for its slowest: beside one busy core, 1 row in 100 took 24 ms on all threads and
        # 0.8 ms on one. The count belongs to the booster, and changing it is not safe while another thread scores.
        from xgboost.core import Booster

        return Booster({"nthread": 1}, model_file=self.booster.save_raw("ubj"))

    def facts(self) -> dict[str, Any]:
        """Return the rounds kept, the best validation score, and importances by gain, largest first."""
        gains = self.booster.get_score(importance_type="gain")
        by_name = {
            name: float(gains[label])
            for name, label in zip(self.layout.names, self.layout.labels, strict=True)
            if label in gains
        }
        facts: dict[str, Any] = {"rounds": self.booster.num_boosted_rounds()}
        if self.booster.attr("best_score") is not None:
            facts["best_score"] = float(self.booster.attr("best_score"))
        return facts | {"importance": dict(sorted(by_name.items(), key=lambda item: -item[1]))}

    def contributions(self, columns: Columns) -> Columns | None:
        """Return each feature's SHAP values (Lundberg, Erion and Lee 2018), as XGBoost computes them for trees.

        Returns:
            Shape (rows,), float32, by feature and for ``bias``; None for multiclass, or for a feature named so.
        """
        if self.task == "multiclass" or "bias" in self.layout.names:
            return None
        from xgboost.core import DMatrix

        names, types = self.layout.labels, self.layout.types
        matrix = DMatrix(
            self.layout.matrix(columns), feature_names=names, feature_types=types, enable_categorical="c" in types
        )
        found = self.booster.predict(matrix, pred_contribs=True, validate_features=False)
        return {name: found[:, place] for place, name in enumerate((*self.layout.names, "bias"))}

    def to_onnx(self, columns: Mapping[str, Wire], graph: Graph) -> str:
        """Write the trees into a graph; rows with an infinite value are refused, as they are here.

        Raises:
            ConfigError: a kind of booster or an objective that is not known there.
        """
        from modelway_xgboost.onnx import write

        return write(self, columns, graph)

    def save(self, folder: Folder) -> None:
        """Write ``booster.ubj`` and ``layout.json``."""
        folder.put("booster.ubj", bytes(self.booster.save_raw("ubj")))
        categories = {name: list(values) for name, values in self.layout.categories.items()}
        body = {"names": self.layout.names, "categories": categories, "task": self.task, "classes": self.classes}
        folder.put_json("layout.json", body)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read both back.

        Raises:
            DataError: the booster's file is not one.
        """
        from xgboost.core import Booster, XGBoostError

        body = folder.get_json("layout.json")
        path = folder.path("booster.ubj")
        try:
            booster = Booster(model_file=bytearray(path.read_bytes()))
        except XGBoostError:
            raise DataError("The model's file is not one that XGBoost wrote", where=str(path)) from None
        categories = {name: tuple(values) for name, values in body["categories"].items()}
        return cls(booster, Layout(tuple(body["names"]), categories), body["task"], body["classes"])


def infinite_value(layout: Layout, infinite: Array, rows: Array | None = None) -> DataError:
    """Return the error that names a column with infinite values.

    Args:
        layout: Names the columns.
        infinite: Boolean array of shape (rows, columns), true somewhere.
        rows: Shape (rows,): each row's number; by default its place.
    """
    import numpy as np

    row, place = np.argwhere(infinite)[0]
    return DataError(
        f"Column '{layout.names[place]}' is infinite, or larger than a 32-bit number can be",
        where=f"row {int(row if rows is None else rows[row])}",
        mend="Bound the column in prepare or with a feature, or declare its 'min' and 'max' in the schema",
    )
