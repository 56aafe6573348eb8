"""Matrices: the rows of a phase as XGBoost's quantised matrix, without ever holding the table.

XGBoost reads the rows several times (to count, to find the bins, to fill them). Few rows are therefore transformed once
and kept as float32 meanwhile; many are read and transformed again for each pass. The bins are kept in memory, or on
disk where they do not fit. All ways give the same model.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway import Batch, DataError, Split
from modelway_xgboost.layout import Layout
from modelway_xgboost.messages import out_of_touch, said
from modelway_xgboost.model import infinite_value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: Rows of one page of bins on disk: a level of a tree visits every page, and each visit has its price.
_PAGE = 524_288


@dataclass(frozen=True)
class Rows:
    """The rows of one phase of a split, or of some of its pieces, and how they become a matrix.

    Attributes:
        pieces: The split, or those pieces of it that are read here, seen from the fold to train on.
        phase: ``train`` or ``valid``.
        layout: The columns.
        settings: ``max_bin`` and ``nthread``.
        memory: Bytes of float32 that may be held at once.
        cache: Folder for the bins where they are kept on disk; None where they are kept in memory.
    """

    pieces: tuple[Split, ...]
    phase: str
    layout: Layout
    settings: dict[str, Any]
    memory: int
    cache: Path | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(piece.count(self.phase) for piece in self.pieces)

    def batches(self) -> Generator[Batch, None, None]:
        """Yield the rows in order."""
        for piece in self.pieces:
            yield from piece.batches(self.phase)

    def quantised(self, batches: Generator[Batch, None, None] | None = None, ref: Any = None) -> Any:
        """Return the ``QuantileDMatrix``, or the ``ExtMemQuantileDMatrix`` where there is a folder for it.

        Args:
            batches: The phase's batches where their reading has begun already.
            ref: The training matrix, for a matrix to validate on.

        Raises:
            DataError: XGBoost refuses the values; the first infinite one is named.
            XGBoostError: on a cluster, another worker does not answer.
        """
        from xgboost.core import ExtMemQuantileDMatrix, QuantileDMatrix, XGBoostError

        rows = self.count
        held = rows * len(self.layout.names) * 4 <= self.memory and self.cache is None
        if batches is not None and not held:
            batches.close()  # Or its read-ahead would stay in memory until the last round.
        common = {"ref": ref, "enable_categorical": True, **self.settings}
        try:
            if self.cache is not None and rows:
                return ExtMemQuantileDMatrix(self._stream(_paged), **common)
            if not held:
                return QuantileDMatrix(self._stream(lambda found: found), **common)
            gathered = self._gathered(batches or self.batches(), rows)
            return QuantileDMatrix(**gathered, **self._described, **common)
        except XGBoostError as error:
            if out_of_touch(error):
                raise
            self._find_infinite()
            raise DataError(f"XGBoost refuses the {self.phase} rows: {said(error)}") from None

    @property
    def _described(self) -> dict[str, Any]:
        return {"feature_names": self.layout.labels, "feature_types": self.layout.types}

    def _gathered(self, batches: Iterator[Batch], rows: int) -> dict[str, Any]:
        import numpy as np
        import pyarrow as pa

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
        pa.default_memory_pool().release_unused()  # Or what the last batches took would stay beside the bins.
        return {"data": data, "label": label, "weight": weight}

    def _filled(self) -> Iterator[dict[str, Any]]:
        for batch in self.batches():
            data = self.layout.matrix(batch.features, learning=True)
            yield {"data": data, "label": batch.target, "weight": batch.weight}

    def _stream(self, shaped: Callable[[Iterator[dict[str, Any]]], Iterator[dict[str, Any]]]) -> Any:
        from xgboost.core import DataIter

        source, described = self, self._described

        class Stream(DataIter):
            def __init__(self) -> None:
                super().__init__(cache_prefix=str(source.cache / source.phase) if source.cache else None)
                self.batches: Iterator[dict[str, Any]] = iter(())

            def reset(self) -> None:
                self.batches = shaped(source._filled())

            def next(self, input_data: Any) -> bool:
                batch = next(self.batches, None)
                if batch is None:
                    return False
                input_data(**batch, **described)
                return True

        return Stream()

    def _find_infinite(self) -> None:
        import numpy as np

        for batch in self.batches():
            infinite = np.isinf(self.layout.matrix(batch.features))
            if infinite.any():
                raise infinite_value(self.layout, infinite, batch.rows)


def _paged(batches: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    import numpy as np

    waiting: list[dict[str, Any]] = []
    rows = 0

    def page() -> dict[str, Any]:
        names = [name for name, value in waiting[0].items() if value is not None]
        return {name: np.concatenate([one[name] for one in waiting]) for name in names}

    for batch in batches:
        waiting.append(batch)
        rows += len(batch["label"])
        if rows >= _PAGE:
            yield page()
            waiting, rows = [], 0
    if waiting:
        yield page()


def one_class(split: Split, number: int) -> DataError:
    """Return the error for training rows of one class only."""
    return DataError(
        f"Every training row has the same class, {split.classes[number]!r}",
        where=f"target {split.schema.target}",
        mend="Split the rows so that each class is among the training rows",
    )


def begin(split: Split) -> tuple[Layout, bool, Generator[Batch, None, None]]:
    """Read the layout off the first training batch.

    Returns:
        The layout, whether no value of the first rows is missing, and all the batches.

    Raises:
        DataError: there are no training rows, or their columns cannot be learnt from.
    """
    import numpy as np

    batches = split.batches("train")
    first = next(batches, None)
    if first is None:
        raise DataError("There are no training rows", mend="Give the split a larger training share")
    layout = Layout.of(first, split.schema)
    dense = not np.isnan(layout.matrix({n: c[:4096] for n, c in first.features.items()})).any()
    return layout, dense, _resumed(first, batches)


def _resumed(first: Batch, rest: Iterator[Batch]) -> Generator[Batch, None, None]:
    yield first
    del first
    yield from rest
