"""Splits: which rows train, validate and test, per fold. A split labels rows and moves no data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Self

from modelway.errors import DataError
from modelway.schema import Schema, Task
from modelway.values.artifact import Folder, Value, dumps
from modelway.values.columns import Category, Columns, from_arrow, to_arrow
from modelway.values.model import Transform, described
from modelway.values.table import Part, Table

if TYPE_CHECKING:
    from modelway.values.columns import Array, Column
    from modelway.values.model import RowStep

#: What a row is for in a fold, as the int8 code that a split stores.
PHASES = {"unused": 0, "train": 1, "valid": 2, "test": 3}


@dataclass(frozen=True)
class Batch:
    """Some rows of one phase, as a trainer reads them.

    Attributes:
        features: Transformed feature columns.
        target: Shape (rows,): 0/1 for binary (1 is the positive class), class numbers for multiclass, else values.
        weight: Shape (rows,), or None where no column has the role ``weight``.
        rows: Shape (rows,): positions in the table.
        raw: The columns as they stand in the table.
    """

    features: Columns
    target: Array
    weight: Array | None
    rows: Array
    raw: Columns


@dataclass(frozen=True)
class Split(Value, kind="Split"):
    """A table whose rows are labelled by fold and phase, seen from one fold.

    Attributes:
        table: The rows.
        labels: One int8 column per fold, in the rows' order; values are those of ``PHASES``.
        folds: Names of the folds. The last is the one whose model is kept; those before it cross-validate.
        fold: The fold looked at.
        steps: Row steps and fitted transforms, applied in this order to reach ``features``.
        start: For a piece: the position of its first row in the whole table.
    """

    table: Table
    labels: Table
    folds: tuple[str, ...]
    schema: Schema
    task: Task
    fold: str = ""
    steps: tuple[RowStep, ...] = ()
    start: int = 0

    @classmethod
    def of(cls, table: Table, labels: Mapping[str, Array], run: Any) -> Split:
        """Make a split from one array of ``PHASES`` codes per fold, shape (rows of the table,).

        Raises:
            DataError: labels of another length, or a fold without training rows.
        """
        if not labels:
            raise DataError("The split has no fold")
        for fold, codes in labels.items():
            if len(codes) != table.rows:
                raise DataError(f"Fold '{fold}' labels {len(codes)} rows of a table of {table.rows}")
            if not all(code in PHASES.values() for code in set(codes.tolist())):
                raise DataError(f"Fold '{fold}' has codes other than those of PHASES: {', '.join(PHASES)}")
            if not (codes == PHASES["train"]).any():
                raise DataError(f"Fold '{fold}' has no training rows", mend="Give the split a larger training share")
        kept = run.table([to_arrow({fold: codes.astype("int8") for fold, codes in labels.items()})])
        return cls(table, kept, tuple(labels), run.schema, run.task, tuple(labels)[-1])

    def at(self, fold: str) -> Split:
        """Look at another fold."""
        return replace(self, fold=fold)

    def with_steps(self, steps: Sequence[RowStep]) -> Split:
        """Return the split as seen through row steps and transforms."""
        return replace(self, steps=tuple(steps))

    def pieces(self) -> list[Split]:
        """Return the split as pieces of one part each, in the rows' order: the units that a compute hands out."""
        found, start = [], self.start
        for part in self.table.parts:
            if part.rows:
                found.append(replace(self, table=self.table.only([part]), start=start))
            start += part.rows
        return found

    @cached_property
    def identity(self) -> str:
        """Digest of all that decides what ``batches`` yields: rows, labels, fold, roles, steps and their states."""
        steps = [s.plain() if isinstance(s, Transform) else described(getattr(s, "__self__", s)) for s in self.steps]
        parts = [[part.digest for part in table.parts] for table in (self.table, self.labels)]
        body = [parts, self.fold, self.schema.identity, self.task, steps, self.start]
        return hashlib.sha256(dumps(body)).hexdigest()

    @property
    def classes(self) -> tuple[Any, ...]:
        """Classes of the target, in the order of their numbers; empty for regression."""
        return self.schema.classes(self.task)

    def codes(self, fold: str = "") -> Array:
        """Return the ``PHASES`` code of every row in a fold, shape (rows,)."""
        return _codes(self.labels, fold or self.fold, self.start, self.start + self.table.rows)

    def count(self, phase: str) -> int:
        """Return the number of rows of a phase in this fold."""
        return int((self.codes() == PHASES[phase]).sum())

    def batches(self, phase: str = "train", columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """Yield the rows of a phase in order, with features applied.

        Args:
            phase: ``train``, ``valid`` or ``test``.
            columns: Columns to read beside the target and weight; by default the feature columns.

        Raises:
            DataError: a target value that is missing or not among the declared classes.
        """
        import numpy as np

        wanted = self._needed() if columns is None else [*columns, *self.schema.with_role("target")]
        wanted += self.schema.with_role("weight")
        codes, start = self.codes(), 0
        for table in self.table.scan(wanted):
            stop = start + table.num_rows
            chosen = codes[start:stop] == PHASES[phase]
            rows, start = np.flatnonzero(chosen) + (self.start + start), stop
            if len(rows):
                if not chosen.all():
                    table = table.filter(_mask(chosen))
                yield self._batch(from_arrow(table), rows)

    def _needed(self) -> list[str]:
        roles = ("target", "weight")
        return [name for name, column in self.schema.columns.items() if column.role in ("feature", *roles)]

    def _batch(self, raw: Columns, rows: Array) -> Batch:
        features = {name: raw[name] for name in self.schema.with_role("feature") if name in raw}
        for step in self.steps:
            features = step(features)
        weight = self.schema.one("weight")
        target = encode_target(raw[self.schema.target], self.classes, self.schema.target)
        return Batch(features, target, raw[weight] if weight else None, rows, raw)  # type: ignore[arg-type]

    def save(self, folder: Folder) -> None:
        """Write the labels and refer to the table's parts."""
        self.table.save(folder.sub("table"))
        self.labels.save(folder.sub("labels"))
        body = {"folds": self.folds, "schema": self.schema.plain(), "task": self.task}
        folder.put_json("split.json", body)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read the split back, seen from its last fold and without steps."""
        body = folder.get_json("split.json")
        table, labels = Table.load(folder.sub("table")), Table.load(folder.sub("labels"))
        folds = tuple(body["folds"])
        return cls(table, labels, folds, Schema.of(body["schema"]), body["task"], folds[-1])


@lru_cache(maxsize=8)
def _codes(labels: Table, fold: str, start: int, stop: int) -> Array:
    parts: list[Part] = []
    before = first = 0
    for part in labels.parts:
        if before < stop and before + part.rows > start:
            first = first if parts else before
            parts.append(part)
        before += part.rows
    found = labels.only(parts).read([fold])[fold]
    return found[start - first : stop - first]  # type: ignore[return-value]  # a number


def _mask(chosen: Array) -> Any:
    import pyarrow as pa

    return pa.array(chosen)


def encode_target(column: Column, classes: Sequence[Any], name: str) -> Array:
    """Turn a target column into numbers: class positions, or the values themselves for regression.

    Raises:
        DataError: a missing value, or one that is not among the classes.
    """
    import numpy as np

    if not classes:
        values = np.asarray(column, dtype=np.float64) if not isinstance(column, Category) else None
        if values is None or not np.isfinite(values).all():
            raise DataError(f"The target '{name}' has missing or non-numeric values", mend="Declare it in the schema")
        return values
    if not isinstance(column, Category):
        distinct, inverse = np.unique(column, return_inverse=True)
        column = Category(inverse.astype(np.int32), distinct.tolist())
    codes = column.recode(classes).codes
    if (codes < 0).any():
        strange = next((value for value in column.counts() if value not in classes), None)
        raise DataError(
            f"The target '{name}' holds {'a missing value' if strange is None else repr(strange)},"
            f" and its declared values are {', '.join(map(str, classes))}",
            mend="Declare the value in the schema, or drop those rows in prepare",
        )
    return codes.astype(np.float64)
