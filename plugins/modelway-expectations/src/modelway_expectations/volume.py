"""The check ``volume``: how many rows each day or hour has, and which have none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from modelway import Finding, Findings, Run, Table, param
from modelway_expectations.expectation import Expectation, Piece, over, time_column
from modelway_expectations.moments import PERIODS, TODAY, Moment, microseconds, missing_time, named, spans, today

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Count and first row, by period.
Counts = dict[int, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Volume(Expectation, name="volume"):
    """Checks how many rows each day or hour has, and that none between the first and the last is without.

    Days and hours are those of UTC. With ``as_of`` every period that has ended by then is expected, and one that has
    not ended is left aside. A period without rows is reported as missing alone.
    """

    column: str = param("", "Column of times; by default the one whose role in the schema is 'time'.")
    per: Literal["day", "hour"] = param("day", "Period that rows are counted by.")
    at_least: int | None = param(None, "Fewest rows of a period.", at_least=0)
    at_most: int | None = param(None, "Most rows of a period.", at_least=0)
    within: float | None = param(
        None, "Largest difference from the median of the periods, as a share of it: 0.5 allows half to one and a half.",
        above=0,
    )  # fmt: skip
    gaps: bool = param(True, "Whether a period without any row is a finding.")
    weekdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = param(
        _DAYS, "Days of the week that are looked at."
    )
    edges: bool = param(True, "Whether the first and the last period, which may be cut off, are held to numbers too.")
    as_of: str = param("", "Date or time up to which periods are expected: 'today', or ISO text; else the last row's.")

    def __post_init__(self) -> None:
        if self.as_of not in ("", TODAY):
            Moment.of(self.as_of, "as_of")

    def version(self, run: Run) -> str:
        """Return today's date, or the hour, where periods are expected up to now."""
        return today(hourly=self.per == "hour") if self.as_of == TODAY else ""

    def check(self, table: Table, run: Run) -> Findings:
        """Count the rows of each period.

        Raises:
            ConfigError: there is no column of times.
            DataError: the column is absent, or holds something else.
        """
        column = time_column(self.column, table, run)
        counts = over(table, run, partial(_counted, column=column, per=self.per), _merged) or {}
        end = self.version(run) or self.as_of
        until = Moment.of(end, "as_of").at // PERIODS[self.per] if end else max(counts, default=0) + 1
        counts = {period: found for period, found in counts.items() if period < until}
        rules = self.gaps + sum(bound is not None for bound in (self.at_least, self.at_most, self.within))
        if not counts:
            text = f"each {self.per} has rows{f' up to {end}' if end else ''}; there is none"
            return Findings((self.finding("missing", column, max(table.rows, 1), text),), table.rows, rules)
        expected = [period for period in range(min(counts), until) if self._looked_at(period)]
        return Findings(tuple(self._found(column, counts, expected)), table.rows, rules)

    def _looked_at(self, period: int) -> bool:
        day = period * PERIODS[self.per] // PERIODS["day"]
        return _DAYS[(day + 3) % 7] in self.weekdays  # 1970 began on a Thursday

    def _found(self, column: str, counts: Counts, expected: list[int]) -> Iterator[Finding]:
        import statistics

        gone = [period for period in expected if period not in counts]
        if self.gaps and gone:
            first, last = named(expected[0], self.per), named(expected[-1], self.per)
            text = f"each {self.per} from {first} to {last} has rows"
            yield self.finding("missing", column, len(gone), text, unit=f"{self.per}s", samples=spans(gone, self.per))
        held = [period for period in expected if period in counts]
        median = statistics.median(counts[period][0] for period in held) if held else 0
        if not self.edges:
            held = [period for period in held if min(counts) < period < max(counts)]
        asked: list[tuple[str, float, float, str]] = []
        if self.at_least is not None:
            asked.append(("at_least", self.at_least, float("inf"), f"at least {self.at_least} rows"))
        if self.at_most is not None:
            asked.append(("at_most", 0, self.at_most, f"at most {self.at_most} rows"))
        if self.within is not None:
            low, high = median * (1 - self.within), median * (1 + self.within)
            asked.append(("within", low, high, f"{max(low, 0):.6g} to {high:.6g} rows, the median being {median:g}"))
        for rule, low, high, text in asked:
            odd = [period for period in held if not low <= counts[period][0] <= high]
            if odd:
                yield self.finding(
                    rule, column, len(odd), f"each {self.per} has {text}", unit=f"{self.per}s",
                    rows=(counts[period][1] for period in odd),
                    samples=(f"{named(period, self.per)}: {counts[period][0]} rows" for period in odd),
                )  # fmt: skip


def _counted(piece: Piece, column: str, per: str) -> Counts:
    import numpy as np

    part, row = piece
    counts: Counts = {}
    for batch in part.batches([column]):
        times = microseconds(batch[column])
        places = np.flatnonzero(times != missing_time())
        periods, first, number = np.unique(times[places] // PERIODS[per], return_index=True, return_counts=True)
        found = zip(number.tolist(), (places[first] + row).tolist(), strict=True)
        counts = _merged(counts, dict(zip(periods.tolist(), found, strict=True)))
        row += len(times)
    return counts


def _merged(a: Counts, b: Counts) -> Counts:
    made = dict(a)
    for period, (count, row) in b.items():
        before, first = made.get(period, (0, row))
        made[period] = (before + count, first)
    return made
