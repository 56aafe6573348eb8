"""Matrices: the rows of a phase as XGBoost's quantised matrix, without ever holding the table.

XGBoost reads the rows several times (to count, to find the bins, to fill them). Few rows are therefore transformed once
and kept as float32 meanwhile; many are read and transformed again for each pass. Both give the same matrix.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import Batch, DataError, Split
from modelway_xgboost.layout import Layout
from modelway_xgboost.messages import said
from modelway_xgboost.model import infinite_value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """The rows of one phase of a split, and how they become a matrix.

    Attributes:
        split: The split, seen from the fold to train on.
        phase: ``train`` or ``valid``.
        layout: The columns.
        settings: ``max_bin`` and ``nthread``.
        memory: Bytes of float32 that may be held at once.
    """

    split: Split
    phase: str
    layout: Layout
    settings: dict[str, Any]
    memory: int

    def quantised(self, batches: Generator[Batch, None, None] | None = None, ref: Any = None) -> Any:
        """Return the ``QuantileDMatrix``.

        Args:
            batches: The phase's batches where their reading has begun already.
            ref: The training matrix, for a matrix to validate on.

        Raises:
            DataError: XGBoost refuses the values; the first infinite one is named.
        """
        from xgboost.core import QuantileDMatrix, XGBoostError

        rows = self.split.count(self.phase)
        try:
            if rows * len(self.layout.names) * 4 > self.memory:
                if batches is not None:
                    batches.close()  # Or its read-ahead would stay in memory until the last round.
                return QuantileDMatrix(self._stream(), ref=ref, enable_categorical=True, **self.settings)
            return QuantileDMatrix(
                **self._gathered(batches or self.split.batches(self.phase), rows),
                **self._described,
                ref=ref,
                enable_categorical=True,
                **self.settings,
            )
        except XGBoostError as error:
            self._find_infinite()
            raise DataError(f"XGBoost refuses the {self.phase} rows: {said(error)}") from None

    @property
    def _described(self) -> dict[str, Any]:
        return {"feature_names": self.layout.labels, "feature_types": self.layout.types}

    def _gathered(self, batches: Iterator[Batch], rows: int) -> dict[str, Any]:
        import numpy as np

        data = np.empty((rows, len(self.layout.names)), np.float32)
        label, weight, start = np.empty(rows, np.float32), None, 0
        for batch in batches:
            stop = start + len(batch.target)
            self.layout.fill(batch.features, data[start:stop], learning=True)
            label[start:stop] = batch.target
            if batch.weight is not None:
                weight = np.empty(rows, np.float32) if weight is None else weight
                weight[start:stop] = batch.weight
            start = stop
        return {"data": data, "label": label, "weight": weight}

    def _stream(self) -> Any:
        from xgboost.core import DataIter

        source, described = self, self._described

        class Stream(DataIter):
            def __init__(self) -> None:
                super().__init__()
                self.batches: Iterator[Batch] = iter(())

            def reset(self) -> None:
                self.batches = source.split.batches(source.phase)

            def next(self, input_data: Any) -> bool:
                batch = next(self.batches, None)
                if batch is None:
                    return False
                data = source.layout.matrix(batch.features, learning=True)
                input_data(data=data, label=batch.target, weight=batch.weight, **described)
                return True

        return Stream()

    def _find_infinite(self) -> None:
        import numpy as np

        for batch in self.split.batches(self.phase):
            infinite = np.isinf(self.layout.matrix(batch.features))
            if infinite.any():
                raise infinite_value(self.layout, infinite, batch.rows)


def begin(split: Split) -> tuple[Layout, Generator[Batch, None, None]]:
    """Read the layout off the first training batch; returns it and all the batches.

    Raises:
        DataError: there are no training rows, or their columns cannot be learnt from.
    """
    batches = split.batches("train")
    first = next(batches, None)
    if first is None:
        raise DataError("There are no training rows", mend="Give the split a larger training share")
    return Layout.of(first, split.schema), _resumed(first, batches)


def _resumed(first: Batch, rest: Iterator[Batch]) -> Generator[Batch, None, None]:
    yield first
    del first
    yield from rest
