"""Files that become parts of a table one by one, so that those that were there already are not read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway import DataError, Part, Run, Table, nearest
from modelway_files.file import File, memory_key

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Piece:
    """What a file became.

    Attributes:
        name: The file's name.
        columns: Name and arrow type of each column, and its type as one compares it; empty for a file without rows.
        parts: The parts of its rows.
        read: Whether the file was read now, not found to be there already.
    """

    name: str
    columns: tuple[tuple[str, str, str], ...]
    parts: tuple[Part, ...]
    read: bool = True


def piece(file: File, facts: Any, run: Run, make: Callable[[File], tuple[Any, Sequence[Part]]]) -> Piece:
    """Return what a file becomes, from what an earlier run made of the same content where the store still holds it.

    Args:
        file: The file.
        facts: All besides its content that decides the result, as plain JSON.
        run: The run.
        make: Reads the file and returns an arrow schema and parts.
    """
    state = file.state(run)
    key = memory_key("piece", state, json.dumps(facts), _code())
    known = run.recall(key) if state else None
    if known is not None and all(run.blobs.has(digest, size) for digest, _, size in known["parts"]):
        columns = tuple((name, kind, plain) for name, kind, plain in known["columns"])
        return Piece(file.name, columns, tuple(Part(*part) for part in known["parts"]), read=False)
    schema, parts = make(file.had(run))
    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Column '{twice}' occurs twice", where=file.name)
    columns = tuple((name, str(kind), _kind(kind)) for name, kind in zip(schema.names, schema.types, strict=True))
    parts = tuple(part for part in parts if part.rows)
    if state:
        run.remember(key, {"columns": columns, "parts": [[p.digest, p.rows, p.bytes] for p in parts]})
    return Piece(file.name, columns, parts)


def joined(pieces: Sequence[Piece], run: Run, about: dict[str, Any]) -> Table:
    """Return the table of all pieces, in order.

    Raises:
        DataError: a piece whose columns differ from the first one's.
    """
    filled = [found for found in pieces if found.columns]
    for found in filled:
        _agree(filled[0], found)
    columns = tuple((name, kind) for name, kind, _ in filled[0].columns) if filled else ()
    return Table(columns, tuple(part for found in pieces for part in found.parts), run.blobs, about)


def alike(pieces: Sequence[Piece]) -> bool:
    """Return whether all pieces that have rows have columns of the same types."""
    return (
        len({tuple(sorted((name, plain) for name, _, plain in found.columns)) for found in pieces if found.columns}) < 2
    )


def _agree(first: Piece, found: Piece) -> None:
    a, b = ({name: plain for name, _, plain in piece.columns} for piece in (first, found))
    for have, need, here, there in ((b, a, found.name, first.name), (a, b, first.name, found.name)):
        for column in need:
            if column not in have:
                raise DataError(
                    f"{here} has no column '{column}', which {there} has",
                    where=here,
                    mend=nearest(column, set(have) - set(need)),
                )
    for column, was in a.items():
        if was != b[column]:
            raise DataError(
                f"Column '{column}' is {b[column]} in {found.name}, and {was} in {first.name}",
                where=found.name,
                mend="Write every file with one type for the column",
            )


def _kind(kind: pa.DataType) -> str:
    """Name a type; the width of a dictionary's codes does not matter."""
    import pyarrow as pa

    return f"dictionary of {kind.value_type}" if pa.types.is_dictionary(kind) else str(kind)


@cache
def _code() -> str:
    """Return the digest of this package's code: what other code made of a file is not taken for its own."""
    state = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        state.update(path.read_bytes())
    return state.hexdigest()
