"""Bytes of text files: opened, unpacked, and looked at before they are parsed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelway import DataError, ModelwayError
from modelway_files.file import File

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of a block: what is parsed, and inferred from, at a time.
BLOCK = 1 << 23
#: Rows of the batches that are handed on.
ROWS = 65_536
_HEAD = 1 << 20
_MAGIC = {b"PAR1": "parquet", b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip archive or a spreadsheet", b"SQLite": "SQLite",
          b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"ARROW1": "an Arrow file", b"ORC": "ORC"}  # fmt: skip


@contextmanager
def opened(file: File, packed: bool) -> Iterator[pa.NativeFile]:
    """Open a file as a stream of unpacked bytes, and explain what goes wrong while it is read.

    Raises:
        DataError: the file cannot be read, or its gzip stream is cut short or corrupt.
    """
    import pyarrow as pa

    try:
        with file.open() as raw:
            stream = pa.PythonFile(raw, mode="r")
            yield pa.CompressedInputStream(stream, "gzip") if packed else stream
    except ModelwayError:
        raise
    except (pa.ArrowException, OSError) as error:
        said = str(error)
        if packed and "header check" in said:
            raise _unlike(file, "gzip", "something else") from None
        if packed and ("Truncated" in said or "inflate" in said):
            raise DataError(f"The gzip file is cut short or corrupt: {said}", where=file.name,
                            mend="Fetch or write it again") from None  # fmt: skip
        raise DataError(f"The file cannot be read: {said}", where=file.name) from None


def head(file: File, packed: bool, what: str) -> bytes:
    """Return the first bytes, having seen that they can be text of the format ``what``.

    Raises:
        DataError: the file is empty, or is not what its suffix or ``source.format`` says.
    """
    with opened(file, packed) as stream:
        start: bytes = stream.read(_HEAD)
    if not start.strip():
        raise DataError("The file is empty", where=file.name)
    is_really = next((name for sign, name in _MAGIC.items() if start.startswith(sign)), None)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if is_really is None and text[:256].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        is_really = "a web page or XML"
    if is_really is None and what == "CSV" and text.startswith((b'{"', b'[{"')):
        is_really = "JSON"
    if is_really is None and what == "JSON lines" and not text.startswith(b"{"):
        is_really = "one JSON array" if text.startswith(b"[") else "text of another kind"
    if is_really is None and b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        is_really = "binary"
    if is_really is not None:
        raise _unlike(file, what, is_really)
    return start


def _unlike(file: File, what: str, is_really: str) -> DataError:
    return DataError(
        f"The file is not {what}: it holds {is_really}", where=file.name, mend="Set source.format to what it is"
    )


def gathered(batches: Iterable[Any]) -> Iterator[pa.Table]:
    """Yield batches of about ``ROWS`` rows each, joined from smaller ones."""
    import pyarrow as pa

    held: list[pa.Table] = []
    for batch in batches:
        held.append(batch)
        if sum(table.num_rows for table in held) >= ROWS:
            yield pa.concat_tables(held).combine_chunks()
            held = []
    if held:
        yield pa.concat_tables(held).combine_chunks()
