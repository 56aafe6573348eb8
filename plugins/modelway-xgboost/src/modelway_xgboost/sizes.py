"""Sizes: what a training takes in memory, and so whether its bins are kept there or on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelway_xgboost.matrix import Rows

#: Bytes of one row beside its bins: gradient, margin, label, weight, and its place in the tree, twice.
ROW = 48
#: Share of the memory there is that a training may take.
SHARE = 0.6
#: What XGBoost, Arrow and the batches in hand take whatever the number of rows.
BASE = 192 << 20


@dataclass(frozen=True)
class Size:
    """Bytes that the matrices of a training take.

    Attributes:
        rows: Beside the bins, whatever is done.
        bins: The bins, which can be kept on disk.
        held: The rows as 32-bit numbers, which are held where there is room.
    """

    rows: int
    bins: int
    held: int

    @classmethod
    def of(cls, matrices: Iterable[Rows], dense: bool) -> Size:
        """Return the size of some matrices that are needed at once.

        Args:
            matrices: The rows of each phase.
            dense: Whether no value is missing: XGBoost then keeps a bin's number in its column, else in all.
        """
        rows = bins = held = 0
        for one in matrices:
            cells = one.count * len(one.layout.names)
            wide = 1 if one.settings["max_bin"] <= 256 else 2
            # Once by row and once by column.
            bins += cells * (2 * wide if dense else 4 + wide) + (0 if dense else 8 * one.count)
            rows += one.count * ROW
            held = max(held, cells * 4)
        return cls(rows, bins, held)

    @property
    def streamed(self) -> int:
        """Bytes where the rows are read once for each pass."""
        return BASE + self.rows + self.bins

    @property
    def external(self) -> int:
        """Bytes where the bins are on disk."""
        return BASE + self.rows


def readable(size: float) -> str:
    """Return a number of bytes as people say it, such as ``1.5 GB``."""
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = next(power for power in range(len(units)) if size < 1000 ** (power + 1) or units[power] == units[-1])
    return f"{size / 1000**power:.3g} {units[power]}"
