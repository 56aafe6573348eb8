"""The check ``distribution``: whether a column's numbers lie where they always lay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from modelway import Category, ConfigError, DataError, Finding, Findings, Run, Table, missing, param
from modelway_expectations.expectation import Expectation, Piece, over, require, time_column
from modelway_expectations.moments import PERIODS, microseconds, named
from modelway_expectations.summing import Summary, buckets_of

Summaries = dict[int, Summary]
#: Factors between units that are often mistaken for each other.
_UNITS = {24: "hours and days", 60: "minutes and seconds", 100: "cents, or percent", 1000: "thousands", 1e6: "millions"}
_WHOLE = 0


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Where a number must lie: between two bounds, or about a reference."""

    at_least: float | None = param(None, "Smallest value allowed.")
    at_most: float | None = param(None, "Largest value allowed.")
    about: float | None = param(None, "Reference value.")
    within: float = param(0.1, "Largest difference from the reference, as a share of it.", at_least=0)

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None and self.about is None:
            raise ConfigError("Bounds need 'at_least', 'at_most' or 'about'")

    def hold(self, value: float) -> bool:
        """Return whether a value lies within."""
        if self.about is not None and not abs(value - self.about) <= self.within * abs(self.about):
            return False
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        said = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        said += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        said += [f"{self.about:g} give or take {self.within:.3g} of it"] if self.about is not None else []
        return " and ".join(said)

    def centre(self) -> float | None:
        """Return the reference, or what lies between both bounds in size; None where neither is declared."""
        low, high = self.at_least, self.at_most
        if self.about is None and low is not None and high is not None and low > 0:
            return float((low * high) ** 0.5)
        return self.about

    def hint(self, value: float) -> str:
        """Return a guess at a change of unit, where the value is off by a factor between known units."""
        centre = self.centre()
        ratio = value / centre if centre else 0.0
        for factor, units in _UNITS.items():
            for times, words in ((ratio / factor, f"{factor:g} times"), (ratio * factor, f"1/{factor:g} of")):
                if 0.75 <= times <= 1.34:
                    return f"; it is about {words} that: another unit ({units})?"
        return ""


@dataclass(frozen=True, kw_only=True)
class Distribution(Expectation, name="distribution"):
    """Checks a column's mean, median, quantiles, missing share and number of distinct values.

    Each may have bounds, or a reference that it may differ from by a share, which finds a change of unit, such as cents
    for euros. With ``per: day`` the numbers of each day are held to them, so that one wrong delivery is found among
    many right ones. Quantiles are read to within one part in 4096, and exactly where values are whole numbers up to
    8192; infinite values count as values. Text may be asked for its missing share and its distinct values only.
    """

    column: str = param(..., "Column that is looked at.")
    per: Literal["table", "day", "hour"] = param("table", "Whether the table as a whole, or each period, is looked at.")
    time: str = param("", "Column of times; by default the one whose role in the schema is 'time'.")
    mean: Bounds | None = param(None, "Where the mean lies: at_least, at_most; or about and within.")
    median: Bounds | None = param(None, "Where the median lies.")
    quantiles: dict[str, Bounds] = param({}, "Where quantiles lie, by share, such as '0.99'.")
    missing_at_most: float | None = param(None, "Largest share of rows without a value.", at_least=0, at_most=1)
    distinct_at_least: int | None = param(None, "Fewest distinct values.", at_least=1)

    def __post_init__(self) -> None:
        for share in self.quantiles:
            try:
                known = 0 <= float(share) <= 1
            except ValueError:
                known = False
            if not known:
                raise ConfigError(f"'{share}' is no quantile", where="quantiles", mend="Write a share from 0 to 1")
        if not (self._bounds() or self.missing_at_most is not None or self.distinct_at_least is not None):
            raise ConfigError("'distribution' expects nothing", mend="Give it a mean, a median, or what its help lists")

    def _bounds(self) -> dict[str, tuple[Bounds, Callable[[Summary], float]]]:
        made: dict[str, tuple[Bounds, Callable[[Summary], float]]] = {}
        if self.mean is not None:
            made["mean"] = (self.mean, lambda summary: summary.mean)
        if self.median is not None:
            made["median"] = (self.median, partial(Summary.quantile, q=0.5))
        for share, bounds in self.quantiles.items():
            made[f"quantile {share}"] = (bounds, partial(Summary.quantile, q=float(share)))
        return made

    def check(self, table: Table, run: Run) -> Findings:
        """Sum the column up.

        Raises:
            ConfigError: there is no column of times, and periods are asked for.
            DataError: the column is absent, or not of numbers.
        """
        where = f"checks.{run.label}.column"
        require(table, [self.column], where)
        time = "" if self.per == "table" else time_column(self.time, table, run)
        rules = self._bounds()
        distinct = self.distinct_at_least or 0
        summarise = partial(
            _summarised, column=self.column, time=time, per=self.per, numbers=bool(rules), few=self.samples,
            distinct=distinct, where=where,
        )  # fmt: skip
        found = over(table, run, summarise, partial(_merged, few=self.samples, distinct=distinct)) or {}
        items = [item for name, (bounds, read) in rules.items() for item in self._lies(name, bounds, read, found)]
        items += [*self._missing(found), *self._distinct(found)]
        asked = len(rules) + (self.missing_at_most is not None) + (self.distinct_at_least is not None)
        return Findings(tuple(items), table.rows, asked)

    def _lies(self, name: str, bounds: Bounds, read: Callable[[Summary], float], found: Summaries) -> Iterator[Finding]:
        values = {period: read(summary) for period, summary in sorted(found.items()) if summary.held}
        odd = {period: value for period, value in values.items() if not bounds.hold(value)}
        if odd:
            hint = next(filter(None, map(bounds.hint, odd.values())), "")
            text = f"the {name}{self._each} is {bounds}{hint}"
            yield self._finding(name.partition(" ")[0], text, found, {p: f"{v:.6g}" for p, v in odd.items()})
        elif not values:
            text = f"the {name} is {bounds}; there is no value"
            yield self.finding(name.partition(" ")[0], self.column, 1, text, unit="")

    def _missing(self, found: Summaries) -> Iterator[Finding]:
        if self.missing_at_most is None:
            return
        odd = {p: s for p, s in sorted(found.items()) if s.gone > self.missing_at_most * s.rows}
        if odd:
            text = f"at most a share of {self.missing_at_most:g}{self._each} is missing"
            shown = {period: f"{summary.gone / summary.rows:.3g}" for period, summary in odd.items()}
            count, rows = sum(s.gone for s in odd.values()), [row for s in odd.values() for row in s.lost]
            samples = self._samples(shown)
            yield self.finding("missing_at_most", self.column, count, text, rows=sorted(rows), samples=samples)

    def _distinct(self, found: Summaries) -> Iterator[Finding]:
        least = self.distinct_at_least
        odd = {p: str(len(s.seen)) for p, s in sorted(found.items()) if least is not None and len(s.seen) < least}
        if odd:
            yield self._finding("distinct_at_least", f"at least {least} distinct values{self._each}", found, odd)

    @property
    def _each(self) -> str:
        return "" if self.per == "table" else f" of each {self.per}"

    def _samples(self, shown: dict[int, str]) -> list[str]:
        return [text if self.per == "table" else f"{named(p, self.per)}: {text}" for p, text in shown.items()]

    def _finding(self, rule: str, text: str, found: Summaries, odd: dict[int, str]) -> Finding:
        unit, rows = ("", []) if self.per == "table" else (f"{self.per}s", [found[period].first for period in odd])
        return self.finding(rule, self.column, len(odd), text, unit=unit, rows=rows, samples=self._samples(odd))


def _merged(a: Summaries, b: Summaries, few: int, distinct: int) -> Summaries:
    made = dict(a)
    for period, summary in b.items():
        made[period] = made[period].plus(summary, few, distinct) if period in made else summary
    return made


def _summarised(
    piece: Piece, column: str, time: str, per: str, numbers: bool, few: int, distinct: int, where: str
) -> Summaries:
    import numpy as np

    part, start = piece
    found: Summaries = {}
    for batch in part.batches([column, *([time] if time else [])]):
        held, gone = batch[column], missing(batch[column])
        if numbers and (isinstance(held, Category) or held.dtype.kind not in "biuf"):
            raise DataError(f"Column '{column}' holds no numbers", where=where, mend="Ask for missing or distinct only")
        codes = held.codes if isinstance(held, Category) else held
        periods, rows = _periods(batch[time], per) if time else (np.array([_WHOLE]), [np.arange(len(held))])
        for period, places in zip(periods.tolist(), rows, strict=True):
            lost, kept = places[gone[places]], places[~gone[places]]
            made = Summary(
                len(places), len(lost), first=int(places[0]) + start, lost=tuple((lost[:few] + start).tolist())
            )
            if numbers:
                values = codes[kept].astype(np.float64)
                made.total = float(values.sum())
                buckets, counts = np.unique(buckets_of(values), return_counts=True)
                made.buckets = dict(zip(buckets.tolist(), counts.tolist(), strict=True))
            if distinct:
                some = np.unique(codes[kept])[:distinct]
                made.seen = {held.values[code] for code in some} if isinstance(held, Category) else set(some.tolist())
            found = _merged(found, {period: made}, few, distinct)
        start += len(held)
    return found


def _periods(times: Any, per: str) -> tuple[Any, list[Any]]:
    """Return the periods that occur, and the ascending places of each one's rows; rows without a time are left out."""
    import numpy as np

    moments = microseconds(times)
    there = np.flatnonzero(~missing(times))
    periods = moments[there] // PERIODS[per]
    order = np.argsort(periods, kind="stable")
    distinct, first = np.unique(periods[order], return_index=True)
    return distinct, np.split(there[order], first[1:]) if len(distinct) else []
