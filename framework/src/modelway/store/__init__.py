"""The store: content-addressed blobs, and the index from fingerprints to what was computed under them.

Layout below the store's root, a local folder or any fsspec URL::

    objects/ab/abcdef...     blobs, named by their SHA-256
    index/ab/abcdef....json  manifests, named by fingerprint
    tmp/                     files being written (local stores only)

A blob is written aside, synced and renamed; a manifest appears only after every blob that it names. So a process killed
at any instant leaves nothing but unreferenced blobs, which ``gc`` removes. The first manifest of a fingerprint wins.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modelway.errors import StoreError, explained
from modelway.store.backends import Local, Remote
from modelway.values.artifact import Files, dumps

#: Layout of manifests; a manifest of another number is a miss.
SCHEMA = 1
_CHUNK = 1 << 20
_DIGEST = re.compile("[0-9a-f]{64}")
_ASIDE = re.compile("[0-9]+-[0-9a-f]{32}")


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
        return sha256(dumps([self.kind, {name: digest for name, (digest, _) in sorted(self.files.items())}]))

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
        self._backend: Local | Remote = Local(Path(local)) if local else Remote(url, self.scratch / "cache")
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
            if self._backend.keep(_object(digest), aside, size):
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
                if file_digest(path) != digest and self._backend.forget(name):
                    path = self._backend.local(name)  # the copy was corrupt; the store may be whole
                if file_digest(path) != digest:
                    with suppress(OSError):  # a read-only store keeps it, and it is refused again
                        self._backend.remove(name)
                    raise StoreError(
                        f"The artifact file {digest[:12]} is corrupt: its bytes do not match its digest",
                        where=str(path),
                        mend="It was not loaded; repeat the command to compute it anew",
                    )
                self._verified.add(digest)
            elif not path.exists():
                raise FileNotFoundError(path)
        except FileNotFoundError:
            self._verified.discard(digest)
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
            manifest = _manifest(json.loads(self._backend.local(name).read_bytes()))
            if manifest.schema != SCHEMA or manifest.fingerprint != fingerprint:
                raise ValueError("another layout or key")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
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
        """Remove manifests that are not to be kept, blobs that no manifest names, and files never finished.

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
                    self._verified.discard(stem)
        for path in sorted(self.scratch.glob("*")):
            with suppress(FileNotFoundError):
                if _ASIDE.fullmatch(path.name) and path.is_file() and now - path.stat().st_mtime >= min_age:
                    count, size = count + 1, size + path.stat().st_size
                    if not dry:
                        path.unlink()
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


def _manifest(body: Any) -> Manifest:
    """Read a manifest that anyone with access to a shared store may have written.

    Raises:
        ValueError: a file's name or digest that is none, and could lead outside the store.
    """
    files = {str(name): (digest, size) for name, (digest, size) in body["files"].items()}
    for name, (digest, size) in files.items():
        if not (isinstance(digest, str) and _DIGEST.fullmatch(digest) and isinstance(size, int)):
            raise ValueError(f"'{name}' has no digest")
        if not name or name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"'{name}' leads outside")
    if not isinstance(body.get("facts", {}), dict):
        raise ValueError("its facts are none")
    return Manifest(**{**body, "files": files})


def _object(digest: str) -> str:
    return f"objects/{digest[:2]}/{digest}"


def _entry(fingerprint: str) -> str:
    return f"index/{fingerprint[:2]}/{fingerprint}.json"


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
