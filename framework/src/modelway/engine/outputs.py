"""Two models' outputs on the same rows, compared in sum and row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modelway.errors import DataError
from modelway.schema import Task
from modelway.values import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from modelway.values.columns import Array

#: Bins of the reference's scores behind the stability index, and the share that an empty one counts as.
_BINS, _EMPTY = 10, 1e-4


@dataclass(frozen=True)
class Outputs:
    """What a model said of rows.

    Attributes:
        title: What to call the model.
        classes: Of a classification: the target's classes, the positive one of two last.
        rows: Position of each row in its table.
        group: Fold and phase of each row, as text; all empty where there are none.
        label: Of each row: a class number, or a value; NaN where it is not known.
        score: Shape (rows,), or (rows, classes) for several classes.
        threshold: Score from which a row of a binary task is positive.
        ids: Value of the row's id; None where it has none.
    """

    title: str
    task: Task
    classes: tuple[Any, ...]
    rows: Array
    group: Array
    label: Array
    score: Array
    threshold: float = 0.5
    ids: Column | None = None

    @property
    def decision(self) -> Array | None:
        """Class number that each row is given; None for a regression."""
        if self.task == "regression":
            return None
        return self.score.argmax(axis=1) if self.score.ndim == 2 else (self.score >= self.threshold).astype("i8")

    def at(self, places: Array) -> Outputs:
        """Return the outputs of some rows."""
        arrays = {name: getattr(self, name)[places] for name in ("rows", "group", "label", "score")}
        return replace(self, **arrays, ids=None if self.ids is None else self.ids[places])


@dataclass(frozen=True)
class Compared:
    """Outputs of two models on the rows that both saw, in the same order.

    Attributes:
        a, b: The outputs; ``only`` counts the rows that only one of them saw.
        tolerance: Difference of scores above which a row counts as another.
    """

    a: Outputs
    b: Outputs
    only: tuple[int, int]
    tolerance: float

    @property
    def difference(self) -> Array:
        """How far each row's scores are apart, of several classes the largest; shape (rows,)."""
        import numpy as np

        found: Array = np.abs(self.b.score - self.a.score)
        return found.max(axis=1) if found.ndim == 2 else found

    @property
    def flipped(self) -> Array | None:
        """Whether each row is given another class; None for a regression."""
        a, b = self.a.decision, self.b.decision
        return None if a is None or b is None else a != b

    def sums(self) -> list[dict[str, Any]]:
        """Return what differs in sum: over all rows, and by fold and phase where there are several."""
        import numpy as np

        groups = sorted(set(self.a.group.tolist()))
        every = np.arange(len(self.a.rows))
        parts = [("all", every)]
        if len(groups) > 1:
            parts += [(group, np.flatnonzero(self.a.group == group)) for group in groups]
        return [{"rows of": name, **self._sum(places)} for name, places in parts]

    def _sum(self, places: Array) -> dict[str, Any]:
        a, b, apart = self.a.score[places], self.b.score[places], self.difference[places]
        found: dict[str, Any] = {
            "rows": len(places), "mean_a": _mean(a), "mean_b": _mean(b), "mean_difference": float(apart.mean()),
            "largest_difference": float(apart.max()), "differ": float((apart > self.tolerance).mean()),
            "pearson": correlation(a.ravel(), b.ravel()), "spearman": correlation(ranks(a.ravel()), ranks(b.ravel())),
            "psi": psi(a, b) if a.ndim == 1 else max(psi(x, y) for x, y in zip(a.T, b.T, strict=True)),
        }  # fmt: skip
        return found | self._decisions(places)

    def _decisions(self, places: Array) -> dict[str, Any]:
        import numpy as np

        a, b, flipped = self.a.decision, self.b.decision, self.flipped
        if a is None or b is None or flipped is None:
            return {}
        a, b, moved, label = a[places], b[places], flipped[places], self.a.label[places]
        found: dict[str, Any] = {"flips": int(moved.sum())}
        if self.a.task == "binary":
            found |= {"positive_a": int(a.sum()), "positive_b": int(b.sum())}
            found |= {"to_positive": int((moved & (b == 1)).sum()), "to_negative": int((moved & (b == 0)).sum())}
        known = moved & ~np.isnan(label)
        if known.any():
            found |= {"flips_right_in_a": int((a == label)[known].sum())}
            found |= {"flips_right_in_b": int((b == label)[known].sum())}
        return found

    def worst(self, count: int) -> Array:
        """Return the places of the rows whose scores are furthest apart, the furthest first."""
        import numpy as np

        return np.lexsort((self.a.rows, -self.difference))[:count]


def compare(a: Outputs, b: Outputs, tolerance: float, *, by_id: bool = False) -> Compared:
    """Put two models' outputs side by side, by row and phase, or by id.

    Raises:
        DataError: other tasks or classes, no row that both saw, or rows that are not the same.
    """
    import numpy as np

    if (a.task, a.classes) != (b.task, b.classes):
        raise DataError(f"{a.title} and {b.title} do not predict the same: {_told(a)}, and {_told(b)}")
    if by_id:
        x, y = ([f"{group} {value}" for group, value in zip(o.group, _plain(o.ids), strict=True)] for o in (a, b))
    else:
        x, y = ([f"{group} {row}" for group, row in zip(o.group, o.rows.tolist(), strict=True)] for o in (a, b))
    place = {key: i for i, key in enumerate(y)}
    if len(place) < len(y) or len(set(x)) < len(x):
        raise DataError("An id occurs twice, so rows cannot be told apart by it")
    pairs = np.array([(i, place[key]) for i, key in enumerate(x) if key in place], dtype="i8").reshape(-1, 2)
    if not len(pairs):
        raise DataError(
            f"{a.title} and {b.title} scored no row in common", mend="--data WHAT lets both score the same rows"
        )
    made = Compared(a.at(pairs[:, 0]), b.at(pairs[:, 1]), (len(x) - len(pairs), len(y) - len(pairs)), tolerance)
    _same(made)
    return made


def _same(found: Compared) -> None:
    import numpy as np

    x, y = found.a.label, found.b.label
    odd = ~((x == y) | (np.isnan(x) & np.isnan(y)))
    ids = [_plain(o.ids) for o in (found.a, found.b)]
    if len(ids[0]) and len(ids[1]):
        odd |= np.asarray([p != q for p, q in zip(*ids, strict=True)])
    if odd.any():
        raise DataError(
            f"{int(odd.sum())} of the rows that both scored are not the same in both:"
            f" row {int(found.a.rows[odd][0])} has another label or id",
            mend="The preparation changed; --data WHAT lets both score the same rows",
        )


def _plain(ids: Column | None) -> list[Any]:
    if ids is None:
        return []
    return list(ids.objects()) if hasattr(ids, "objects") else list(ids.tolist())


def _told(outputs: Outputs) -> str:
    return f"{outputs.task}{f' of {len(outputs.classes)} classes' if outputs.classes else ''}"


def _mean(scores: Array) -> float | list[float]:
    return scores.mean(axis=0).tolist()  # type: ignore[no-any-return]  # numpy types tolist loosely


def ranks(values: Array) -> Array:
    """Return the rank of each value, equal ones sharing the mean of theirs."""
    import numpy as np

    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[at]


def correlation(a: Array, b: Array) -> float | None:
    """Return Pearson's correlation; None where one of the two does not vary."""
    import numpy as np

    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale else None


def psi(a: Array, b: Array) -> float:
    """Return the population stability index of ``b`` against ``a``, in the bins between the deciles of ``a``."""
    import numpy as np

    edges = np.unique(np.quantile(a, np.linspace(0, 1, _BINS + 1)[1:-1]))
    bins = [np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1) / len(x) for x in (a, b)]
    p, q = (np.maximum(x, _EMPTY) for x in bins)
    return float(((q - p) * np.log(q / p)).sum())


def rows_of(table: Table, rows: Sequence[int] | Array, columns: Sequence[str]) -> pa.Table:
    """Return some rows of a table by position, in the order asked for; holds those rows, not the table."""
    import numpy as np
    import pyarrow as pa

    wanted = np.asarray(rows, dtype="i8")
    order = np.argsort(wanted, kind="stable")
    found, start = [table.arrow(columns).slice(0, 0)] if not table.rows else [], 0
    for batch in table.scan(columns):
        first, last = np.searchsorted(wanted[order], [start, start + batch.num_rows])
        found.append(batch.take(wanted[order[first:last]] - start))
        start += batch.num_rows
    back = np.empty(len(order), dtype="i8")
    back[order] = np.arange(len(order))
    return pa.concat_tables(found, promote_options="permissive").take(back)


def threshold_of(entries: Sequence[Any]) -> tuple[float, str]:
    """Return the operating point that scores record, and the metric that chose it; 0.5 where none did."""
    ordered = sorted(entries, key=lambda score: score.phase != "test")
    for score in ordered:
        point: Mapping[str, Any] = score.detail.get("operating_point") or {}
        if isinstance(point.get("threshold"), (int, float)):
            return float(point["threshold"]), f"chosen by {score.metric.partition('.')[0]}"
    return 0.5, "by default"
