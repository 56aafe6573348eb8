"""One file, local or remote: what identifies its content, and how its bytes are had without being fetched twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from modelway import DataError, ModelwayError, Run

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
        info: What the file system's listing said of it, or None where nobody asked.
        key: Key of its partition, or empty.
        value: The key's value.
    """

    name: str
    label: str
    place: str
    fs: Any = None
    info: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    key: str = ""
    value: str = ""

    def open(self) -> BinaryIO:
        """Open for reading bytes."""
        with reached(self.name):
            return open(self.place, "rb") if self.fs is None else self.fs.open(self.place, "rb")

    def declared(self) -> str | None:
        """Return the identity that a remote file's server declares for its content, or None where it declares none."""
        if self.info is None:
            with reached(self.name):
                object.__setattr__(self, "info", self.fs.info(self.place))
        return _told(self.info or {})

    def identity(self, run: Run) -> str:
        """Return a text that is equal for equal contents; a remote file's comes from its metadata where it has any."""
        with reached(self.name):
            if self.fs is None:
                return run.digest(Path(self.place))
            return self.declared() or self._hashed()

    def _hashed(self) -> str:
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

    def state(self, run: Run) -> str | None:
        """Return a text of the file's content, had without fetching it, or None where the server declares none."""
        if self.fs is None:
            return run.digest(Path(self.place))
        declared = self.declared()
        return f"{type(self.fs).__name__}:{self.place}:{declared}" if declared else None

    def had(self, run: Run) -> File:
        """Return the file as it lies in the store; what is there already is not fetched again.

        Raises:
            DataError: the file cannot be fetched, or changed while it was.
        """
        if self.fs is None:
            return self
        declared, state = self.declared(), self.state(run)
        key = memory_key("fetched", state)
        known = run.recall(key) if state else None
        if known is None or not run.blobs.has(known[0], known[1]):
            with self.local(run) as path:
                with reached(self.name):
                    after = _told(self.fs.info(self.place)) if declared else None
                if after != declared:
                    raise DataError("The file changed while it was fetched", where=self.name, mend="Repeat the command")
                known = list(run.blobs.put_file(path))
            if state:
                run.remember(key, known)
        return replace(self, place=str(run.blobs.open(known[0])), fs=None, info=None)


def _told(info: Mapping[str, Any]) -> str | None:
    known = next((key for key in _IDENTITY if info.get(key)), None)
    if known is None:
        return None
    value = info[known]  # a time may be one, or a number, as the file system is asked for one file or for a list
    return f"{known}:{value.timestamp() if hasattr(value, 'timestamp') else value}:{info.get('size')}"


def memory_key(*facts: Any) -> str:
    """Return the key under which a run remembers what follows from some facts."""
    return hashlib.sha256("\0".join(map(str, ("modelway-files", *facts))).encode()).hexdigest()


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
