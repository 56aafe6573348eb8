"""Which files a path, a glob or a URL means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from modelway import ConfigError, DataError, Run, nearest
from modelway_files.file import File, reached
from modelway_files.partition import Partition

_WEB = ("http://", "https://")


def find(
    paths: Sequence[str], run: Run, suffixes: Sequence[str], since: str | int | None, until: str | int | None
) -> list[File]:
    """Return the files that paths, globs, folders and URLs mean: in the order given, sorted within each.

    Args:
        paths: As configured; local ones start from the workspace.
        run: The run.
        suffixes: Suffixes of the files to take from a folder.
        since: First value of the partition's key to take, or None.
        until: Last value.

    Raises:
        DataError: a path that matches nothing, or that cannot be reached.
        ConfigError: a range that is none, or a path without a key for it.
    """
    found: dict[tuple[str, str], File] = {}
    for text in paths:
        partition = Partition.of(text, since, until)
        files = _partitioned(partition, run, suffixes) if partition else _matched(text, run, suffixes)
        found.update({(type(file.fs).__name__, file.place): file for file in files})
    return list(found.values())


def _matched(text: str, run: Run, suffixes: Sequence[str]) -> list[File]:
    remote = "://" in text and not text.startswith("file://")
    return _remote(text, suffixes) if remote else _local(text.removeprefix("file://"), run, suffixes)


def _partitioned(partition: Partition, run: Run, suffixes: Sequence[str]) -> list[File]:
    if partition.path.startswith(_WEB):
        if "*" in partition.path:
            raise ConfigError(
                "Files at a web address cannot be listed, so its path can have no '*'", where="source.path"
            )
        every = partition.every()
        return [replace(f, key=partition.key, value=value) for value, url in every for f in _remote(url, suffixes)]
    files = _matched(partition.glob, run, suffixes)
    placed = [(file, partition.value(file.place)) for file in files]
    known = [replace(file, key=partition.key, value=value) for file, value in placed if value is not None]
    kept = [file for file in known if partition.holds(file.value)]
    if not kept:
        values = sorted(file.value for file in known)
        has = f"it has {values[0]} to {values[-1]}" if values else "no path matches it whole"
        raise DataError(
            f"No file of '{partition.path}' lies in the range {partition.since or 'of all'} to"
            f" {partition.until or 'the last'}: {has}",
            where="source.since, source.until",
        )
    return kept


def _local(text: str, run: Run, suffixes: Sequence[str]) -> list[File]:
    workspace = run.path("")
    path = run.path(text)
    if path.is_dir():
        names = sorted(
            f"{text.rstrip('/')}/{inner.as_posix()}"
            for inner in (p.relative_to(path) for p in path.rglob("*") if p.is_file())
            if _counts(inner.as_posix(), suffixes)
        )
        if not names:
            raise DataError("The folder holds no file of a known format", where=text)
    elif path.exists():
        names = [text]
    else:
        names = sorted(glob(str(Path(text).expanduser()), root_dir=workspace, recursive=True))
        names = [name for name in names if run.path(name).is_file()]
    if not names:
        folder = path.parent
        beside = [p.name for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []
        raise DataError(
            f"No file matches '{text}'",
            where=f"source.path, from {workspace}",
            mend=nearest(Path(text).name, beside) or "Paths start from the workspace",
        )
    return [File(name, _label(name, workspace), str(run.path(name))) for name in names]


def _label(name: str, workspace: Path) -> str:
    path = workspace / Path(name).expanduser()
    return path.relative_to(workspace).as_posix() if path.is_relative_to(workspace) else path.name


def _counts(name: str, suffixes: Sequence[str]) -> bool:
    hidden = any(piece.startswith((".", "_")) for piece in PurePosixPath(name).parts)
    return name.lower().endswith(tuple(suffixes)) and not hidden


def _remote(url: str, suffixes: Sequence[str]) -> list[File]:
    shown = _shown(url)
    try:
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise DataError(f"The file system of this URL is not available: {error}", where=shown) from None
    if url.startswith(_WEB):
        return [File(shown, shown, path, fs)]
    with reached(shown):
        fs.invalidate_cache()  # a listing of an hour ago would hide what changed since
        places = _listed(fs, path, suffixes)
    if not places:
        raise DataError(f"No file matches '{shown}'", where="source.path")
    protocol = url.partition("://")[0]
    names = [shown] if list(places) == [path] else [f"{protocol}://{place.lstrip('/')}" for place in places]
    return [File(name, name, place, fs, info=places[place]) for name, place in zip(names, places, strict=True)]


def _listed(fs: Any, path: str, suffixes: Sequence[str]) -> dict[str, Any]:
    """Return what a listing says of each file that a path means, sorted by place: one request for many files."""
    if any(sign in path for sign in "*?["):
        found = fs.glob(path, detail=True)
    elif fs.isdir(path):
        root = path.rstrip("/")
        inner = fs.find(path, detail=True)
        found = {p: info for p, info in inner.items() if _counts(p.removeprefix(root).lstrip("/"), suffixes)}
    else:
        found = {path: fs.info(path)} if fs.exists(path) else {}
    return {place: info for place, info in sorted(found.items()) if info.get("type", "file") == "file"}


def _shown(url: str) -> str:
    """Drop what may be secret: a user's name and password, and the query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
