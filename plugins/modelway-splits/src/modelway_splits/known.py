"""Entities known by now: rows that nobody would score, since the label of their entity is out already."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway import Category, ConfigError, Run, Table, param
from modelway_splits.labels import column_of, levels

if TYPE_CHECKING:
    from modelway_splits.labels import Array

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, kw_only=True)
class Known:
    """Which rows are left out of testing and validation because their entity is known to be positive by then.

    A row is left out where a positive row of its entity lies at least ``delay`` before it, and no more than ``within``
    before that: the time for which a known entity is out of use, such as until a blocked card is replaced.
    """

    delay: str = param(..., "Time until a row's label is known, such as 7d.")
    within: str | None = param(None, "Time for which an entity stays known; null means for good.")
    entity: str | None = param(None, "Column of the entity; null means the one with the role entity.")

    def rows(self, table: Table, times: Array, run: Run) -> Array:
        """Return which rows are of an entity that is known by then, shape (rows,), in the table's order.

        Args:
            table: The rows.
            times: Their times, shape (rows,), datetime64.
            run: The run.

        Raises:
            ConfigError: no entity is declared, a duration that is none, times that are numbers, or a task that has no
                positive class.
            DataError: the table lacks the column, or a row lacks its entity.
        """
        import numpy as np

        if times.dtype.kind != "M":
            raise ConfigError("Known entities go by time, and the column of times holds numbers", where="split.known")
        name = column_of(self.entity, "entity", run, table, "Known entities go", "split.known.entity")
        entity = levels(table, name)[0]
        found = np.flatnonzero(_positive(table, run))
        delay = np.timedelta64(duration(self.delay, "split.known.delay"), "s")
        when = np.concatenate([times[found] + delay, times])
        who = np.concatenate([entity[found], entity])
        asked = np.arange(len(when)) >= len(found)
        order = np.lexsort((asked, when, who))  # an entity's labels as they come out, and its rows, in order of time
        last = np.maximum.accumulate(np.where(asked[order], -1, np.arange(len(order))))
        there = last >= 0
        before = order[np.maximum(last, 0)]
        known = there & (who[before] == who[order])
        if self.within is not None:
            known &= when[order] - when[before] <= np.timedelta64(duration(self.within, "split.known.within"), "s")
        result = np.empty(len(when), dtype=bool)
        result[order] = known
        return result[len(found) :]


def _positive(table: Table, run: Run) -> Array:
    import numpy as np

    if run.task != "binary":
        raise ConfigError(
            f"Entities are known by a positive label, and a {run.task} task has none", where="split.known"
        )
    value, column = run.schema.classes(run.task)[-1], table.read([run.schema.target])[run.schema.target]
    if isinstance(column, Category):
        return np.asarray(column.recode([value]).codes == 0)
    return np.asarray(column == value)


def duration(text: str, where: str, mend: str = "Write") -> int:
    """Return the seconds of a duration; ``mend`` says what may stand there, up to the examples.

    Raises:
        ConfigError: it is none.
    """
    found = re.fullmatch(r"\s*(\d+)\s*(s|min|h|d|w)\s*", text)
    if found is None:
        raise ConfigError(
            f"'{text}' is no duration",
            where=where,
            mend=f"{mend} 90s, 30min, 48h, 7d or 2w",
        )
    return int(found[1]) * _SECONDS[found[2]]
