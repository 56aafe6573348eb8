"""Parquet files, kept as they are: no row is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelway import DataError, Part, Run, Table, nearest
from modelway_files.locate import File

if TYPE_CHECKING:
    import pyarrow as pa


def keep(files: Sequence[File], run: Run, about: dict[str, Any]) -> Table:
    """Return the table whose parts are the files.

    Raises:
        DataError: a file that is empty, cut short or not parquet, or whose columns differ from the first file's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    first: pa.Schema | None = None
    parts: list[Part] = []
    for done, file in enumerate(files, 1):
        with file.local(run) as path:
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
            if first is None:
                first = schema
            _agree(first, schema, files[0].name, file.name)
            parts.append(run.keep(path))
        run.progress("files", done, len(files))
    assert first is not None
    columns = tuple((name, str(kind)) for name, kind in zip(first.names, first.types, strict=True))
    return Table(columns, tuple(part for part in parts if part.rows), run.blobs, about)


def _agree(first: pa.Schema, schema: pa.Schema, one: str, name: str) -> None:
    twice = next((column for column in schema.names if schema.names.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"Column '{twice}' occurs twice", where=name)
    for a, b, here, there in ((first, schema, name, one), (schema, first, one, name)):
        for column in a.names:
            if column not in b.names:
                raise DataError(
                    f"{here} has no column '{column}', which {there} has",
                    where=here,
                    mend=nearest(column, set(b.names) - set(a.names)),
                )
    for column in first.names:
        was, now = _kind(first.field(column).type), _kind(schema.field(column).type)
        if was != now:
            raise DataError(
                f"Column '{column}' is {now} in {name}, and {was} in {one}",
                where=name,
                mend="Write every file with one type for the column",
            )


def _kind(kind: pa.DataType) -> str:
    """Name a type; the width of a dictionary's codes does not matter."""
    import pyarrow as pa

    return f"dictionary of {kind.value_type}" if pa.types.is_dictionary(kind) else str(kind)
