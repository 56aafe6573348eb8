"""The check ``freshness``: whether a table's newest row is young enough."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from modelway import Findings, Run, Table, param
from modelway_expectations.expectation import Expectation, Piece, over, time_column
from modelway_expectations.moments import TODAY, Moment, duration, lasting, microseconds, shown, today

_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Freshness(Expectation, name="freshness"):
    """Checks that the newest row is no older than declared, as of today or of a declared date.

    The age counts from the start of the day in UTC, or, where ``within`` is no whole number of days, from the start of
    the hour; so the check is made anew once a day or an hour. Rows later than that day or hour are passed over: a time
    in the far future does not make a table fresh.
    """

    column: str = param("", "Column of times; by default the one whose role in the schema is 'time'.")
    within: int | str = param(..., "Largest age of the newest row: days, such as 2, or 36h, 30min, 2w.")
    as_of: str = param(TODAY, "Date or time from which the age counts: 'today', or ISO text in UTC.")

    def __post_init__(self) -> None:
        duration(self.within, "within")
        if self.as_of != TODAY:
            Moment.of(self.as_of, "as_of")

    def version(self, run: Run) -> str:
        """Return today's date, or the hour, where the age counts from now."""
        hourly = duration(self.within, "within") % _DAY != 0
        return today(hourly=hourly) if self.as_of == TODAY else ""

    def check(self, table: Table, run: Run) -> Findings:
        """Find the newest row.

        Raises:
            ConfigError: there is no column of times.
            DataError: the column is absent, or holds something else.
        """
        column = time_column(self.column, table, run)
        moment = Moment.of(self.version(run) or self.as_of, "as_of")
        newest = over(table, run, partial(_newest, column=column, until=moment.until), _later)
        asks = f"the newest row is at most {lasting(duration(self.within, 'within'))} old as of {moment.text}"
        if newest is None:
            text = f"{asks}; no row has a time up to then"
            return Findings((self.finding("freshness", column, max(table.rows, 1), text),), table.rows, 1)
        time, row = newest
        late = (moment.at - time) / 1e6 - duration(self.within, "within")
        if late <= 0:
            return Findings((), table.rows, 1)
        text = f"{asks}; it is of {shown(time)}, {lasting(late)} too old"
        found = self.finding("freshness", column, 1, text, unit="", rows=[row], samples=[shown(time)])
        return Findings((found,), table.rows, 1)


Newest = tuple[int, int] | None


def _newest(piece: Piece, column: str, until: int) -> Newest:
    import numpy as np

    part, row = piece
    best: Newest = None
    for batch in part.batches([column]):
        times = microseconds(batch[column])
        times = np.where(times < until, times, np.iinfo(np.int64).min)
        place = int(times.argmax())
        if times[place] != np.iinfo(np.int64).min:
            best = _later(best, (int(times[place]), row + place))
        row += len(times)
    return best


def _later(a: Newest, b: Newest) -> Newest:
    return b if a is None or (b is not None and b[0] > a[0]) else a
