"""Arrays as text, so that a profile stays plain JSON and merges to the last bit after it was read back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


def pack(array: Array, kind: str) -> str:
    """Return an array's bytes in base64; ``kind`` is a little-endian numpy type such as ``<f8``."""
    return b64encode(array.astype(kind, copy=False).tobytes()).decode()


def unpack(text: str, kind: str) -> Array:
    """Return the array that ``pack`` wrote, in the machine's own byte order."""
    import numpy as np

    found = np.frombuffer(b64decode(text), dtype=kind)
    return found.astype(found.dtype.newbyteorder("="), copy=False)
