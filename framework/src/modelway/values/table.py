"""Tables: references to content-addressed parquet parts. Work goes to the data, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from modelway.errors import DataError, nearest
from modelway.values.artifact import Blobs, Folder, Value
from modelway.values.columns import Columns, from_arrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Rows of a batch: large enough to be fast by column, small enough to stream.
BATCH = 65_536


@dataclass(frozen=True)
class Part:
    """One parquet object of a table."""

    digest: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Table(Value, kind="Table"):
    """An immutable table: its columns, and the parquet parts that hold its rows in order.

    ``run.table(...)`` makes one. Two tables of equal parts are the same version.

    Attributes:
        columns: Name and arrow type of each column, in order.
        parts: The parts, in row order.
    """

    columns: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    blobs: Blobs = field(compare=False, repr=False)
    about: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes(self) -> int:
        """Size of all parts as stored, in bytes."""
        return sum(part.bytes for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(name for name, _ in self.columns)

    def only(self, parts: Sequence[Part]) -> Table:
        """Return the table of some of its parts: the unit of work that a compute hands out."""
        return Table(self.columns, tuple(parts), self.blobs, self.about)

    def scan(self, columns: Sequence[str] | None = None, batch: int = BATCH) -> Iterator[pa.Table]:
        """Yield the rows in order, as arrow tables of at most ``batch`` rows.

        Batch boundaries depend on the parts alone, so that sums come out the same on every run.

        Raises:
            DataError: a column that the table does not have, or a part that is not parquet.
            StoreError: a part whose bytes do not match its digest.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = list(self.names if columns is None else dict.fromkeys(columns))
        for name in wanted:
            if name not in self.names:
                raise DataError(f"The table has no column '{name}'", mend=nearest(name, self.names))
        for part in self.parts:
            try:
                # Read-ahead of whole column chunks would grow with the part, and gain nothing on a local disk.
                with pq.ParquetFile(self.blobs.open(part.digest), pre_buffer=False) as file:
                    for name in wanted:
                        if name not in file.schema_arrow.names:
                            raise DataError(f"A part of the table has no column '{name}'", where=part.digest[:12])
                    for found in file.iter_batches(batch_size=batch, columns=wanted):
                        yield pa.Table.from_batches([found]).select(wanted)
            except pa.ArrowException as error:
                raise DataError(f"A part cannot be read as parquet: {error}", where=part.digest[:12]) from None

    def batches(self, columns: Sequence[str] | None = None, batch: int = BATCH) -> Iterator[Columns]:
        """Yield the rows in order, as numpy columns of at most ``batch`` rows."""
        for table in self.scan(columns, batch):
            yield from_arrow(table)

    def read(self, columns: Sequence[str] | None = None) -> Columns:
        """Return whole columns at once; for a few columns, or a small table."""
        return from_arrow(self.arrow(columns))

    def arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows as one arrow table.

        Raises:
            DataError: as ``scan``, or parts whose types cannot be joined.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        found = list(self.scan(columns))
        if found:
            try:
                return pa.concat_tables(found, promote_options="permissive")
            except pa.ArrowException as error:
                raise DataError(f"The parts of the table do not fit together: {error}") from None
        if self.parts:  # of no rows
            schema = pq.read_schema(self.blobs.open(self.parts[0].digest)).remove_metadata()
            return schema.empty_table().select(list(self.names if columns is None else columns))
        wanted = set(self.names if columns is None else columns)
        kinds = {name: arrow_type(kind) for name, kind in self.columns if name in wanted}
        return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows as a pandas frame; needs pandas."""
        return self.arrow(columns).to_pandas()

    def map(self, change: Callable[[pa.Table], pa.Table], run: Any, columns: Sequence[str] | None = None) -> Table:
        """Return the table of changed batches; parts are kept, and written through ``run``."""

        def change_part(part: Table) -> Table:
            batches = part.scan(columns) if part.rows else [part.arrow(columns)]
            return run.table(change(batch) for batch in batches)  # type: ignore[no-any-return]

        made = list(run.map(change_part, [self.only([part]) for part in self.parts]))
        return Table(made[0].columns, tuple(part for table in made for part in table.parts), self.blobs)

    def save(self, folder: Folder) -> None:
        """Write the manifest, and refer to the parts, which are kept already."""
        for i, part in enumerate(self.parts):
            folder.refer(f"part-{i:05}.parquet", part.digest, part.bytes)
        body = {"columns": self.columns, "parts": [[p.digest, p.rows, p.bytes] for p in self.parts]}
        folder.put_json("table.json", {**body, "about": self.about})

    @classmethod
    def read_manifest(cls, body: dict[str, Any], blobs: Blobs) -> Table:
        """Build a table from the JSON that ``save`` puts down."""
        columns = tuple((name, kind) for name, kind in body["columns"])
        return cls(columns, tuple(Part(*part) for part in body["parts"]), blobs, body.get("about", {}))

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read the manifest back."""
        return cls.read_manifest(folder.get_json("table.json"), folder.blobs)  # type: ignore[return-value]


def arrow_type(name: str) -> pa.DataType:
    """Return the arrow type of a name that a table's ``columns`` holds."""
    import pyarrow as pa

    if name.startswith("timestamp"):
        unit = name.partition("[")[2].rstrip("]").split(",")[0] or "us"
        return pa.timestamp(unit)
    if name.startswith("dictionary"):
        return pa.dictionary(pa.int32(), pa.string())
    return pa.type_for_alias(name)
