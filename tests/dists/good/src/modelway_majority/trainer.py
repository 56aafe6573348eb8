"""The model to beat: what is known before looking at a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from modelway import Columns, DataError, Model, Run, Split, Trainer, length, param

if TYPE_CHECKING:
    from modelway import Folder


@dataclass(frozen=True)
class MajorityModel(Model):
    """One answer for every row.

    Attributes:
        task: ``binary``, ``multiclass`` or ``regression``.
        shares: Share of each class, in the classes' order; the mean alone for regression.
    """

    task: str
    shares: tuple[float, ...]

    def predict(self, columns: Columns) -> dict[str, Any]:
        """Return the same score for each row."""
        import numpy as np

        rows = length(columns)
        if self.task == "multiclass":
            return {"score": np.tile(np.asarray(self.shares), (rows, 1))}
        return {"score": np.full(rows, self.shares[-1])}

    def facts(self) -> dict[str, Any]:
        """Return the shares."""
        return {"shares": list(self.shares)}

    def save(self, folder: Folder) -> None:
        """Write ``majority.json``."""
        folder.put_json("majority.json", {"task": self.task, "shares": self.shares})

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``majority.json``."""
        body = folder.get_json("majority.json")
        return cls(body["task"], tuple(body["shares"]))


@dataclass(frozen=True, kw_only=True)
class Majority(Trainer, name="majority"):
    """Scores every row with the share of each class, or the mean, of the training rows.

    With ``smoothing`` k, a class seen in n of N rows has the share (n + k) / (N + k * classes).
    """

    model: ClassVar[type[Model]] = MajorityModel
    seeded: ClassVar[bool] = False
    smoothing: float = param(0.0, "Rows added to each class, for classes that are rare.", at_least=0)

    def fit(self, split: Split, run: Run) -> Model:
        """Count the classes, or add up the values."""
        import numpy as np

        rows, total = 0, 0.0
        counts = np.zeros(len(split.classes))
        for batch in split.batches("train"):
            rows += len(batch.target)
            if split.task == "regression":
                total += float(batch.target.sum())
            else:
                counts += np.bincount(batch.target.astype(int), minlength=len(counts))
        if split.task == "regression":
            return MajorityModel(split.task, (total / rows,))
        if (counts > 0).sum() < 2:
            seen = split.classes[int(counts.argmax())]
            raise DataError(
                f"All {rows} training rows are of the class {seen!r}",
                where=f"column {split.schema.target}",
                mend="Train on rows of two classes at least",
            )
        shares = (counts + self.smoothing) / (rows + self.smoothing * len(counts))
        return MajorityModel(split.task, tuple(shares.tolist()))
