"""Times: the moment that data is looked at, durations, and the days and hours that rows fall into."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from modelway import ConfigError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MICROSECONDS = 1_000_000
#: Microseconds of a period that rows are counted by.
PERIODS: dict[str, int] = {"hour": 3600 * _MICROSECONDS, "day": 86_400 * _MICROSECONDS}
TODAY = "today"


@dataclass(frozen=True)
class Moment:
    """When data is looked at, in microseconds since 1970, UTC.

    Attributes:
        at: The moment; of a date, its start.
        until: The end of what the moment may hold: of a date, the end of that day.
        text: In words.
    """

    at: int
    until: int
    text: str

    @classmethod
    def of(cls, text: str, where: str) -> Moment:
        """Read a date (``2024-06-30``), the hour of one (``2024-06-30T14``), or a time in ISO form.

        Raises:
            ConfigError: it is none.
        """
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            raise ConfigError(
                f"'{text}' is no moment", where=where, mend="Write a date such as 2024-06-30, or 'today'"
            ) from None
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
        at = round(when.timestamp()) * _MICROSECONDS
        spans = {10: PERIODS["day"], 13: PERIODS["hour"]}
        return cls(at, at + spans.get(len(text), 1), text.replace("T", " "))


def today(*, hourly: bool = False) -> str:
    """Return today's date, UTC, with the hour where that matters, as ``Moment.of`` reads it."""
    return datetime.now(UTC).isoformat()[: 13 if hourly else 10]


def duration(given: int | str, where: str) -> int:
    """Return the seconds of a duration: ``2`` (days), ``36h``, ``30min``, ``90s``, ``2w``.

    Raises:
        ConfigError: it is none.
    """
    found = re.fullmatch(r"\s*(\d+)\s*(s|min|h|d|w)?\s*", str(given))
    if found is None or isinstance(given, bool):
        raise ConfigError(
            f"'{given}' is no duration", where=where, mend="Write days, such as 2, or 90s, 30min, 36h, 2w"
        )
    return int(found[1]) * _SECONDS[found[2] or "d"]


def microseconds(column: Any) -> Array:
    """Return times as microseconds since 1970, int64 of shape (rows,); missing is the smallest number."""
    times: Array = column.astype("datetime64[us]").astype("int64")
    return times


def missing_time() -> int:
    """Return what stands for a missing time."""
    return -(2**63)


def named(period: int, per: str) -> str:
    """Return a period's name: ``2024-06-30``, or ``2024-06-30 14h``."""
    import numpy as np

    text = str(np.datetime64(period * PERIODS[per], "us"))
    return f"{text[:10]} {text[11:13]}h" if per == "hour" else text[:10]


def shown(time: int) -> str:
    """Return a time in microseconds as text, without fractions, seconds, or hours that are zero."""
    import numpy as np

    text = str(np.datetime64(time, "us"))
    return text.replace("T", " ").removesuffix(".000000").removesuffix(":00").removesuffix(" 00:00")


def lasting(seconds: float) -> str:
    """Return a duration in words: ``3 days``, ``5 hours``."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            number = round(seconds / size, 1)
            return f"{number:g} {unit}{'' if number == 1 else 's'}"
    return f"{seconds:g} seconds"


def spans(periods: list[int], per: Literal["day", "hour"]) -> list[str]:
    """Return ascending periods as text, those that follow one another as one: ``2024-06-02 to 2024-06-05``."""
    runs: list[list[int]] = []
    for period in periods:
        if runs and period == runs[-1][1] + 1:
            runs[-1][1] = period
        else:
            runs.append([period, period])
    return [named(a, per) if a == b else f"{named(a, per)} to {named(b, per)}" for a, b in runs]
