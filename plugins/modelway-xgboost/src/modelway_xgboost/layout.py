"""Layout: which columns a model reads, in which order, and how each becomes a float32 column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelway import Batch, Category, Columns, DataError, Schema, nearest

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: Schema types whose values are labels, not quantities.
_LABELS = ("category", "string")


@dataclass(frozen=True)
class Layout:
    """The columns of a model's float32 matrix.

    Attributes:
        names: The columns, in order.
        categories: Vocabulary of each column that holds categories; a value's place in it is its code.
        declared: Those of ``categories`` whose vocabulary the schema declares; the others must keep theirs.
    """

    names: tuple[str, ...]
    categories: Mapping[str, tuple[Any, ...]]
    declared: frozenset[str] = field(default=frozenset(), compare=False)

    @classmethod
    def of(cls, batch: Batch, schema: Schema) -> Layout:
        """Read the layout off the first batch of training rows.

        A column of categories needs a vocabulary that does not hang on the rows at hand: the schema's ``values``, or
        that of the feature which made the column.

        Raises:
            DataError: no feature, a text column without a vocabulary, or a column of times.
        """
        if not batch.features:
            raise DataError("There is no feature to learn from", mend="Give columns of the schema the role 'feature'")
        categories: dict[str, tuple[Any, ...]] = {}
        declared = set()
        for name, column in batch.features.items():
            said = schema.columns.get(name)
            untouched = batch.raw.get(name) is column
            if said is not None and untouched and said.type in _LABELS:
                if not said.values:
                    raise _text(name)
                categories[name] = tuple(said.values)
                declared.add(name)
            elif isinstance(column, Category):
                categories[name] = column.values
            elif column.dtype.kind not in "biuf":
                raise _unfit(name, column)
        return cls(tuple(batch.features), categories, frozenset(declared))

    def fill(self, columns: Columns, out: Array, *, learning: bool = False) -> Array:
        """Write columns into a float32 matrix; a missing value, or a category never seen, is NaN.

        Args:
            columns: At least the layout's columns, in any order.
            out: Shape (rows, columns of the layout).
            learning: Whether a vocabulary other than the layout's is an error.

        Returns:
            ``out``.

        Raises:
            DataError: a column is absent or of another kind than in training.
        """
        import numpy as np

        with np.errstate(over="ignore"):  # What float32 cannot hold becomes infinite, and is reported as such.
            for place, name in enumerate(self.names):
                try:
                    column = columns[name]
                except KeyError:
                    raise DataError(
                        f"The model reads column '{name}', which is not there", mend=nearest(name, columns)
                    ) from None
                if name in self.categories:
                    out[:, place] = self._codes(name, column, learning)
                elif isinstance(column, Category) or column.dtype.kind not in "biuf":
                    raise _unfit(name, column)
                else:
                    out[:, place] = column
        return out

    def matrix(self, columns: Columns, *, learning: bool = False) -> Array:
        """Return columns as a new float32 matrix of shape (rows, columns); see ``fill``."""
        import numpy as np

        rows = len(columns[self.names[0]]) if self.names[0] in columns else 0
        return self.fill(columns, np.empty((rows, len(self.names)), np.float32), learning=learning)

    def _codes(self, name: str, column: Any, learning: bool) -> Array:
        import numpy as np

        if not isinstance(column, Category):
            distinct, codes = np.unique(column, return_inverse=True)
            column = Category(codes, distinct.tolist())
        values = self.categories[name]
        codes = column.codes
        if column.values != values:
            if learning and name not in self.declared:
                raise _text(name)
            places = self._places[name]
            codes = np.asarray([places.get(value, -1) for value in column.values] + [-1], np.int32)[codes]
        return np.where(codes < 0, np.float32(np.nan), codes.astype(np.float32))

    @cached_property
    def _places(self) -> dict[str, dict[Any, int]]:
        return {name: {value: i for i, value in enumerate(values)} for name, values in self.categories.items()}

    @property
    def types(self) -> list[str]:
        """XGBoost's feature types: ``c`` for categories, ``q`` for quantities."""
        return ["c" if name in self.categories else "q" for name in self.names]

    @property
    def labels(self) -> list[str]:
        """Names that XGBoost accepts: it refuses brackets and ``<``, and they must differ."""
        legal = [re.sub(r"[\[\]<]", "_", name) for name in self.names]
        return legal if len(set(legal)) == len(legal) else [f"f{i}" for i in range(len(legal))]


def _text(name: str) -> DataError:
    return DataError(
        f"Column '{name}' reaches the model as text without a fixed vocabulary",
        where=f"schema.columns.{name}",
        mend="List its 'values' in the schema, encode it with a feature, or give it the role 'ignore'",
    )


def _unfit(name: str, column: Any) -> DataError:
    kind = "text" if isinstance(column, Category) else "a time" if column.dtype.kind in "mM" else str(column.dtype)
    return DataError(
        f"Column '{name}' reaches the model as {kind}, and trees need a number there",
        mend="Turn it into numbers with a feature, or give it the role 'ignore'",
    )
