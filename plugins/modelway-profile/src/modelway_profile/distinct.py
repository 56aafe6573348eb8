"""Number of distinct values: exact up to a bound, then estimated from the smallest hashes.

The k smallest hashes of a set do not depend on the order or the grouping in which its members came, so the estimate of
a union is exactly the estimate that one pass over all rows gives (Bar-Yossef and others, "Counting distinct elements
in a data stream", 2002). Apache DataSketches' sketches take one value a call from Python: twenty columns of a million
rows take ten seconds there, and half a second here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelway_profile.packing import pack, unpack

if TYPE_CHECKING:
    from modelway_profile.packing import Array

#: Hashes kept: fewer distinct values than this are counted exactly.
KEPT = 4096
#: Standard error of the estimate beyond, relative: 1 / sqrt(KEPT - 2).
ERROR = (KEPT - 2) ** -0.5
# Characters up to which texts are hashed as an array: a longer one would widen every row of it
_SHORT = 64


@dataclass(frozen=True)
class Distinct:
    """The smallest hashes of the values seen, sorted; shape (at most KEPT,)."""

    hashes: Array

    @classmethod
    def of(cls, hashes: Array) -> Distinct:
        """Summarise the hashes of a batch's values, of which some may be equal."""
        import numpy as np

        if len(hashes) > 4 * KEPT:
            # most cannot be among the smallest: cut at twice the share that should do, and look again if it did not
            below = hashes[hashes < np.uint64(int(2.0**64 * min(1.0, 2 * KEPT / len(hashes))) - 1)]
            found = _sorted(below)
            if len(found) >= KEPT:
                return cls(found[:KEPT])
        return cls(_sorted(hashes)[:KEPT])

    def merge(self, later: Distinct) -> Distinct:
        """Return the summary of both."""
        import numpy as np

        return Distinct(_sorted(np.concatenate([self.hashes, later.hashes]))[:KEPT])

    @property
    def exact(self) -> bool:
        """Whether the number is exact."""
        return len(self.hashes) < KEPT

    def count(self) -> int:
        """Return the number of distinct values; (k - 1) / (the k-th smallest hash as a fraction) once estimated."""
        if self.exact:
            return len(self.hashes)
        return round((KEPT - 1) / ((int(self.hashes[-1]) + 1) / 2.0**64))

    def plain(self) -> str:
        """Return the hashes as text."""
        return pack(self.hashes, "<u8")

    @classmethod
    def restore(cls, text: str) -> Distinct:
        """Read what ``plain`` wrote."""
        return cls(unpack(text, "<u8"))


def hash_numbers(values: Array) -> Array:
    """Hash integers or floats; equal numbers have equal hashes whatever their type, whole numbers up to 2**63."""
    import numpy as np

    if values.dtype.kind == "f":
        floats = values.astype(np.float64, copy=False)
        small = np.abs(floats) < 2.0**62
        whole = np.where(small, floats, 0.0).astype(np.int64)
        bits = np.where(small & (whole == floats), whole, (floats + 0.0).view(np.int64) ^ np.int64(1 << 62))
    else:
        bits = values.astype(np.int64)
    return _mixed(bits.view(np.uint64))


def hash_texts(values: Sequence[str]) -> Array:
    """Hash texts; the hash does not depend on what other texts are hashed with it."""
    import hashlib

    import numpy as np

    made = np.zeros(len(values), dtype=np.uint64)
    short = np.fromiter((len(value) <= _SHORT for value in values), dtype=bool, count=len(values))
    for i in np.flatnonzero(~short).tolist():
        made[i] = int.from_bytes(hashlib.blake2b(values[i].encode(), digest_size=8).digest(), "little")
    words = np.asarray([value for value in values if len(value) <= _SHORT], dtype=np.str_)
    if len(words):
        width = words.dtype.itemsize // 4
        letters = words.view(np.uint32).reshape(len(words), width).astype(np.uint64)
        total = np.zeros(len(words), dtype=np.uint64)
        for place in range(width):
            letter = letters[:, place]
            salt = np.uint64((place + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1)
            total += np.where(letter > 0, _mixed(letter ^ salt), np.uint64(0))  # padding adds nothing
        made[short] = _mixed(total)
    return made


def _sorted(hashes: Array) -> Array:
    """Return the distinct hashes, sorted; numpy's ``unique`` takes three times as long over 64-bit integers."""
    import numpy as np

    hashes = np.sort(hashes)
    return hashes[np.concatenate([[True], hashes[1:] != hashes[:-1]])] if len(hashes) else hashes


def _mixed(bits: Array) -> Array:
    """Return well-mixed 64-bit numbers: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    import numpy as np

    z = bits + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
