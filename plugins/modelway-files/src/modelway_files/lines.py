"""JSON lines, streamed: one object a line."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from modelway import DataError
from modelway_files.file import File
from modelway_files.kinds import Kinds, RetypeError
from modelway_files.stream import BLOCK, head, opened

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Lines:
    """Reads JSON lines as one stream of batches; a field that a line lacks is missing there."""

    kinds: Kinds

    def batches(self, file: File, packed: bool) -> Iterator[pa.Table]:
        """Yield a file's rows.

        Raises:
            DataError: naming file, column and row.
            RetypeError: a column is new, or needs a wider type; read every file again.
        """
        head(file, packed, "JSON lines")
        row, rest = 1, b""
        with opened(file, packed) as stream:
            while chunk := stream.read(BLOCK):
                whole, line_end, rest = (rest + chunk).rpartition(b"\n")
                block = whole + line_end
                if block.strip():
                    yield self._parse(block, file, row)
                row += block.count(b"\n")
        if rest.strip():
            yield self._parse(rest, file, row)

    def _parse(self, block: bytes, file: File, row: int) -> pa.Table:
        import pyarrow as pa
        import pyarrow.json as pj

        known = self.kinds.known()
        plain = {name: pa.string() if pa.types.is_date(kind) else kind for name, kind in known.items()}
        try:
            found = pj.read_json(
                pa.BufferReader(block),
                read_options=pj.ReadOptions(block_size=len(block) + 1, use_threads=False),
                parse_options=pj.ParseOptions(explicit_schema=pa.schema(plain.items())),
            )
            self._infer(found.schema)
            return pa.table({name: found.column(name).cast(kind) for name, kind in known.items()})
        except pa.ArrowException as error:
            self._explain(error, block, file, row)

    def _infer(self, schema: pa.Schema) -> None:
        again = False
        for name in schema.names:
            if name in self.kinds.known() or name in self.kinds.nested:
                continue
            if self.kinds.of(name) is None:
                self.kinds.infer(name, schema.field(name).type)
            again |= name not in self.kinds.nested
        if again:
            raise RetypeError

    def _explain(self, error: Exception, block: bytes, file: File, row: int) -> NoReturn:
        for at, line in enumerate(block.splitlines(), row):
            where = f"{file.name}, row {at}"
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as reason:
                raise DataError(f"The line is not JSON: {reason}", where=where,
                                mend="The file may be cut short; write it again") from None  # fmt: skip
            if not isinstance(record, dict):
                raise DataError(f"The line is not a JSON object: {str(record)[:60]}", where=where) from None
            for name, value in record.items():
                self._fit(name, value, where)
        raise DataError(f"The file cannot be read as JSON lines: {error}", where=file.name) from None

    def _fit(self, name: str, value: Any, where: str) -> None:
        kind = self.kinds.of(name)
        if name in self.kinds.nested or kind is None or _fits(value, kind):
            return
        if self.kinds.widen(name):
            raise RetypeError from None
        declared = self.kinds.declared(name)
        source = f"declared as {declared.type}" if declared else f"{kind} in the rows before"
        raise DataError(
            f"Column '{name}' is {source}, and this value does not convert: {str(value)[:60]!r}"
            f" ({type(value).__name__})",
            where=where,
            mend="Mend the value, or declare the column's type in the schema",
        ) from None


def _fits(value: Any, kind: pa.DataType) -> bool:
    import pyarrow.types as pt

    if value is None:
        return True
    if pt.is_boolean(kind) or pt.is_string(kind):
        return isinstance(value, bool if pt.is_boolean(kind) else str)
    if pt.is_integer(kind) or pt.is_floating(kind):
        return isinstance(value, int if pt.is_integer(kind) else (int, float)) and not isinstance(value, bool)
    try:
        moment = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    if pt.is_date(kind):
        return len(value) == 10
    return not pt.is_timestamp(kind) or (moment.tzinfo is None) == (kind.tz is None)
