"""Durations as they are written in configuration: whole days, or a number with its unit."""

from __future__ import annotations

import re

from modelway import ConfigError

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(given: int | str, where: str, *, zero: bool = False) -> int:
    """Return the seconds of a duration: ``7`` (days), ``36h``, ``90s``, ``30min``, ``2w``.

    Args:
        given: The duration.
        where: Its key, for messages.
        zero: Whether it may be nothing at all.

    Raises:
        ConfigError: it is none, or it is not positive: a window may not reach into the future.
    """
    found = re.fullmatch(r"\s*(-?\d+)\s*(s|min|h|d|w)?\s*", str(given))
    if found is None or isinstance(given, bool):
        raise ConfigError(
            f"'{given}' is no duration", where=where, mend="Write days, such as 7, or 90s, 30min, 36h, 2w"
        )
    value = int(found[1]) * _SECONDS[found[2] or "d"]
    if value < 0 or (value == 0 and not zero):
        raise ConfigError(
            f"The duration '{given}' is {'negative' if value < 0 else 'zero'}: a row would see what is not known yet",
            where=where,
            mend="Give a positive duration",
        )
    return value


def named(given: int | str) -> str:
    """Return a duration as it stands in a column's name: ``7d``, ``36h``."""
    text = str(given).replace(" ", "")
    return f"{text}d" if text.isdigit() else text
