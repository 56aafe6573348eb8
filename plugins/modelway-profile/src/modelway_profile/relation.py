"""How much of the target a column tells on its own, from counts in bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway_profile.moments import Joint, Moments, finite, pearson_of_classes
from modelway_profile.numeric import NumberColumn
from modelway_profile.target import ENOUGH, explained, held_out_separation, separation

if TYPE_CHECKING:
    from modelway_profile.packing import Array
    from modelway_profile.texts import TextColumn


@dataclass(frozen=True)
class Aim:
    """What is known about the target once all rows were seen.

    Attributes:
        name: Name of the target column.
        positive: The class that a score of two classes is for; None: not two classes.
        zero_one: Whether the target is a number that is 0 or 1 in each row.
    """

    name: str = ""
    positive: str | None = None
    zero_one: bool = False


def relation(column: NumberColumn | TextColumn, aim: Aim) -> dict[str, Any] | None:
    """Return measures of how a column goes with the target; None where it cannot be told.

    ``pearson``: correlation of numbers with the target (1 for the positive class and 0 for the other). ``explained``:
    share of the target's variance between the column's values or bins, adjusted for their number. ``auc``: how well
    the column alone separates two classes, 0.5 to 1, by its order or by the rate of its bin's other rows.
    """
    made: dict[str, Any] = {}
    if isinstance(column, NumberColumn):
        if column.related is None:
            return None
        if isinstance(column.related, Joint):
            made["pearson"] = column.related.pearson()
            spread = column.related.y.squares
        else:
            spread = 0.0
            if aim.positive is not None:
                others = [moments for label, moments in column.related.items() if label != aim.positive]
                negative = others[0] if others else Moments()
                made["pearson"] = pearson_of_classes(negative, column.related.get(aim.positive, Moments()))
            made["means"] = {label: finite(column.related[label].mean) for label in sorted(column.related)}
        grids = [(grid.table, grid.labels) for grid in (column.even, column.digits) if grid.labels is not None]
        measured = [_measured(table, labels, spread, aim, ordered=True) for table, labels in grids]
    else:
        if column.labels is None:
            return None
        measured = [_measured(column.table, column.labels, column.target.squares, aim, ordered=False)]
    for key in ("explained", "auc"):
        found = [value for value in (one.get(key) for one in measured) if value is not None]
        if found:
            made[key] = max(found)
    return made


def _measured(
    table: Array, labels: tuple[str, ...], spread: float, aim: Aim, *, ordered: bool
) -> dict[str, float | None]:
    rows, sums = table[:, 1], table[:, 2:]
    if rows.sum() < ENOUGH or not sums.shape[1]:
        return {}
    made = {"explained": explained(rows, sums, None if labels else spread)}
    sides = two_classes(table, labels, aim)
    if sides is not None:
        negative, positive = sides
        auc = held_out_separation(negative, positive)
        if ordered and auc is not None:
            by_order = separation(negative, positive)
            assert by_order is not None
            auc = max(auc, by_order, 1 - by_order)
        made["auc"] = None if auc is None else max(auc, 0.5)
    return made


def two_classes(table: Array, labels: tuple[str, ...], aim: Aim) -> tuple[Array, Array] | None:
    """Return the rows of the negative and of the positive class by bin; None where there are not two classes."""
    rows, sums = table[:, 1], table[:, 2:]
    if not labels:
        return (rows - sums[:, 0], sums[:, 0]) if aim.zero_one and sums.shape[1] else None
    if aim.positive not in labels or len(labels) != 2:
        return None
    positive = sums[:, labels.index(aim.positive)]
    return rows - positive, positive


def rate(table: Array, labels: tuple[str, ...] | None, aim: Aim, row: int) -> float | None:
    """Return the target's mean, or the positive class's share, among the rows of one bin."""
    if labels is None or not table[row, 1]:
        return None
    if not labels:
        return float(table[row, 2] / table[row, 1]) if table.shape[1] > 2 else None
    if aim.positive in labels:
        return float(table[row, 2 + labels.index(aim.positive)] / table[row, 1])
    return None
