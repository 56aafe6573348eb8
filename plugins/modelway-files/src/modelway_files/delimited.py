"""CSV and TSV files, streamed."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from modelway import ConfigError, DataError, nearest
from modelway_files.file import File
from modelway_files.kinds import Kinds, RetypeError
from modelway_files.stream import BLOCK, head, opened

if TYPE_CHECKING:
    import pyarrow as pa

_CONVERSION = re.compile(r"In CSV column #(\d+): Row #(\d+): CSV conversion error to ([^:]+): (.*)", re.DOTALL)
_SHAPE = re.compile(r"CSV parse error: (?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")


@dataclass
class Delimited:
    """Reads delimited files as one stream of batches with the first file's columns."""

    kinds: Kinds
    delimiter: str
    missing: tuple[str, ...]
    encoding: str
    columns: tuple[str, ...] = ()
    first: str = field(default="", init=False)

    def batches(self, file: File, packed: bool) -> Iterator[pa.Table]:
        """Yield a file's rows.

        Raises:
            DataError: naming file, column and row.
            RetypeError: a column needs a wider type; read every file again.
        """
        import pyarrow as pa

        names = self._header(file, packed)
        with opened(file, packed) as stream:
            try:
                reader = self._reader(stream, names)
            except pa.ArrowInvalid as error:
                self._explain(error, names, file)
            self._infer(reader.schema, file)
            try:
                for batch in reader:
                    yield pa.Table.from_batches([batch]).select(self.columns)
            except pa.ArrowInvalid as error:
                self._explain(error, names, file)

    def _header(self, file: File, packed: bool) -> list[str]:
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ConfigError(f"No encoding is called '{self.encoding}'", where="source.encoding") from None
        text = head(file, packed, "CSV").decode(self.encoding, errors="replace").removeprefix("\ufeff")
        names = next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=self.delimiter))
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"Column '{twice}' occurs twice in the header", where=file.name)
        if not self.columns:
            self.columns, self.first = tuple(names), file.name
        for have, need, here, there in ((names, self.columns, file.name, self.first),
                                        (self.columns, names, self.first, file.name)):  # fmt: skip
            gone = next((name for name in need if name not in have), None)
            if gone is not None:
                raise DataError(
                    f"{here} has no column '{gone}', which {there} has",
                    where=file.name,
                    mend=nearest(gone, set(have) - set(need)),
                )
        return names

    def _reader(self, stream: pa.NativeFile, names: list[str]) -> pa.RecordBatchReader:
        import pyarrow.csv as pc

        # One thread: two are no faster here, and only one tells the row of a bad value.
        read = pc.ReadOptions(block_size=BLOCK, use_threads=False, encoding=self.encoding)
        parse = pc.ParseOptions(delimiter=self.delimiter, newlines_in_values=True)
        convert = pc.ConvertOptions(
            column_types={name: kind for name in names if (kind := self.kinds.of(name)) is not None},
            null_values=["", *self.missing],
            strings_can_be_null=True,
        )
        return pc.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert)

    def _infer(self, schema: pa.Schema, file: File) -> None:
        import pyarrow.types as pt

        again = False
        for name in schema.names:
            if self.kinds.of(name) is None:
                kind = schema.field(name).type
                if pt.is_binary(kind):
                    raise self._encoding(name, file, "")
                again |= self.kinds.infer(name, kind)
        if again:
            raise RetypeError

    def _encoding(self, name: str, file: File, row: str) -> DataError:
        at = f", row {row} counting the header" if row else ""
        return DataError(
            f"Column '{name}' is not text in {self.encoding}",
            where=f"{file.name}{at}",
            mend="Set source.encoding, for example to 'latin-1'",
        )

    def _explain(self, error: Exception, names: list[str], file: File) -> NoReturn:
        said = str(error)
        if found := _CONVERSION.search(said):
            name, row, kind, why = names[int(found[1])], found[2], found[3], found[4]
            if "invalid UTF8" in why:
                raise self._encoding(name, file, row) from None
            if self.kinds.widen(name):
                raise RetypeError from None
            declared = self.kinds.declared(name)
            source = f"declared as {declared.type}" if declared else f"{kind} in the rows before"
            raise DataError(
                f"Column '{name}' is {source}, and this value does not convert: {why}",
                where=f"{file.name}, row {row} counting the header",
                mend="Mend the value, list it under source.missing, or declare the column's type in the schema",
            ) from None
        if found := _SHAPE.search(said):
            raise DataError(
                f"A row has {found[3]} fields, and the header names {found[2]} columns",
                where=f"{file.name}, row {found[1]} counting the header",
                mend="The file may be cut short, or source.delimiter may be another",
            ) from None
        raise DataError(f"The file is not CSV: {said}", where=file.name) from None
