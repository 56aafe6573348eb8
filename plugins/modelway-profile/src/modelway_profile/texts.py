"""The summary of a column of texts or categories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from modelway_profile.distinct import Distinct, hash_texts
from modelway_profile.grid import relabelled, rows_of
from modelway_profile.moments import Moments
from modelway_profile.packing import pack, unpack
from modelway_profile.tally import cut
from modelway_profile.target import union

if TYPE_CHECKING:
    from modelway import Category
    from modelway_profile.packing import Array
    from modelway_profile.target import Target


@dataclass(frozen=True)
class TextColumn:
    """What one pass keeps of a column of texts.

    Attributes:
        rows: Rows; missing: rows without a value; blank: rows whose text is empty or white.
        letters: Characters in all; longest and shortest: of one text.
        names: Distinct texts, sorted; table: their rows, rows with a target, then rows of each class or the sum of the
            target, shape (names, 2 + labels).
        error: By how much the rows of a text may be too few (0: exact); beyond, the table knows no target.
        labels: The target's classes; None: no target, or one that cannot be related.
        target: Moments of a numeric target over the rows that have a text.
    """

    rows: int
    missing: int
    blank: int
    letters: int
    shortest: int
    longest: int
    distinct: Distinct
    names: tuple[str, ...]
    table: Array
    error: int
    labels: tuple[str, ...] | None
    capacity: int
    target: Moments

    @classmethod
    def of(cls, column: Category, target: Target | None, capacity: int) -> TextColumn:
        """Summarise a batch's column, counting each of at most ``capacity`` texts."""
        import numpy as np

        known = column.codes >= 0
        codes = column.codes if known.all() else column.codes[known]
        target = None if target is None else target.rows(None if known.all() else known)
        counts = np.bincount(codes, minlength=len(column.values)) if len(codes) else np.zeros(len(column.values), int)
        sums = np.zeros((len(counts), 1)) if target is None else target.sums(codes, len(counts))
        table = np.concatenate([counts[:, None].astype(np.float64), sums], axis=1)
        names = [value if isinstance(value, str) else str(value) for value in column.values]
        held = np.flatnonzero(counts)
        if len(held) < len(names) or len(set(names)) < len(names) or sorted(names) != names:
            names, table = _grouped([names[i] for i in held.tolist()], table[held])
        rows = table[:, 0]
        sizes, blank, hashes = (_read if len(names) <= _REMEMBERED else _read.__wrapped__)(tuple(names))
        made = cls(
            rows=len(column),
            missing=len(column) - len(codes),
            blank=int(rows[blank].sum()),
            letters=int(sizes @ rows.astype(np.int64)),
            shortest=int(sizes.min(initial=1 << 40)),
            longest=int(sizes.max(initial=0)),
            distinct=Distinct.of(hashes),
            names=tuple(names),
            table=table,
            error=0,
            labels=None if target is None else target.labels,
            capacity=capacity,
            target=_moments(target),
        )
        return made._bounded()

    def merge(self, later: TextColumn) -> TextColumn:
        """Return the summary of both."""
        import numpy as np

        a, b = self, later
        labels = None if a.labels is None or b.labels is None else union(a.labels, b.labels)
        tables = [
            side.table[:, :2] * [1.0, 0.0] if labels is None else relabelled(side.table, side.labels or (), labels)
            for side in (a, b)
        ]
        names, table = (
            (a.names, tables[0] + tables[1])
            if a.names == b.names
            else _grouped([*a.names, *b.names], np.concatenate(tables))
        )
        made = TextColumn(
            rows=a.rows + b.rows,
            missing=a.missing + b.missing,
            blank=a.blank + b.blank,
            letters=a.letters + b.letters,
            shortest=min(a.shortest, b.shortest),
            longest=max(a.longest, b.longest),
            distinct=a.distinct.merge(b.distinct),
            names=tuple(names),
            table=table,
            error=a.error + b.error,
            labels=labels,
            capacity=min(a.capacity, b.capacity),
            target=a.target.merge(b.target),
        )
        return made._bounded()

    def _bounded(self) -> TextColumn:
        import numpy as np

        off = cut(self.table[:, 0], self.capacity)
        if not (off or self.error):
            return self
        kept = np.flatnonzero(self.table[:, 0] > off)
        table = self.table[kept, :2] - [off, 0.0]
        table[:, 1] = 0.0
        names = tuple(self.names[i] for i in kept.tolist())
        return replace(self, names=names, table=table, error=self.error + off, labels=None)

    def more_missing(self, rows: int) -> TextColumn:
        """Return the summary with rows that have no value added."""
        return replace(self, rows=self.rows + rows, missing=self.missing + rows)

    @property
    def held(self) -> int:
        """Rows that have a value."""
        return self.rows - self.missing

    def plain(self) -> dict[str, Any]:
        """Return plain JSON that ``restore`` reads back."""
        return {
            "form": "texts",
            **{key: getattr(self, key) for key in _PLAIN},
            "distinct": self.distinct.plain(),
            "names": list(self.names),
            "rows_by_name": pack(self.table[:, 0], "<f8"),
            "target_by_name": rows_of(self.table[:, 1:]) if self.labels is not None else [],
            "labels": None if self.labels is None else list(self.labels),
            "target": self.target.plain(),
        }

    @classmethod
    def restore(cls, body: dict[str, Any]) -> Self:
        """Read what ``plain`` wrote."""
        import numpy as np

        rows = unpack(body["rows_by_name"], "<f8")[:, None]
        labels = body["labels"]
        width = 1 if labels is None else 1 + max(1, len(labels))
        sums = np.asarray(body["target_by_name"], dtype=np.float64).T if body["target_by_name"] else None
        sums = np.zeros((len(rows), width)) if sums is None else sums
        return cls(
            **{key: body[key] for key in _PLAIN},
            distinct=Distinct.restore(body["distinct"]),
            names=tuple(body["names"]),
            table=np.concatenate([rows, sums], axis=1),
            labels=None if labels is None else tuple(labels),
            target=Moments.restore(body["target"]),
        )


# Texts of a batch up to which what was read of them is remembered
_REMEMBERED = 5000
_PLAIN = ("rows", "missing", "blank", "letters", "shortest", "longest", "error", "capacity")


@lru_cache(maxsize=32)
def _read(names: tuple[str, ...]) -> tuple[Array, list[int], Array]:
    """Return the lengths, the places of blank ones, and the hashes: batches mostly hold the same texts."""
    import numpy as np

    sizes = np.fromiter(map(len, names), dtype=np.int64, count=len(names))
    return sizes, [i for i, name in enumerate(names) if not name.strip()], hash_texts(names)


def _moments(target: Target | None) -> Moments:
    if target is None or target.values is None:
        return Moments()
    return Moments.of(target.values if target.known is None else target.values[target.known])


def _grouped(names: list[str], table: Array) -> tuple[list[str], Array]:
    """Sort by name, and add up the rows of equal names."""
    import numpy as np

    distinct = sorted(set(names))
    place = {name: i for i, name in enumerate(distinct)}
    at = np.fromiter((place[name] for name in names), dtype=np.int64, count=len(names))
    made = np.zeros((len(distinct), table.shape[1]))
    np.add.at(made, at, table)
    return distinct, made
