"""What every record is stamped with: an id, a time, and who acted."""

from __future__ import annotations

import getpass
import os
import secrets
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: ids are read aloud


def new_id() -> str:
    """Return a short id that sorts by time: eight characters of milliseconds, two of chance."""
    stamp, text = int(time.time() * 1000) & (2**40 - 1), ""
    for _ in range(8):
        text, stamp = _ALPHABET[stamp & 31] + text, stamp >> 5
    return text + "".join(secrets.choice(_ALPHABET) for _ in range(2))


def now() -> str:
    """Return the UTC time in ISO form, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def actor() -> str:
    """Return who acts: ``MODELWAY_ACTOR``, or the user's login name."""
    told = os.environ.get("MODELWAY_ACTOR")
    if told:
        return told
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
