"""Ranges of the increment column: days or numbers, cut at the same places on every run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from modelway import ConfigError, DataError

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Ranges:
    """How values of an increment column are counted, and written in a query.

    Attributes:
        sample: A value of the column: a whole number, a time, a date, or a time as ISO text.
        every: Length of a range in numbers or days.
        column: Name of the column, for messages.
    """

    sample: Any
    every: int
    column: str

    @property
    def numeric(self) -> bool:
        """Whether values are numbers, not times."""
        return not isinstance(self.sample, (str, date))

    def place(self, value: Any) -> int:
        """Return the number, or the day since 1970, of a value.

        Raises:
            DataError: the value is neither.
        """
        try:
            if self.numeric:
                return int(value)
            if isinstance(value, str):
                value = datetime.fromisoformat(value)
            day = value.date() if isinstance(value, datetime) else value
            return int((day - _EPOCH).days)
        except (TypeError, ValueError, AttributeError):
            raise DataError(
                f"The increment '{self.column}' holds {str(value)[:40]!r}, which is neither a number nor a time",
                where="source.increment",
                mend="Name a column of whole numbers, dates or times",
            ) from None

    def bound(self, place: int) -> Any:
        """Return the value at a place, as the column's values are compared in a query."""
        if self.numeric:
            return place
        day = _EPOCH + timedelta(days=place)
        if isinstance(self.sample, str):
            return day.isoformat()  # of texts, a day comes before each of its times
        if not isinstance(self.sample, datetime):
            return day
        return datetime(day.year, day.month, day.day, tzinfo=self.sample.tzinfo)

    def edge(self, value: str | int, key: str) -> int:
        """Return the place of a configured edge.

        Raises:
            ConfigError: it is not of the column's kind.
        """
        try:
            return int(value) if self.numeric else (date.fromisoformat(str(value)) - _EPOCH).days
        except ValueError:
            need = "a whole number" if self.numeric else "a day, such as 2026-01-31"
            raise ConfigError(
                f"'{value}' must be {need}, as column '{self.column}' is", where=f"source.{key}"
            ) from None

    def cut(self, first: int, last: int, since: int | None, behind: int | None) -> Iterator[tuple[Any, Any]]:
        """Yield the first value and the value behind the last of each range, as they are compared in a query.

        Ranges begin at multiples of ``every``, and end there too although the newest row comes before: what comes in
        later belongs to the same range.

        Args:
            first: Place of the smallest value that there is.
            last: Place of the largest.
            since: Place before which no range reaches, or None.
            behind: Place that no range goes beyond, or None.
        """
        for start in range(first - first % self.every, last + 1, self.every):
            stop = start + self.every
            low, high = start if since is None else max(start, since), stop if behind is None else min(stop, behind)
            yield self.bound(low), self.bound(high)
