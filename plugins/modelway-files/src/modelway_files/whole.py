"""Parquet files, kept as they are: no row is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelway import DataError, Part, Run
from modelway_files.file import File
from modelway_files.kinds import keyed

if TYPE_CHECKING:
    import pyarrow as pa


def keep(file: File, run: Run) -> tuple[pa.Schema, Sequence[Part]]:
    """Return a file's schema, and the part that holds it byte for byte; a declared key is added as a column.

    Raises:
        DataError: the file is empty, cut short or not parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(file.place)
    if not path.stat().st_size:
        raise DataError("The file is empty", where=file.name)
    try:
        schema = pq.read_metadata(path).schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"The file is not parquet, or is cut short: {str(error).rstrip('.')}",
            where=file.name,
            mend="Write it again, or set source.format to what it is",
        ) from None
    add = keyed(file, run.schema, schema.names)
    if add is None:
        return schema, [run.keep(path)]
    made = run.table(add(batch) for batch in _batches(path, schema))
    return add(schema.empty_table()).schema, made.parts


def _batches(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield schema.empty_table()
        for batch in file.iter_batches():
            yield pa.Table.from_batches([batch])
