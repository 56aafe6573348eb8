"""The summary of a column of numbers, booleans or times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from modelway_profile.distinct import Distinct, hash_numbers
from modelway_profile.grid import Grid
from modelway_profile.moments import Joint, Moments, by_class
from modelway_profile.packing import pack, unpack
from modelway_profile.quantiles import Sketch
from modelway_profile.tally import Numbers

if TYPE_CHECKING:
    from modelway_profile.packing import Array
    from modelway_profile.target import Target

#: How a column goes with the target: moments by class, or with its values; None where that cannot be told.
Related: TypeAlias = dict[str, Moments] | Joint | None
#: Days of a time column whose rows are counted, the newest ones: a hundred years.
DAYS = 36_525
#: Microseconds of a day.
DAY = 86_400_000_000


@dataclass(frozen=True)
class NumberColumn:
    """What one pass keeps of a column of numbers; times are microseconds since 1970.

    Attributes:
        rows: Rows; missing: rows without a value; infinite: rows of infinity, which all else leaves out.
        kinds: Kinds of numpy type seen (b, i, u, f, M), sorted.
        whole: Whether every value is a whole number.
        low: Smallest value; high: largest; None without any.
        sketch: Quantiles, once ``tally`` is not exact.
        days: Days since 1970 of a time column, sorted; per_day: rows of each.
        related: Moments by class, or with the target's values; None: no target, or one that cannot be related.
    """

    rows: int
    missing: int
    infinite: int
    kinds: str
    whole: bool
    zeros: int
    negatives: int
    low: float | int | None
    high: float | int | None
    distinct: Distinct
    tally: Numbers
    sketch: Sketch | None
    moments: Moments
    even: Grid
    digits: Grid
    days: Array
    per_day: Array
    related: Related

    @classmethod
    def of(cls, column: Array, target: Target | None) -> Self:
        """Summarise a batch's column."""
        import numpy as np

        kind, rows = column.dtype.kind, len(column)
        held, infinite = None, 0
        if kind == "f":
            held = np.isfinite(column)
            infinite = int(np.isinf(column).sum()) if not held.all() else 0
        elif kind == "M":
            held = ~np.isnat(column)
            column = column.astype("M8[us]").view(np.int64)
        elif kind == "b":
            column = column.astype(np.int8)
        if held is not None and held.all():
            held = None
        values = column if held is None else column[held]
        target = None if target is None else target.rows(held)
        ordered = np.sort(values)
        edges = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
        native = ordered[edges]
        counts = np.diff(np.append(edges, len(ordered))).astype(np.int64)
        floats = values.astype(np.float64, copy=False) + 0.0  # + 0.0: one zero, not two
        uniques = native.astype(np.float64, copy=False) + 0.0
        tally = Numbers.of(uniques, counts)
        if native.dtype.itemsize == 8 and kind in "iu" and len(uniques):  # large integers may be equal as floats
            tally = Numbers(uniques[:0], counts[:0]).merge(tally)
        low, high = (native[0].item(), native[-1].item()) if len(native) else (None, None)
        if low is not None and high is not None and kind == "f":
            low, high = low + 0.0, high + 0.0
        days, per_day = np.empty(0, np.int64), np.empty(0, np.int64)
        if kind == "M" and len(values):
            days, per_day = _by_day(native // DAY, counts)
        return cls(
            rows=rows,
            missing=rows - len(values) - infinite,
            infinite=infinite,
            kinds=kind,
            whole=kind != "f" or bool((np.floor(uniques) == uniques).all()),
            zeros=int(np.searchsorted(ordered, 0, "right") - np.searchsorted(ordered, 0, "left")),
            negatives=int(np.searchsorted(ordered, 0, "left")),
            low=low,
            high=high,
            distinct=Distinct.of(hash_numbers(native)),
            tally=tally,
            sketch=None if not tally.error else Sketch.of(ordered.astype(np.float64, copy=False) + 0.0),
            moments=Moments.of(floats),
            even=Grid.even(floats, float(low or 0), float(high or 0), target),
            digits=Grid.digits(floats, target),
            days=days,
            per_day=per_day,
            related=_related(floats, target),
        )

    def merge(self, later: NumberColumn) -> NumberColumn:
        """Return the summary of both; ``later`` is of later rows."""
        a, b = self, later
        lows = [x.low for x in (a, b) if x.low is not None]
        highs = [x.high for x in (a, b) if x.high is not None]
        tally, sketch = _joined(a, b)
        days, per_day = _days(a, b)
        return NumberColumn(
            rows=a.rows + b.rows,
            missing=a.missing + b.missing,
            infinite=a.infinite + b.infinite,
            kinds="".join(sorted({*a.kinds, *b.kinds})),
            whole=a.whole and b.whole,
            zeros=a.zeros + b.zeros,
            negatives=a.negatives + b.negatives,
            low=min(lows, default=None),
            high=max(highs, default=None),
            distinct=a.distinct.merge(b.distinct),
            tally=tally,
            sketch=sketch,
            moments=a.moments.merge(b.moments),
            even=a.even.merge(b.even),
            digits=a.digits.merge(b.digits),
            days=days,
            per_day=per_day,
            related=_both(a.related, b.related),
        )

    def more_missing(self, rows: int) -> NumberColumn:
        """Return the summary with rows that have no value added."""
        return replace(self, rows=self.rows + rows, missing=self.missing + rows)

    @property
    def held(self) -> int:
        """Rows that have a finite value."""
        return self.moments.rows

    def weighed(self) -> tuple[Array, Array]:
        """Return sorted values and how many rows each stands for: all of them while exact."""
        return (self.tally.values, self.tally.counts) if self.sketch is None else self.sketch.weighed()

    def plain(self) -> dict[str, Any]:
        """Return plain JSON that ``restore`` reads back."""
        related: Any = self.related
        if isinstance(related, Joint):
            related = related.plain()
        elif related is not None:
            related = {label: related[label].plain() for label in sorted(related)}
        return {
            "form": "numbers",
            **{key: getattr(self, key) for key in _PLAIN},
            "distinct": self.distinct.plain(),
            "tally": self.tally.plain(),
            "sketch": None if self.sketch is None else self.sketch.plain(),
            "moments": self.moments.plain(),
            "even": self.even.plain(),
            "digits": self.digits.plain(),
            "days": pack(self.days, "<i8"),
            "per_day": pack(self.per_day, "<i8"),
            "related": related,
        }

    @classmethod
    def restore(cls, body: dict[str, Any]) -> Self:
        """Read what ``plain`` wrote."""
        related = body["related"]
        if isinstance(related, list):
            related = Joint.restore(related)
        elif related is not None:
            related = {label: Moments.restore(moments) for label, moments in related.items()}
        return cls(
            **{key: body[key] for key in _PLAIN},
            distinct=Distinct.restore(body["distinct"]),
            tally=Numbers.restore(body["tally"]),
            sketch=None if body["sketch"] is None else Sketch.restore(body["sketch"]),
            moments=Moments.restore(body["moments"]),
            even=Grid.restore(body["even"]),
            digits=Grid.restore(body["digits"]),
            days=unpack(body["days"], "<i8"),
            per_day=unpack(body["per_day"], "<i8"),
            related=related,
        )


_PLAIN = ("rows", "missing", "infinite", "kinds", "whole", "zeros", "negatives", "low", "high")


def _related(values: Array, target: Target | None) -> Related:
    if target is None:
        return None
    return Joint.of(values, target) if target.codes is None else by_class(values, target)


def _both(a: Related, b: Related) -> Related:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Joint) and not one.x.rows and other is not None:
            return other
    if isinstance(a, Joint) and isinstance(b, Joint):
        return a.merge(b)
    if isinstance(a, dict) and isinstance(b, dict):
        return {label: a.get(label, Moments()).merge(b.get(label, Moments())) for label in {**a, **b}}
    return None


def _joined(a: NumberColumn, b: NumberColumn) -> tuple[Numbers, Sketch | None]:
    values, counts = a.tally.joined(b.tally)
    tally = Numbers.of(values, counts, a.tally.error + b.tally.error)
    if a.sketch is None and b.sketch is None:
        return tally, Sketch.counted(values, counts) if tally.error else None
    sketches = [
        side.sketch if side.sketch is not None else Sketch.counted(side.tally.values, side.tally.counts)
        for side in (a, b)
    ]
    return tally, sketches[0].merge(sketches[1])


def _by_day(days: Array, counts: Array) -> tuple[Array, Array]:
    import numpy as np

    first = np.flatnonzero(np.concatenate([[True], days[1:] != days[:-1]]))
    return days[first][-DAYS:], np.add.reduceat(counts, first)[-DAYS:]


def _days(a: NumberColumn, b: NumberColumn) -> tuple[Array, Array]:
    import numpy as np

    if not (len(a.days) and len(b.days)):
        return (a.days, a.per_day) if len(a.days) else (b.days, b.per_day)
    days = np.concatenate([a.days, b.days])
    order = np.argsort(days, kind="stable")
    return _by_day(days[order], np.concatenate([a.per_day, b.per_day])[order])
