"""Buckets of entities, and the columns that go into and come out of windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway import DataError, Table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array: TypeAlias = np.ndarray[Any, Any]

#: Rows of a bucket, about: small enough for a processor's cache, and many enough to share among workers.
BUCKET_ROWS, MOST_BUCKETS = 2**17, 256
#: A missing time, as a whole number.
NAT = -(2**63)


def buckets(rows: int) -> int:
    """Return how many buckets a table's entities are hashed into: it depends on the number of rows alone."""
    count = 1
    while count < MOST_BUCKETS and rows > count * BUCKET_ROWS:
        count *= 2
    return count


def bucket_of(distinct: pa.Array, count: int) -> Array:
    """Return the bucket of each entity, shape (entities,), -1 for the missing one; equal values, equal buckets."""
    import zlib

    import numpy as np
    import pyarrow as pa

    if pa.types.is_integer(distinct.type) or pa.types.is_boolean(distinct.type):
        whole = distinct.cast(pa.uint8() if pa.types.is_boolean(distinct.type) else distinct.type)
        numbers = np.asarray(whole.fill_null(0)).astype(np.uint64)
        numbers = (numbers ^ (numbers >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing
        mixed = (numbers >> np.uint64(40)).astype(np.int64)
    else:
        texts = distinct.cast(pa.string()) if not pa.types.is_string(distinct.type) else distinct
        mixed = np.asarray([zlib.crc32((text or "").encode()) >> 8 for text in texts.to_pylist()], dtype=np.int64)
    found = (mixed % count).astype(np.int16)
    found[np.asarray(distinct.is_null())] = -1
    return found


#: Units of time in a second.
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def unit_of(table: Table, time: str) -> str:
    """Return the numpy unit of a column of times; that of dates is the second.

    Raises:
        DataError: the column holds no times.
    """
    kind = dict(table.columns)[time]
    if kind.startswith("timestamp["):
        return kind[len("timestamp[") :].split("]")[0].split(",")[0]
    if kind.startswith("date32"):
        return "s"
    if kind.startswith("date64"):
        return "ms"
    raise DataError(f"The column '{time}' holds {kind}, not times", where="time", mend="Cast it to timestamp first")


def rows_of(data: Mapping[str, Any], rows: Array) -> dict[str, Any]:
    """Return some rows of what ``Windows.read`` gives, entities aside."""
    return {
        "times": data["times"][rows],
        "values": [column[rows] for column in data["values"]],
        "label": None if data["label"] is None else data["label"][rows],
    }


def arrow_of(columns: Mapping[str, Array]) -> dict[str, pa.Array]:
    """Return new columns as arrow arrays: -1 and NaN are missing."""
    import numpy as np
    import pyarrow as pa

    gone = {name: np.isnan(c) if c.dtype.kind == "f" else c < 0 for name, c in columns.items()}
    return {name: pa.array(column, mask=gone[name] if gone[name].any() else None) for name, column in columns.items()}
