"""Which files a path, a glob or a URL means, and what identifies their contents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from modelway import DataError, ModelwayError, Run, nearest

#: Facts by which file systems identify contents: the strongest first, times last.
_IDENTITY = (
    "ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "Digest", "sha256", "checksum", "crc32c", "generation",
    "version_id", "LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created",
)  # fmt: skip
_CHUNK = 1 << 20


@dataclass(frozen=True)
class File:
    """One file, local or remote.

    Attributes:
        name: As the user knows it, without secrets; used in messages.
        label: Name that is the same on every machine: relative to the workspace, or the last part of the path.
        place: Local path, or path within ``fs``.
        fs: The fsspec file system, or None for a local file.
    """

    name: str
    label: str
    place: str
    fs: Any = None

    def open(self) -> BinaryIO:
        """Open for reading bytes."""
        with reached(self.name):
            return open(self.place, "rb") if self.fs is None else self.fs.open(self.place, "rb")

    def identity(self, run: Run) -> str:
        """Return a text that is equal for equal contents; a remote file's comes from its metadata where it has any."""
        with reached(self.name):
            if self.fs is None:
                return run.digest(Path(self.place))
            info = self.fs.info(self.place)
            known = next((key for key in _IDENTITY if info.get(key)), None)
            if known is not None:
                return f"{known}:{info[known]}:{info.get('size')}"
            state = hashlib.sha256()
            with self.open() as file:
                while chunk := file.read(_CHUNK):
                    state.update(chunk)
            return state.hexdigest()

    @contextmanager
    def local(self, run: Run) -> Iterator[Path]:
        """Give a local path of the file; a remote one is fetched into ``run.scratch`` and removed afterwards."""
        if self.fs is None:
            yield Path(self.place)
            return
        path = run.scratch / hashlib.sha256(self.place.encode()).hexdigest()
        try:
            with reached(self.name):
                self.fs.get_file(self.place, str(path))
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def reached(name: str) -> Iterator[None]:
    """Turn what a file system raises into a DataError that names the file."""
    try:
        yield
    except ModelwayError:
        raise
    except FileNotFoundError:
        raise DataError("The file is not there", where=name, mend="Check source.path") from None
    except Exception as error:  # file systems raise their client library's own errors
        said = str(error) or type(error).__name__
        raise DataError(f"The file cannot be read: {said}", where=name) from None


def find(paths: Sequence[str], run: Run, suffixes: Sequence[str]) -> list[File]:
    """Return the files that paths, globs, folders and URLs mean: in the order given, sorted within each.

    Args:
        paths: As configured; local ones start from the workspace.
        run: The run.
        suffixes: Suffixes of the files to take from a folder.

    Raises:
        DataError: a path that matches nothing, or that cannot be reached.
    """
    found: dict[tuple[str, str], File] = {}
    for text in paths:
        remote = "://" in text and not text.startswith("file://")
        matched = _remote(text, suffixes) if remote else _local(text.removeprefix("file://"), run, suffixes)
        found.update({(type(file.fs).__name__, file.place): file for file in matched})
    return list(found.values())


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
    web = url.startswith(("http://", "https://"))
    shown = _shown(url)
    try:
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise DataError(f"The file system of this URL is not available: {error}", where=shown) from None
    if web:
        return [File(shown, shown, path, fs)]
    with reached(shown):
        if fs.isdir(path):
            root = path.rstrip("/")
            places = [p for p in sorted(fs.find(path)) if _counts(p.removeprefix(root).lstrip("/"), suffixes)]
        elif any(sign in path for sign in "*?["):
            places = sorted(p for p in fs.glob(path) if fs.isfile(p))
        else:
            places = [path] if fs.exists(path) else []
    if not places:
        raise DataError(f"No file matches '{shown}'", where="source.path")
    protocol = url.partition("://")[0]
    names = [shown] if places == [path] else [f"{protocol}://{place.lstrip('/')}" for place in places]
    return [File(name, name, place, fs) for name, place in zip(names, places, strict=True)]


def _shown(url: str) -> str:
    """Drop what may be secret: a user's name and password, and the query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
