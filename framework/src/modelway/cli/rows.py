"""Rows that a command writes: CSV or parquet, by suffix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modelway.errors import DataError


def check(path: Path) -> None:
    """Check, before any work is done for it, that rows can be written to a file of that name.

    Raises:
        DataError: it ends in neither .csv nor .parquet.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise DataError(f"The output {path} is neither .csv nor .parquet")


def write(batches: Iterable[Any], path: Path) -> int:
    """Write arrow tables to a CSV or parquet file, whole or not at all; returns the number of rows.

    Raises:
        DataError: the file ends otherwise, or cannot be written.
    """
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    check(path)
    rows, writer, aside = 0, None, path.with_name(f".{path.name}.part")
    kind = csv.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
    try:
        for batch in batches:
            writer = writer or kind(aside, batch.schema)
            writer.write_table(batch)
            rows += batch.num_rows
        if writer is None:
            raise DataError("There are no rows to write", where=str(path))
        writer.close()
        aside.replace(path)
    except OSError as error:
        raise DataError(f"The output cannot be written: {error.strerror or error}", where=str(path)) from None
    finally:
        aside.unlink(missing_ok=True)
    return rows
