"""What each feature adds to the scores of some held-out rows, summed up by feature."""

from __future__ import annotations

from typing import Any

from modelway.report.record import Record
from modelway.values import Category, Columns, Model, Split, missing, take

#: Held-out rows that are looked at, and parts of the table that they come from.
ROWS, _PARTS = 2000, 8
#: Features that are told, those that add most.
FEATURES = 12
#: Points of a feature that are drawn, and levels of its value.
POINTS, LEVELS = 160, 5


def contributions(record: Record) -> dict[str, Any] | None:
    """Return the features that add most to the margin of held-out rows, on average.

    Returns:
        ``rows``, ``phase``, and ``features``, largest first, each with ``name``, ``mean`` (of the absolute
        contributions), ``low`` and ``high`` (mean contribution where the value is in its lowest and highest fifth;
        None for categories), and ``points``: contribution and level of the value, 0 to 4, None where it has no order;
        spread evenly over the rows in the order of the contribution, so that both ends are among them.
        None where the model has no contributions.
    """
    found = _held_out(record)
    if found is None:
        return None
    model, columns, phase, rows = found
    added = model.contributions(columns)
    if added is None:
        return None
    import numpy as np

    each: dict[str, Any] = {name: np.asarray(values, np.float64) for name, values in added.items() if name != "bias"}
    means = {name: float(np.abs(values).mean()) for name, values in each.items()}
    largest = sorted(means, key=lambda name: (-means[name], name))
    shown = [
        {"name": name, "mean": means[name], **_by_value(each[name], columns.get(name))}
        for name in largest[:FEATURES] if means[name] > 0
    ]  # fmt: skip
    left = sum(means[name] > 0 for name in largest) - len(shown)
    return {"phase": phase, "rows": rows, "features": shown, "left_out": left} if shown else None


def _held_out(record: Record) -> tuple[Model, Columns, str, int] | None:
    """Return the model of the last fold that has held-out rows, and some of those rows as it reads them."""
    splits = record.of_stage("split")
    split = record.value(splits[-1]["name"]) if splits else None
    if not isinstance(split, Split):
        return None
    tag = len(split.folds) > 1
    for fold in reversed(split.folds):
        seen = split.at(fold)
        for phase in ("test", "valid"):
            name = f"[{fold}]" if tag else ""
            if seen.count(phase):
                model, transforms = record.value(f"model{name}"), record.value(f"features{name}")
                if not isinstance(model, Model) or transforms is None:
                    return None
                columns = _some(seen.with_steps(transforms.items), phase)
                return model, columns, phase, len(missing(next(iter(columns.values()))))
    return None


def _some(split: Split, phase: str) -> Columns:
    """Return the features of up to ``ROWS`` rows, spread evenly over the phase."""
    import numpy as np

    pieces = [piece for piece in split.pieces() if piece.count(phase)]
    if len(pieces) > _PARTS:
        pieces = [pieces[round(i * (len(pieces) - 1) / (_PARTS - 1))] for i in range(_PARTS)]
    whole = sum(piece.count(phase) for piece in pieces)
    wanted = np.unique(np.linspace(0, whole - 1, min(whole, ROWS)).astype(int))
    taken, start = list[Columns](), 0
    for piece in pieces:
        for batch in piece.batches(phase):
            here = wanted[(wanted >= start) & (wanted < start + len(batch.rows))] - start
            start += len(batch.rows)
            if len(here):
                taken.append(take(batch.features, here))
    return {name: _joined([columns[name] for columns in taken]) for name in taken[0]}


def _joined(parts: list[Any]) -> Any:
    import numpy as np

    if not isinstance(parts[0], Category):
        return np.concatenate(parts)
    values = tuple(dict.fromkeys(value for part in parts for value in part.values))
    return Category(np.concatenate([part.recode(values).codes for part in parts]), values)


def _by_value(added: Any, column: Any) -> dict[str, Any]:
    import numpy as np

    levels = _levels(column, len(added))
    order = np.argsort(added, kind="stable")
    places = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), POINTS)).astype(int))]
    points = [(float(added[i]), int(levels[i]) if levels[i] >= 0 else None) for i in places.tolist()]
    low, high = (float(added[levels == level].mean()) if (levels == level).any() else None for level in (0, LEVELS - 1))
    return {"low": low, "high": high, "points": points}


def _levels(column: Any, rows: int) -> Any:
    """Return the fifth that each value is in, 0 to 4; -1 where it is missing or has no order."""
    import numpy as np

    none = np.full(rows, -1)
    if column is None or isinstance(column, Category) or column.dtype.kind not in "biuf":
        return none
    values = column.astype(np.float64)
    held = np.isfinite(values)
    distinct = np.unique(values[held])
    if len(distinct) < 2:
        return none
    # ranks of distinct values where there are few, so that a flag is low or high and nothing between
    if len(distinct) <= LEVELS:
        place = np.rint(np.searchsorted(distinct, values) * (LEVELS - 1) / (len(distinct) - 1))
    else:
        cuts = np.quantile(values[held], np.linspace(0, 1, LEVELS + 1)[1:-1])
        place = np.searchsorted(cuts, values, side="left")
    return np.where(held, place, -1).astype(int)
