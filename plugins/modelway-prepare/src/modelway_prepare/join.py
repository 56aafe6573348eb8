"""Columns of another table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from modelway import ConfigError, DataError, Preparer, Run, Table, nearest, param
from modelway_prepare.durations import seconds
from modelway_prepare.tables import account, joined, pieces, require, scanned

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """Which of several rows of a key is taken: the latest one known at the row's time."""

    time: str = param(..., "Column of the table's time.")
    other: str = param(..., "Column of the other table's time, from which its row holds.")
    delay: int | str = param(0, "Time after which the other row is known: whole days, or such as 36h.")
    within: int | str | None = param(None, "Largest age of the other row, from when it is known; any without it.")

    def __post_init__(self) -> None:
        seconds(self.delay, "as_of.delay", zero=True)
        if self.within is not None:
            seconds(self.within, "as_of.within")


@dataclass(frozen=True, kw_only=True)
class Join(Preparer, name="join"):
    """Add columns of another table by key, with the number of matches and losses declared.

    ``cardinality`` says what may match: in ``many_to_one`` (a payment's customer) and ``one_to_one`` the other table
    holds a key once, in ``one_to_one`` and ``one_to_many`` this one does. What breaks it stops the run, with counts
    and sample keys, and so do rows without a match beyond ``unmatched_at_most``, which is none unless declared. A row
    without a match is kept with missing values (``how: left``) or dropped (``inner``). A missing key matches nothing.

    With ``as_of`` a row takes the latest row of its key that is known at its time: of time plus ``delay`` at or
    before it, and of equal times the one that stands last in the other table. It never sees a later one.

    Rows keep their order; the matches of one row stand in the other table's order. The other table is read whole, of
    this one the keys only.
    """

    table: str = param(..., "Label of the other table, a source.")
    keys: dict[str, str] = param(..., "Columns that hold the key: name here, and name there.")
    how: Literal["left", "inner"] = param("left", "Whether rows without a match are kept (left) or dropped (inner).")
    cardinality: Literal["one_to_one", "many_to_one", "one_to_many"] = param("many_to_one", "Which side repeats a key.")
    unmatched_at_most: float = param(0.0, "Largest share of rows that may find no match.", at_least=0, at_most=1)
    columns: tuple[str, ...] = param((), "Columns to add; all but the key without it.")
    prefix: str = param("", "Put before the names of added columns.")
    as_of: AsOf | None = param(None, "Take the latest row known at the time of this table's row.")

    def __post_init__(self) -> None:
        if not self.keys:
            raise ConfigError("The step 'join' has no key", where="keys")
        if self.as_of and self.cardinality != "many_to_one":
            raise ConfigError("A row has one latest match: 'as_of' goes with many_to_one", where="cardinality")

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Add the columns, part by part.

        Raises:
            DataError: a table or column is absent, keys cannot be compared, or matches or losses go beyond what is
                declared.
        """
        import numpy as np

        left, right = tables["table"], tables.get(self.table)
        if right is None or self.table == "table":
            labels = [name for name in tables if name != "table"]
            raise DataError(f"There is no table '{self.table}'", where="table", mend=nearest(self.table, labels))
        names = self._columns(left, right)
        matches, counts = self._matches(left, right)
        unmatched = int((counts == 0).sum())
        if self.how == "left":  # a row without a match takes part once, with nothing
            matches = np.insert(matches, np.cumsum(counts)[counts == 0], -1) if unmatched else matches
            counts = np.maximum(counts, 1)
        ends = np.concatenate([[0], np.cumsum(counts)])
        items = []
        for start, part in pieces(left):
            stop = start + part.rows
            items.append((part, counts[start:stop], matches[ends[start] : ends[stop]]))
        made = list(run.map(partial(_take, right, names, run), items))
        result = joined(made, run, left.columns)
        dropped = unmatched if self.how == "inner" else 0
        added = result.rows - left.rows + dropped
        account(run, left.rows, result.rows, dropped={"unmatched": dropped}, added={"matches": added})
        run.log(f"unmatched.{run.label}" if run.label else "unmatched", unmatched)
        if left.rows and not result.rows:
            raise DataError(f"No row of the table has a match in '{self.table}'", where="keys")
        return result

    def _columns(self, left: Table, right: Table) -> dict[str, str]:
        """Return the columns to take, and their names here."""
        whose = f"The table '{self.table}'"
        require(left, self.keys, "keys")
        require(right, self.keys.values(), "keys", whose)
        require(right, self.columns, "columns", whose)
        if self.as_of:
            require(left, [self.as_of.time], "as_of.time")
            require(right, [self.as_of.other], "as_of.other", whose)
        chosen = self.columns or tuple(name for name in right.names if name not in self.keys.values())
        for name in chosen:
            if f"{self.prefix}{name}" in left.names:
                raise DataError(
                    f"Both tables have a column '{self.prefix}{name}'",
                    where="columns",
                    mend="Set a prefix, or list the columns to add",
                )
        return {name: f"{self.prefix}{name}" for name in chosen}

    def _matches(self, left: Table, right: Table) -> tuple[Array, Array]:
        """Return the matching rows of the other table, row by row of this one, and how many each has."""
        import numpy as np
        import pyarrow as pa

        from modelway_prepare.keys import alike, encoded

        ours = left.arrow([*self.keys, *([self.as_of.time] if self.as_of else [])])
        theirs = right.arrow([*self.keys.values(), *([self.as_of.other] if self.as_of else [])])
        both = [alike(ours.column(a), theirs.column(b), a) for a, b in self.keys.items()]
        codes, gone = encoded(both)
        here, there = codes[: left.rows], codes[left.rows :].copy()
        lost, void = gone[: left.rows], gone[left.rows :]
        keys = pa.table(both, names=[f"key {number}" for number in range(len(both))])
        if self.cardinality != "one_to_many" and not self.as_of:
            self._once(there[~void], f"in '{self.table}'", keys.slice(left.rows).filter(pa.array(~void)))
        if self.cardinality != "many_to_one":
            self._once(here[~lost], "in the table", keys.slice(0, left.rows).filter(pa.array(~lost)))
        if self.as_of:
            rows = _latest(
                np.where(lost, -1, here), ours.column(self.as_of.time), np.where(void, -2, there),
                theirs.column(self.as_of.other), self.as_of,
            )  # fmt: skip
            matches, counts = rows[rows >= 0], (rows >= 0).astype(np.int64)
        else:
            matches, counts = _all(np.where(lost, -1, here), there[~void], np.flatnonzero(~void))
        self._share(counts, keys)
        return matches, counts

    def _once(self, codes: Array, where: str, keys: pa.Table) -> None:
        import numpy as np

        from modelway_prepare.keys import sample

        counts = np.bincount(codes)
        many = np.flatnonzero(counts > 1)
        if len(many):
            rows = [int(np.argmax(codes == code)) for code in many[:3]]
            raise DataError(
                f"The join is declared {self.cardinality}, and {len(many)} keys occur more than once {where}, in"
                f" {int(counts[many].sum())} rows, for example {sample(keys.columns, list(self.keys), rows)}",
                where="cardinality",
                mend="Remove the duplicates, complete the key, or declare what the data is",
            )

    def _share(self, counts: Array, keys: pa.Table) -> None:
        import numpy as np

        from modelway_prepare.keys import sample

        lost = np.flatnonzero(counts == 0)
        if len(lost) > self.unmatched_at_most * len(counts):
            at = " at their time" if self.as_of else ""
            raise DataError(
                f"{len(lost)} of {len(counts)} rows have no match in '{self.table}'{at}, more than the share of"
                f" {self.unmatched_at_most:g} that may, for example {sample(keys.columns, list(self.keys), lost[:3])}",
                where="unmatched_at_most",
                mend="Complete the other table, or raise unmatched_at_most",
            )


def _all(here: Array, there: Array, numbers: Array) -> tuple[Array, Array]:
    """Return all matches of each row; ``numbers`` are the row numbers of ``there``."""
    import numpy as np

    order = np.argsort(there, kind="stable")
    ordered = there[order]
    start = np.searchsorted(ordered, here, side="left")
    counts = np.searchsorted(ordered, here, side="right") - start
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return numbers[order[np.repeat(start, counts) + within]], counts


def _latest(here: Array, when: Any, there: Array, since: Any, rule: AsOf) -> Array:
    """Return the latest row of each key known at each row's time, -1 where there is none."""
    import numpy as np

    from modelway_prepare.rolling import Ordered

    now, known = _times(when, rule.time), _times(since, rule.other)
    known = known + np.timedelta64(seconds(rule.delay, "as_of.delay", zero=True), "s")
    held = np.flatnonzero((there >= 0) & ~np.isnat(known))
    rows = Ordered.of(there[held], known[held].view(np.int64))
    place = rows.until(np.maximum(here, 0), now.view(np.int64)) - 1
    found = (here >= 0) & ~np.isnat(now) & (place >= 0)
    if not len(held):
        return np.full(len(here), -1, np.int64)
    place = np.maximum(place, 0)
    found &= rows.entity[place] == here
    made = held[rows.order[place]]
    if rule.within is not None:
        found &= now - known[made] <= np.timedelta64(seconds(rule.within, "as_of.within"), "s")
    return np.where(found, made, -1)


def _times(column: Any, name: str) -> Array:
    import numpy as np
    import pyarrow as pa

    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise DataError(f"The column '{name}' holds {column.type}, not times", where="as_of", mend="Cast it first")
    try:  # safely: a time that were rounded down could be seen too early
        return np.asarray(column.cast(pa.timestamp("us", getattr(column.type, "tz", None))).to_numpy()).astype("M8[us]")
    except pa.ArrowException:
        raise DataError(
            f"The column '{name}' has times finer than a microsecond", where="as_of", mend="Round them first"
        ) from None


@lru_cache(maxsize=1)
def _held(table: Table, names: tuple[str, ...]) -> pa.Table:
    """Return the other table's columns; they are read once per process, not once per part."""
    return table.arrow(names).combine_chunks()


def _take(right: Table, names: Mapping[str, str], run: Run, item: tuple[Table, Array, Array]) -> Table:
    """Write a part with the columns of its matches."""
    import numpy as np
    import pyarrow as pa

    part, counts, matches = item
    other = _held(right, tuple(names))
    ends = np.concatenate([[0], np.cumsum(counts)])

    def batches() -> Any:
        start = 0
        for batch in scanned(part):
            stop = start + batch.num_rows
            made, rows = batch, matches[ends[start] : ends[stop]]
            if not (counts[start:stop] == 1).all():
                made = batch.take(pa.array(np.repeat(np.arange(batch.num_rows), counts[start:stop])))
            for name, new in names.items():
                taken = pa.array(rows, mask=rows < 0)
                made = made.append_column(new, other.column(name).take(taken))
            start = stop
            yield made

    return run.table(batches())
