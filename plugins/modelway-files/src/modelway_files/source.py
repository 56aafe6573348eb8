"""The source ``files``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from modelway import ConfigError, DataError, Part, Run, Source, Table, param
from modelway_files.file import File
from modelway_files.locate import find

if TYPE_CHECKING:
    import pyarrow as pa

#: Format by the suffix of a file's name.
SUFFIXES = {
    ".csv": "csv", ".csv.gz": "csv.gz", ".tsv": "tsv", ".tsv.gz": "tsv.gz", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".jsonl.gz": "jsonl.gz", ".ndjson": "jsonl", ".ndjson.gz": "jsonl.gz",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Files(Source, name="files"):
    """CSV, TSV, JSON lines and parquet files, local or at any URL that fsspec knows, as one table.

    Local paths start from the workspace; a path may be a file, a glob (``data/part-*.csv``, ``data/**/*.parquet``) or a
    folder. Rows come in the order of the list, and sorted by name within a glob or folder. Credentials of remote file
    systems come from their usual environment variables or from fsspec's own configuration (``FSSPEC_S3_KEY``).

    A path with a key in braces is partitioned: ``payments/day={day}/*.parquet``, ``https://host/{month}.csv``.
    ``since`` and ``until`` take a range of the key, both ends included; ``2026-01`` means all days of that month. Each
    file becomes parts of its own, and what an earlier run made of a file is used again, so that a longer range reads
    the new files only. The key is a column where the schema declares one of its name. Web addresses cannot be listed:
    there the range itself tells the days, months or numbers to fetch.

    A remote file is identified by what its server declares: an ETag, a checksum, or a time with the size. While that
    stays the same, planning asks for the metadata alone, and the file is not fetched again. Where a server declares
    nothing, each plan reads the whole file to see whether it changed, and the run's log names it (``unidentified``).

    Parquet files are kept as they are, so all must have the same columns and types. Columns of the other
    formats get the type that the schema declares (``category`` and ``string`` are text, ``integer`` int64, ``number``
    float64, ``timestamp`` microseconds), and undeclared ones the type that their rows suggest. A class that is
    written as a number is an ``integer`` with ``values``.

    In CSV an empty field is missing, and so is each of ``missing``; other words, such as ``NA``, are not guessed.
    In JSON lines null or an absent field is missing, and undeclared fields with nested values are left out.
    """

    libraries = ("pyarrow",)

    path: str | tuple[str, ...] = param(..., "Path, glob, folder or URL of the files, or a list of them.")
    format: Literal["auto", "csv", "csv.gz", "tsv", "tsv.gz", "parquet", "jsonl", "jsonl.gz"] = param(
        "auto", "Format of the files; auto tells it from the suffix."
    )
    missing: tuple[str, ...] = param((), "Texts that stand for a missing value in CSV and TSV, besides nothing at all.")
    delimiter: str = param("", "Character between fields; empty means a comma for CSV and a tab for TSV.")
    encoding: str = param("utf-8", "Encoding of CSV and TSV files.")
    since: str | int | None = param(None, "First value to take of the key in a partitioned path; null means the first.")
    until: str | int | None = param(None, "Last value to take of the key in a partitioned path; null means the last.")

    def version(self, run: Run) -> str:
        """Identify the files by name and content, reading none that did not change.

        Raises:
            DataError: nothing matches, or a file cannot be reached.
        """
        files = self._files(run)
        facts = [[file.label, identity] for file, identity in zip(files, _identities(files, run), strict=True)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def load(self, run: Run) -> Table:
        """Load the files as one table.

        Raises:
            DataError: nothing matches, or a file is empty, cut short, not what its suffix says, or has a column of
                another type; names file, column and, where possible, row.
        """
        files = self._files(run)
        formats = {file.name: self._format(file.name) for file in files}
        odd = next((name for name, kind in formats.items() if kind != formats[files[0].name]), None)
        if odd is not None:
            raise DataError(
                f"The files are of two formats: {files[0].name} is {formats[files[0].name]}, {odd} is {formats[odd]}",
                where="source.path",
                mend="Load them as two sources, or narrow the path",
            )
        kind = formats[files[0].name]
        about = self._about(files, run)
        partitioned = any(file.key for file in files)
        table = self._pieces(files, kind, run, about) if kind == "parquet" or partitioned else None
        if table is None:
            table = self._stream(files, kind, run, about)
        if not table.rows:
            raise _no_rows(files)
        return table

    def _files(self, run: Run) -> list[File]:
        paths = (self.path,) if isinstance(self.path, str) else self.path
        if not paths:
            raise ConfigError("The list of paths is empty", where="source.path")
        known = [suffix for suffix, kind in SUFFIXES.items() if self.format in ("auto", kind)]
        return find(paths, run, known, self.since, self.until)

    def _about(self, files: Sequence[File], run: Run) -> dict[str, Any]:
        remote = [file for file in files if file.fs is not None]
        unidentified = [file.name for file in remote if file.declared() is None]
        if unidentified:
            run.log("unidentified", unidentified[:20])
        known = {file.label: file.identity(run) for file in files if file.name not in unidentified}
        values = sorted({file.value for file in files if file.key})
        span = {"partition": {"key": files[0].key, "first": values[0], "last": values[-1]}} if values else {}
        return {"files": known, **span}

    def _pieces(self, files: Sequence[File], kind: str, run: Run, about: dict[str, Any]) -> Table | None:
        """Return the table of a part per file, or None where files differ in the types that their rows suggest."""
        from modelway_files.pieces import alike, joined, piece
        from modelway_files.whole import keep

        def make(file: File) -> tuple[Any, Sequence[Part]]:
            if kind == "parquet":
                return keep(file, run)
            return self._converted(file, kind, run)

        pieces = []
        types = {name: column.type for name, column in run.schema.columns.items()}
        for done, file in enumerate(files, 1):
            own = [file.key, file.value] if file.key in types else []
            how = [] if kind == "parquet" else [types, list(self.missing), self.delimiter, self.encoding]
            pieces.append(piece(file, [kind, own, how], run, make))
            run.progress("files", done, len(files))
        read = sum(found.read for found in pieces)
        run.log("files", {"read": read, "reused": len(pieces) - read})
        if kind != "parquet" and not alike(pieces):
            return None
        return joined(pieces, run, about)

    def _converted(self, file: File, kind: str, run: Run) -> tuple[Any, Sequence[Part]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            made = self._stream([file], kind, run, {})
        except _EmptyError:
            return pa.schema([]), []
        return pq.read_schema(run.blobs.open(made.parts[0].digest)), made.parts

    def _format(self, name: str) -> str:
        if self.format != "auto":
            return self.format
        plain = urlsplit(name).path.lower() if "://" in name else name.lower()
        suffix = max((s for s in SUFFIXES if plain.endswith(s)), key=len, default=None)
        if suffix is None:
            raise ConfigError(
                f"The suffix of '{name}' does not tell its format",
                where="source.format",
                mend="Set source.format to one of " + ", ".join(dict.fromkeys(SUFFIXES.values())),
            )
        return SUFFIXES[suffix]

    def _stream(self, files: Sequence[File], kind: str, run: Run, about: dict[str, Any]) -> Table:
        from modelway_files.kinds import Kinds, RetypeError
        from modelway_files.stream import gathered

        files = [file.had(run) for file in files]
        kinds = Kinds(run.schema)
        while True:
            try:
                table = run.table(gathered(self._batches(files, kind, kinds, run)), about)
            except RetypeError:
                continue
            if kinds.nested:
                run.log("left_out", sorted(kinds.nested))
            return table

    def _batches(self, files: Sequence[File], kind: str, kinds: Any, run: Run) -> Iterator[pa.Table]:
        from modelway_files.delimited import Delimited
        from modelway_files.kinds import keyed
        from modelway_files.lines import Lines

        name, _, packed = kind.partition(".")
        delimiter = self.delimiter or ("\t" if name == "tsv" else ",")
        if len(delimiter) != 1:
            raise ConfigError(f"A delimiter is one character, and this is {delimiter!r}", where="source.delimiter")
        reader = Lines(kinds) if name == "jsonl" else Delimited(kinds, delimiter, self.missing, self.encoding)
        found = False
        for done, file in enumerate(files, 1):
            add = keyed(file, run.schema, ())
            for batch in reader.batches(file, bool(packed)):
                found = True
                yield batch if add is None or file.key in batch.column_names else add(batch)
            run.progress("files", done, len(files))
        if not found:
            raise _no_rows(files)


def _identities(files: Sequence[File], run: Run) -> list[str]:
    """Return each file's identity; those that a server must be asked for are asked for side by side."""
    asked = [file for file in files if file.fs is not None and file.info is None]
    if len(asked) > 1:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(File.declared, asked))
    return [file.identity(run) for file in files]


class _EmptyError(DataError):
    """Files that are as they should be, and hold no rows."""


def _no_rows(files: Sequence[File]) -> DataError:
    return _EmptyError("The files hold no rows", where=", ".join(file.name for file in files)[:200])
