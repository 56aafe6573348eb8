"""How often a rule was broken, and the first few places: small, whatever the number of broken rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class Tally:
    """Broken rows of one rule.

    Attributes:
        count: How many rows break it.
        rows: Positions of the first few, counted from the start of the table.
        samples: Their values, as plain JSON.
        note: What else there is to say of the first of them.
    """

    count: int
    rows: tuple[int, ...] = ()
    samples: tuple[Any, ...] = ()
    note: str = ""

    @classmethod
    def of(
        cls,
        positions: np.ndarray[Any, Any],
        values: pa.Array | pa.Table | None,
        offset: int,
        limit: int,
        note: str = "",
    ) -> Tally:
        """Count positions in a batch, and show the first ``limit`` of them.

        Args:
            positions: Broken rows of the batch, ascending.
            values: The batch's column, or columns, to take samples from; None takes none.
            offset: Position of the batch's first row in the table.
            limit: Most rows and samples to keep.
            note: See the attribute.
        """
        first = positions[:limit]
        samples = () if values is None or not len(first) else tuple(shown(values.take(first)))
        return cls(len(positions), tuple((first + offset).tolist()), samples, note)

    def plus(self, later: Tally, limit: int) -> Tally:
        """Return the tally of these rows followed by ``later`` ones."""
        rows, samples = (self.rows + later.rows)[:limit], (self.samples + later.samples)[:limit]
        return Tally(self.count + later.count, rows, samples, self.note or later.note)


def shown(values: pa.Array | pa.Table) -> list[Any]:
    """Return values as plain JSON: times and decimals as text, NaN as None; rows of a table as mappings."""
    import pyarrow as pa

    if isinstance(values, pa.Table):
        lists = [shown(values.column(i).combine_chunks()) for i in range(values.num_columns)]
        return [dict(zip(values.column_names, row, strict=True)) for row in zip(*lists, strict=True)]
    kind = values.type
    if pa.types.is_dictionary(kind):
        return shown(values.dictionary_decode())
    if pa.types.is_timestamp(kind):
        texts = values.cast(pa.timestamp(kind.unit)).cast(pa.string()).to_pylist()
        return [text and text.replace(" ", "T") for text in texts]
    if pa.types.is_floating(kind):
        return [_number(value) for value in values.to_pylist()]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind):
        return values.to_pylist()  # type: ignore[no-any-return]
    try:
        return values.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    except pa.ArrowException:
        return [None if value is None else str(value) for value in values.to_pylist()]


def _number(value: float | None) -> float | str | None:
    if value is None or value != value:
        return None
    return str(value) if value in (float("inf"), float("-inf")) else value
