"""Partitioned paths: ``payments/day={day}/*.parquet`` holds the rows of each day apart, and a range takes some."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from modelway import ConfigError

_KEY = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True)
class Partition:
    """The key in a path, and the range of its values to take.

    Attributes:
        key: Name of the key.
        path: The path with the key in braces.
        since: Smallest value to take, or None; a shorter text means all that begin with it: 2026-01 is a month of days.
        until: Largest value to take, or None.
    """

    key: str
    path: str
    since: str | None
    until: str | None

    @classmethod
    def of(cls, path: str, since: str | int | None, until: str | int | None) -> Partition | None:
        """Return the partition of a path, or None where it has no key.

        Raises:
            ConfigError: several keys, a range without a key, or a range that ends before it begins.
        """
        keys = list(dict.fromkeys(_KEY.findall(path)))
        if len(keys) > 1:
            raise ConfigError(f"The path has several keys: {', '.join(keys)}", where="source.path", mend="Keep one")
        if not keys:
            if since is not None or until is not None:
                raise ConfigError(
                    "A range needs a partitioned path, and this one has no key",
                    where="source.path",
                    mend="Write the key in braces, as in data/day={day}/*.parquet",
                )
            return None
        first, last = (None if edge is None else str(edge) for edge in (since, until))
        if first is not None and last is not None and _order(last, first) < 0:
            raise ConfigError(f"The range ends at {last}, before it begins at {first}", where="source.until")
        return cls(keys[0], path, first, last)

    @property
    def glob(self) -> str:
        """The path as a glob."""
        return _KEY.sub("*", self.path)

    def value(self, place: str) -> str | None:
        """Return the key's value in a path that the glob matched, which may have more in front, or None."""
        found = re.search(self._pattern, place)
        return found[self.key] if found else None

    @property
    def _pattern(self) -> str:
        # What stands before the key's own folder may be written in another way: a symlink, a bucket, a drive.
        before, _, after = self.path.partition("{" + self.key + "}")
        after = after.replace("{" + self.key + "}", f"(?P={self.key})")
        tail = _translate(after, self.key)
        return f"(?:^|/){_translate(before.rpartition('/')[2], self.key)}(?P<{self.key}>[^/]+){tail}$"

    def holds(self, value: str) -> bool:
        """Return whether a value lies in the range."""
        return (self.since is None or _order(value, self.since) >= 0) and (
            self.until is None or _order(value, self.until) <= 0
        )

    def every(self) -> Iterator[tuple[str, str]]:
        """Yield each value of the range and its path, for places that cannot be listed: days, months or numbers.

        Raises:
            ConfigError: no range, or one of other values.
        """
        for value in _steps(self.since, self.until):
            yield value, _KEY.sub(value, self.path)


def _translate(glob: str, key: str) -> str:
    group = f"(?P={key})"
    pieces = (re.escape(piece) for piece in glob.split(group))
    text = group.join(pieces)
    return text.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


def _order(value: str, edge: str) -> int:
    """Compare a value with an edge: numbers as numbers, text as text, of which the edge may give the beginning."""
    try:
        a, b = int(value), int(edge)
    except ValueError:
        cut = value[: len(edge)]
        return (cut > edge) - (cut < edge)
    return (a > b) - (a < b)


def _steps(since: str | None, until: str | None) -> Iterator[str]:
    wrong = ConfigError(
        "Files at this address cannot be listed: their names follow from a range of days, months or numbers",
        where="source.since, source.until",
        mend="Set both, as in source.since=2026-01-01 source.until=2026-01-31",
    )
    if since is None or until is None or len(since) != len(until):
        raise wrong
    if since.isdigit() and until.isdigit():
        yield from (str(number).zfill(len(since)) for number in range(int(since), int(until) + 1))
        return
    try:
        whole = len(since) == len("2026-01-01")
        day, last = (date.fromisoformat(edge if whole else f"{edge}-01") for edge in (since, until))
    except ValueError:
        raise wrong from None
    while day <= last:
        yield day.isoformat() if whole else day.isoformat()[:7]
        day += timedelta(days=1) if whole else timedelta(days=32 - day.day)
        day = day if whole else day.replace(day=1)
