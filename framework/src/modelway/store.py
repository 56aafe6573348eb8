"""The store: content-addressed blobs, and the index from fingerprints to what was computed under them.

Layout below the store's root, a local folder or any fsspec URL::

    objects/ab/abcdef...     blobs, named by their SHA-256
    index/ab/abcdef....json  manifests, named by fingerprint
    tmp/                     files being written (local stores only)

A blob is written aside, synced and renamed; a manifest appears only after every blob that it names. So a process killed
at any instant leaves nothing but unreferenced blobs, which ``gc`` removes. The first manifest of a fingerprint wins.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modelway.errors import StoreError
from modelway.values.artifact import Files, dumps

#: Layout of manifests; a manifest of another number is a miss.
SCHEMA = 1
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What was computed under a fingerprint.

    Attributes:
        fingerprint: The key.
        kind: Kind of the value.
        files: Digest and size in bytes of each file, by name.
        facts: The ingredients of the fingerprint, the run that computed it, what it cost and logged.
    """

    fingerprint: str
    kind: str
    files: dict[str, tuple[str, int]]
    facts: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def digest(self) -> str:
        """Identity of the content: equal for equal files of one kind, whoever computed them."""
        return sha256(dumps([self.kind, {name: digest for name, (digest, _) in self.files.items()}]))

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(size for _, size in self.files.values())


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def explained(what: str, where: str) -> Iterator[None]:
    """Turn an operating-system error into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        mends = {
            errno.ENOSPC: "Free some space, or point 'store' elsewhere; what was committed is whole",
            errno.EROFS: "The store is read-only: make it writable, or point 'store' elsewhere",
            errno.EACCES: "The store is not writable by this user: change its rights, or point 'store' elsewhere",
            errno.ENOENT: "",
        }
        text = error.strerror or str(error)
        raise StoreError(f"{what}: {text}", where=where, mend=mends.get(error.errno or 0, "")) from error


class _Local:
    """Blobs in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, path: Path, *, absent: bool = False) -> bool:
        """Take a synced file into its place by renaming; False where ``absent`` was asked for and it was there."""
        place = self.root / name
        with explained("The store cannot be written", str(self.root)):
            place.parent.mkdir(parents=True, exist_ok=True)
            if absent:
                try:
                    os.link(path, place)
                except FileExistsError:
                    return False
                finally:
                    path.unlink(missing_ok=True)
            else:
                os.replace(path, place)
            _sync_folder(place.parent)
        return True

    def size(self, name: str) -> int | None:
        try:
            return (self.root / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def local(self, name: str) -> Path:
        return self.root / name

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        for path in sorted((self.root / prefix).rglob("*")):
            if path.is_file():
                yield path.relative_to(self.root).as_posix(), path.stat().st_mtime

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


class _Remote:
    """Blobs in any file system that fsspec knows, read through a local cache."""

    def __init__(self, url: str, cache: Path) -> None:
        import fsspec

        self.fs, self.base = fsspec.core.url_to_fs(url)
        self.cache = cache

    def put(self, name: str, path: Path, *, absent: bool = False) -> bool:
        with explained("The store cannot be written", self.base):
            self.fs.makedirs(f"{self.base}/{name}".rpartition("/")[0], exist_ok=True)
            try:
                if absent:
                    self.fs.pipe_file(f"{self.base}/{name}", path.read_bytes(), mode="create")
                else:
                    self.fs.put_file(str(path), f"{self.base}/{name}")
            except FileExistsError:
                return False
            finally:
                path.unlink(missing_ok=True)
        return True

    def size(self, name: str) -> int | None:
        try:
            return int(self.fs.info(f"{self.base}/{name}")["size"])
        except FileNotFoundError:
            return None

    def local(self, name: str) -> Path:
        place = self.cache / name
        if not name.startswith("objects/") or not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_name(f"{place.name}.{uuid.uuid4().hex[:8]}")
            self.fs.get_file(f"{self.base}/{name}", str(aside))
            os.replace(aside, place)
        return place

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        for name, info in sorted(self.fs.find(f"{self.base}/{prefix}", detail=True).items()):
            when = info.get("mtime") or info.get("LastModified") or info.get("created") or 0
            at = when.timestamp() if hasattr(when, "timestamp") else float(when)
            yield name.removeprefix(self.base).lstrip("/"), at

    def remove(self, name: str) -> None:
        self.fs.rm_file(f"{self.base}/{name}")
        (self.cache / name).unlink(missing_ok=True)


class Store:
    """Artifacts by fingerprint, blobs by digest.

    Args:
        url: A local folder, or an fsspec URL (``s3://bucket/prefix``, ``memory://x``).
        scratch: Local folder for files on their way; by default ``tmp`` inside a local store.
        warn: Told of index entries that cannot be read; each counts as a miss.
    """

    def __init__(self, url: str, scratch: Path | None = None, warn: Callable[[str], None] = lambda text: None) -> None:
        self.url, self.warn = url, warn
        local = url.removeprefix("file://") if "://" not in url or url.startswith("file://") else ""
        self.scratch = scratch or Path(local or ".modelway") / "tmp"
        self._backend: _Local | _Remote = _Local(Path(local)) if local else _Remote(url, self.scratch / "cache")
        self._verified: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Store, (self.url, self.scratch))

    # Blobs

    def put_file(self, path: Path) -> tuple[str, int]:
        """Keep a copy of a file; returns its digest and size in bytes."""

        def copy(aside: Path) -> str:
            state = hashlib.sha256()
            with path.open("rb") as source, aside.open("wb") as target:
                while chunk := source.read(_CHUNK):
                    state.update(chunk)
                    target.write(chunk)
                _sync(target)
            return state.hexdigest()

        return self._put(copy)

    def put_bytes(self, data: bytes) -> tuple[str, int]:
        """Keep some bytes; returns their digest and size."""

        def copy(aside: Path) -> str:
            with aside.open("wb") as target:
                target.write(data)
                _sync(target)
            return sha256(data)

        return self._put(copy)

    def _put(self, copy: Callable[[Path], str]) -> tuple[str, int]:
        with self._aside() as aside:
            digest = copy(aside)
            size = aside.stat().st_size
            if self._backend.size(_object(digest)) != size:
                self._backend.put(_object(digest), aside)
        self._verified.add(digest)
        return digest, size

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        aside = self.scratch / f"{os.getpid()}-{uuid.uuid4().hex}"
        with explained("The store cannot be written", self.url):
            self.scratch.mkdir(parents=True, exist_ok=True)
            try:
                yield aside
            finally:
                aside.unlink(missing_ok=True)

    def open(self, digest: str) -> Path:
        """Return a local, verified file of a blob.

        Raises:
            StoreError: the blob is absent, or its bytes do not match its digest; it is then removed, so that the next
                run computes it anew.
        """
        name = _object(digest)
        try:
            path = self._backend.local(name)
            if digest not in self._verified:
                if file_digest(path) != digest:
                    self._backend.remove(name)
                    raise StoreError(
                        f"The artifact file {digest[:12]} is corrupt: its bytes do not match its digest",
                        where=str(path),
                        mend="It was removed and not loaded; repeat the command to compute it anew",
                    )
                self._verified.add(digest)
        except FileNotFoundError:
            raise StoreError(
                f"The artifact file {digest[:12]} is not in the store", where=self.url,
                mend="Repeat the command to compute it anew",
            ) from None  # fmt: skip
        return path

    def has(self, digest: str, size: int | None = None) -> bool:
        """Return whether a blob is there, of the given size; its bytes are verified when it is opened."""
        found = self._backend.size(_object(digest))
        return found is not None and (size is None or found == size)

    # The index

    def lookup(self, fingerprint: str) -> Manifest | None:
        """Return what was computed under a fingerprint, or None; an unreadable entry, or a lost blob, is a miss."""
        name = _entry(fingerprint)
        if self._backend.size(name) is None:
            return None
        try:
            body = json.loads(self._backend.local(name).read_bytes())
            body["files"] = {name: (digest, size) for name, (digest, size) in body["files"].items()}
            manifest = Manifest(**body)
            if manifest.schema != SCHEMA or manifest.fingerprint != fingerprint:
                raise ValueError("another layout or key")
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.warn(f"The store's entry {fingerprint[:12]} cannot be read ({error}); it is computed anew.")
            return None
        for digest, size in manifest.files.values():
            if not self.has(digest, size):
                self.warn(f"The artifact file {digest[:12]} is missing or cut short; its step is computed anew.")
                return None
        return manifest

    def commit(self, manifest: Manifest, *, replace: bool = False) -> Manifest:
        """Enter a manifest; where another was entered first, that one wins and is returned.

        Args:
            manifest: Names blobs that are kept already.
            replace: Take the place of an entry that cannot be read, or that was computed anew by force.
        """
        with self._aside() as aside:
            with aside.open("wb") as target:
                target.write(dumps(asdict(manifest)))
                _sync(target)
            if self._backend.put(_entry(manifest.fingerprint), aside, absent=not replace):
                return manifest
        found = self.lookup(manifest.fingerprint)
        return found or self.commit(manifest, replace=True)

    def manifests(self) -> Iterator[Manifest]:
        """Yield every readable manifest."""
        for name, _ in self._backend.names("index"):
            found = self.lookup(Path(name).stem)
            if found:
                yield found

    def gc(self, keep: Callable[[Manifest], bool], *, min_age: float = 3600.0, dry: bool = False) -> tuple[int, int]:
        """Remove manifests that are not to be kept, and blobs that no manifest names.

        Args:
            keep: Whether a manifest stays.
            min_age: Seconds; what is younger stays, since a run may be about to commit it.
            dry: Only count.

        Returns:
            Number of files removed, and their size in bytes.
        """
        now, count, size, used = time.time(), 0, 0, set[str]()
        for prefix in ("index", "objects"):
            for name, at in list(self._backend.names(prefix)):
                stem = Path(name).stem
                if prefix == "index":
                    manifest = self.lookup(stem)
                    if manifest is not None and (keep(manifest) or now - at < min_age):
                        used.update(digest for digest, _ in manifest.files.values())
                        continue
                if stem in used or now - at < min_age:
                    continue
                count, size = count + 1, size + (self._backend.size(name) or 0)
                if not dry:
                    self._backend.remove(name)
        return count, size

    def writing(self) -> Writing:
        """Return a folder to write a value into, before its manifest is committed."""
        return Writing(self)

    def reading(self, manifest: Manifest, components: Any = None) -> Reading:
        """Return the files of a manifest as a folder to read a value from."""
        return Reading(self, manifest, components)


class Writing(Files):
    """A folder whose files become blobs at once; ``files`` is what a manifest needs."""

    def __init__(self, store: Store) -> None:
        self.blobs = self.store = store
        self.files: dict[str, tuple[str, int]] = {}

    def put(self, name: str, data: bytes) -> None:
        """Keep bytes as a file."""
        self.files[self.prefix + name] = self.store.put_bytes(data)

    def add(self, name: str, path: Path) -> None:
        """Keep a copy of a file."""
        self.files[self.prefix + name] = self.store.put_file(path)

    def refer(self, name: str, digest: str, size: int) -> None:
        """Include a blob that is kept already."""
        self.files[self.prefix + name] = (digest, size)

    def names(self) -> list[str]:
        """Return the names below this folder."""
        return sorted(n.removeprefix(self.prefix) for n in self.files if n.startswith(self.prefix))

    def path(self, name: str) -> Path:
        """Return the verified blob of a file."""
        return self.store.open(self.files[self.prefix + name][0])


class Reading(Writing):
    """The files of a committed manifest; writing here changes nothing in the store's index."""

    def __init__(self, store: Store, manifest: Manifest, components: Any = None) -> None:
        super().__init__(store)
        self.files, self.components = dict(manifest.files), components


def _object(digest: str) -> str:
    return f"objects/{digest[:2]}/{digest}"


def _entry(fingerprint: str) -> str:
    return f"index/{fingerprint[:2]}/{fingerprint}.json"


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
