"""The run, as a component's method sees it: one argument, so that the contract grows by fields of it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modelway.errors import DataError, explained, nearest
from modelway.schema import Schema, Task
from modelway.values import BATCH, Blobs, Part, Table, to_arrow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

A = TypeVar("A")
B = TypeVar("B")

#: Rows of one part that ``Run.table`` writes.
PART_ROWS = 524_288


def _nothing(*args: Any) -> None:
    return None


def _make(name: str, make: Callable[[], A], size: int) -> A:
    return make()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Workers:
    """What carries the work: this process, or the workers of a cluster.

    Attributes:
        map: Applies a function to items; results come in the items' order.
        client: The ``distributed.Client`` of a cluster, or None.
        shape: What a distributed result may depend on, such as ``{"workers": 2, "threads": 1}``; empty in-process.
    """

    map: Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]] = map
    client: Any = None
    shape: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """One execution of a plan, as components see it. Sent to a worker, it leaves its callbacks behind.

    Attributes:
        id: Short, sortable id of the run.
        project: Name of the project.
        task: ``binary``, ``multiclass`` or ``regression``.
        seed: Declared seed; use ``rng`` for random numbers.
        schema: Declared schema, patterns expanded once a table is there.
        scratch: Folder for temporary files; gone when the stage ends.
        blobs: Where table parts live; ``table`` and ``keep`` write there.
        workspace: Folder that relative paths of the configuration start from.
        label: Label of the component that runs, as in the configuration.
        workers: What carries the work.
        threads: Cores that this run may use; 0 means all.
        uses: Distributions whose version and code shape what the run computes: workers must have the same ones.
        tables: For a check that looks across tables: every source's table, by label.
        chosen: For a metric: the ``operating_point`` that it chose on the fold's phase before this one; else empty.
    """

    id: str
    project: str
    task: Task
    seed: int
    schema: Schema
    scratch: Path
    blobs: Blobs
    workspace: Path = field(default_factory=Path)
    label: str = ""
    workers: Workers = field(default_factory=Workers)
    threads: int = 0
    uses: tuple[str, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    on_log: Callable[[str, Any], None] = _nothing
    on_report: Callable[[int, Mapping[str, float]], bool | None] = _nothing
    on_progress: Callable[[str, int, int | None], None] = _nothing
    on_aside: Callable[[str, Table], None] = _nothing
    on_share: Callable[[str, Callable[[], Any], int], Any] = _make
    digests: Callable[[Path], str] = _file_digest
    memory: MutableMapping[str, Any] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        here = ("workers", "on_log", "on_report", "on_progress", "on_aside", "on_share", "digests", "memory")
        return {name: value for name, value in self.__dict__.items() if name not in here}

    def __setstate__(self, state: dict[str, Any]) -> None:
        defaults = {"on_log": _nothing, "on_report": _nothing, "on_progress": _nothing, "digests": _file_digest}
        self.__dict__.update(state, workers=Workers(), on_share=_make, on_aside=_nothing, memory={}, **defaults)
        if not self.scratch.is_dir():
            self.scratch = Path(tempfile.gettempdir())

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a local file; a file that did not change since last time is not read again."""
        return self.digests(path)

    def remember(self, key: str, value: Any) -> None:
        """Remember plain JSON for later runs of the workspace, which may find it forgotten: a matter of speed only."""
        self.memory[key] = value

    def recall(self, key: str) -> Any:
        """Return what was remembered under a key, or None."""
        return self.memory.get(key)

    def map(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Apply a function to items on the run's compute; results come in the items' order."""
        return self.workers.map(function, items)

    def share(self, name: str, make: Callable[[], A], size: int) -> A:
        """Return what ``make`` makes, kept in memory for the other trials of a sweep in this process.

        Args:
            name: All that decides what is made, such as a split's ``identity`` and the settings used.
            make: Makes it; called each time where nothing is kept. An iterator is kept as a list.
            size: Bytes that it takes; what is too large is not kept.
        """
        return self.on_share(name, make, size)  # type: ignore[no-any-return]  # it returns what make does

    def log(self, name: str, value: Any) -> None:
        """Record a value of this stage: a number, a text, or plain JSON."""
        self.on_log(name, value)

    def aside(self, name: str, table: Table) -> None:
        """Keep a table beside the step's output, such as the rows that it refused; ``modelway data aside`` shows it."""
        self.on_aside(name, table)

    def report(self, round: int, scores: Mapping[str, float]) -> bool:
        """Show a training round's scores; answers whether to go on."""
        return self.on_report(round, scores) is not False

    def progress(self, unit: str, done: int, total: int | None = None) -> None:
        """Show how far the stage is, in units of its own (parts, files, folds)."""
        self.on_progress(unit, done, total)

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return a random generator of this run's seed and of ``names``; equal names, equal numbers."""
        import numpy as np

        text = "/".join(map(str, (self.seed, *names)))
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))

    def path(self, text: str) -> Path:
        """Resolve a path of the configuration: ``~`` and paths relative to the workspace."""
        return (self.workspace / Path(text).expanduser()).resolve()

    def keep(self, path: Path) -> Part:
        """Keep an existing parquet file, as it is, as a table's part.

        Raises:
            DataError: the file is not parquet, or is cut short.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows = pq.read_metadata(path).num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"The file is not parquet, or is cut short: {error}", where=str(path)) from None
        digest, size = self.blobs.put_file(path)
        return Part(digest, rows, size)

    def table(self, batches: Iterable[Any], about: Mapping[str, Any] | None = None) -> Table:
        """Write rows as a table, streaming: no more than one part is held.

        Args:
            batches: Arrow tables, pandas frames, or mappings of names to numpy arrays; columns and types are those
                of the first.
            about: Facts to keep beside the table, as plain JSON.

        Raises:
            DataError: no batch, or a batch whose columns differ from the first's.
        """
        import pyarrow.parquet as pq

        parts: list[Part] = []
        schema: pa.Schema | None = None
        writer: pq.ParquetWriter | None = None
        rows = 0
        handle, name = tempfile.mkstemp(".parquet", dir=self.scratch)
        os.close(handle)
        path = Path(name)
        try:
            for number, batch in enumerate(batches):
                arrow = _as_arrow(batch)
                schema = schema or arrow.schema.remove_metadata()
                arrow = _conform(arrow, schema, number)
                while arrow.num_rows or (writer is None and not parts):
                    piece = arrow.slice(0, PART_ROWS - rows if writer else PART_ROWS)
                    with explained("A table cannot be written", str(self.scratch)):
                        if writer is None:
                            writer, rows = pq.ParquetWriter(path, schema, compression="zstd"), 0
                        writer.write_table(piece, row_group_size=BATCH)
                    rows, arrow = rows + piece.num_rows, arrow.slice(piece.num_rows)
                    if rows >= PART_ROWS:
                        parts.append(self._close(writer, path, rows))
                        writer = None
                    if not arrow.num_rows:
                        break
            if writer is not None:
                parts.append(self._close(writer, path, rows))
        finally:
            path.unlink(missing_ok=True)
        if schema is None:
            raise DataError("There are no rows to make a table of")
        columns = tuple((name, str(kind)) for name, kind in zip(schema.names, schema.types, strict=True))
        return Table(columns, tuple(parts), self.blobs, dict(about or {}))

    def _close(self, writer: Any, path: Path, rows: int) -> Part:
        with explained("A table cannot be written", str(self.scratch)):
            writer.close()
        digest, size = self.blobs.put_file(path)
        return Part(digest, rows, size)


def _as_arrow(batch: Any) -> pa.Table:
    import pyarrow as pa

    if isinstance(batch, pa.Table):
        return batch
    if isinstance(batch, pa.RecordBatch):
        return pa.Table.from_batches([batch])
    if isinstance(batch, Mapping):
        return to_arrow(batch)
    return pa.Table.from_pandas(batch, preserve_index=False)


def _conform(arrow: pa.Table, schema: pa.Schema, number: int) -> pa.Table:
    import pyarrow as pa

    if arrow.schema.names != schema.names:
        absent = [name for name in schema.names if name not in arrow.schema.names]
        if absent or len(arrow.schema.names) != len(schema.names):
            odd = (absent or [name for name in arrow.schema.names if name not in schema.names])[0]
            raise DataError(
                f"Batch {number + 1} has other columns than the first: '{odd}' is in one only",
                mend=nearest(odd, arrow.schema.names if absent else schema.names),
            )
        arrow = arrow.select(schema.names)
    if arrow.schema.types == schema.types:
        return arrow
    for place, (name, kind) in enumerate(zip(schema.names, schema.types, strict=True)):
        column = arrow.column(name)
        try:
            if pa.types.is_floating(column.type) and not pa.types.is_floating(kind):
                column = _without_nan(column)  # whole numbers and booleans with missing ones among them
            arrow = arrow.set_column(place, name, column.cast(kind))
        except pa.ArrowException as error:
            raise DataError(
                f"Column '{name}' of batch {number + 1} is {column.type}, and was {kind} in the first: {error}"
            ) from None
    return arrow.cast(schema)


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


@dataclass(frozen=True)
class Event:
    """What an observer is told.

    Attributes:
        kind: Name of the hook that carries it.
        run: Id of the run, project: its project, at: UTC time in ISO form.
        step: Name of the step, or empty.
        body: Facts of the event, as plain JSON.
    """

    kind: str
    run: str
    project: str
    at: str
    step: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
