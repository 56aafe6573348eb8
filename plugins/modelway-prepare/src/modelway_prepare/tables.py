"""What the steps share: looking columns up, adding columns part by part, and accounting for rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelway import DataError, Run, Table, nearest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def account(
    run: Run,
    rows: int,
    left: int,
    *,
    dropped: Mapping[str, int] | None = None,
    added: Mapping[str, int] | None = None,
    missing: Mapping[str, int] | None = None,
) -> None:
    """Log where every row of a step went: ``out = in - dropped + added``, by rule.

    The entry is ``rows.LABEL``, since the steps of a project share one log.

    Args:
        run: The run.
        rows: Rows that came in.
        left: Rows that go out.
        dropped: Rows that each rule dropped.
        added: Rows that each rule added.
        missing: Values that the step filled, or could not read, by column.
    """
    said: dict[str, Any] = {"in": rows, "out": left, "dropped": {k: v for k, v in (dropped or {}).items() if v}}
    for name, counts in (("added", added), ("values", missing)):
        if counts:
            said[name] = {k: v for k, v in counts.items() if v}
    run.log(f"rows.{run.label}" if run.label else "rows", said)


def require(table: Table, names: Iterable[str], where: str, whose: str = "The table") -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: it does; the nearest name is proposed.
    """
    for name in names:
        if name not in table.names:
            raise DataError(f"{whose} has no column '{name}'", where=where, mend=nearest(name, table.names))


def pieces(table: Table) -> Iterator[tuple[int, Table]]:
    """Yield each part as a table of its own, and the number of its first row."""
    start = 0
    for part in table.parts:
        yield start, table.only([part])
        start += part.rows


def scanned(part: Table) -> Iterator[pa.Table]:
    """Yield a part's batches, at least one, so that a part of no rows keeps its columns."""
    if part.rows:
        yield from part.scan()
    else:
        yield part.arrow()


def joined(tables: Sequence[Table], run: Run, columns: Sequence[tuple[str, str]]) -> Table:
    """Return the tables one below another, without parts of no rows."""
    parts = tuple(part for table in tables for part in table.parts if part.rows)
    if not parts:
        return next((table for table in tables if table.parts), None) or Table(tuple(columns), (), run.blobs)
    return Table(next(table for table in tables if table.rows).columns, parts, run.blobs)


def changed(table: Table, change: Callable[[pa.Table], tuple[pa.Table, Mapping[str, int]]], run: Run) -> Table:
    """Change every batch, and account for what the change counted by column; the number of rows stays."""

    def change_part(part: Table) -> tuple[Table, Counter[str]]:
        counts: Counter[str] = Counter()

        def batches() -> Iterator[pa.Table]:
            for batch in scanned(part):
                made, found = change(batch)
                counts.update(found)
                yield made

        return run.table(batches()), counts

    made = list(run.map(change_part, [part for _, part in pieces(table)]))
    result = joined([one for one, _ in made], run, table.columns)
    account(run, table.rows, result.rows, missing=sum((found for _, found in made), Counter()))
    return result


def kept(table: Table, keep: np.ndarray[Any, Any], run: Run) -> Table:
    """Return the rows of a mask, in order; parts that lose no row are kept as they are, not written again.

    Args:
        table: The table.
        keep: Boolean array of shape (rows,).
        run: The run.
    """
    items = [(part, keep[start : start + part.rows]) for start, part in pieces(table)]
    return joined(list(run.map(lambda item: _kept(*item, run), items)), run, table.columns)


def _kept(part: Table, keep: np.ndarray[Any, Any], run: Run) -> Table:
    import pyarrow as pa

    if keep.all():
        return part
    if not keep.any():
        return part.only([])

    def batches() -> Iterator[pa.Table]:
        start = 0
        for batch in part.scan():
            yield batch.filter(pa.array(keep[start : start + batch.num_rows]))
            start += batch.num_rows

    return run.table(batches())


def extended(part: Table, added: Mapping[str, pa.Array], run: Run) -> Table:
    """Write a part again with whole columns appended, streaming its own."""

    def batches() -> Iterator[pa.Table]:
        start = 0
        for batch in scanned(part):
            for name, column in added.items():
                batch = batch.append_column(name, column.slice(start, batch.num_rows))
            start += batch.num_rows
            yield batch

    return run.table(batches())
