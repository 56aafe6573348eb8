"""The store: content-addressed blobs, and the index from fingerprints to what was computed under them.

Layout below the store's root, a local folder or any fsspec URL::

    objects/ab/abcdef...     blobs, named by their SHA-256
    index/ab/abcdef....json  manifests, named by fingerprint
    identity                 a random word, by which another process knows that it sees the same store
    tmp/                     files being written (local stores only)

A blob is written aside, synced and renamed; a manifest appears only after every blob that it names. So a process killed
at any instant leaves nothing but unreferenced blobs, which ``gc`` removes. The first manifest of a fingerprint wins.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from modelway.errors import StoreError, explained
from modelway.store.backends import Local, Remote, sync_file
from modelway.store.folders import Reading, Writing
from modelway.store.manifest import SCHEMA, Manifest, file_digest, read_manifest, sha256
from modelway.values.artifact import dumps

__all__ = ["SCHEMA", "Manifest", "Reading", "Store", "Writing", "file_digest", "sha256"]

_CHUNK = 1 << 20
_ASIDE = re.compile("[0-9]+-[0-9a-f]{32}")
_IDENTITY = "identity"


class Store:
    """Artifacts by fingerprint, blobs by digest. Sent to another process, it leaves its callback behind.

    Args:
        url: A local folder, or an fsspec URL (``s3://bucket/prefix``, ``memory://x``).
        scratch: Local folder for files on their way; by default ``tmp`` inside a local store, and a temporary folder of
            this process for another one.
        warn: Told of index entries that cannot be read; each counts as a miss.
    """

    def __init__(self, url: str, scratch: Path | None = None, warn: Callable[[str], None] = lambda text: None) -> None:
        self.local = is_local(url)
        self.url = os.path.abspath(url.removeprefix("file://")) if self.local else url
        self.warn, self._scratch, self._verified = warn, scratch, set[str]()
        self._expected = ""  # of a store that was sent here: its identity, until it was found to be the same

    @functools.cached_property
    def scratch(self) -> Path:
        """Local folder for files on their way."""
        return self._scratch or (Path(self.url) / "tmp" if self.local else _temporary())

    @functools.cached_property
    def _there(self) -> Local | Remote:
        return Local(Path(self.url)) if self.local else Remote(self.url, self.scratch / "cache")

    @property
    def _backend(self) -> Local | Remote:
        if self._expected:
            found = self._read_identity()
            if found != self._expected:
                raise StoreError(
                    f"This process does not see the store that it needs: {'another' if found else 'none'} is there",
                    where=f"{self.url} on {platform.node()}",
                    mend="Keep the store where all find it by one name: a shared folder, or a URL such as s3://bucket/it",
                )  # fmt: skip
            self._expected = ""
        return self._there

    @functools.cached_property
    def identity(self) -> str:
        """A random word that this store alone has; empty for one that has none yet and cannot be written."""
        if not (found := self._read_identity()):
            with suppress(StoreError), self._aside() as aside:
                aside.write_bytes(uuid.uuid4().hex.encode())
                self._backend.put(_IDENTITY, aside, absent=True)
            found = self._read_identity()
        return found

    def _read_identity(self) -> str:
        with suppress(OSError):
            return self._there.local(_IDENTITY).read_text()
        return ""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_arrived, (self.url, self.identity, None if self._scratch is None else str(self._scratch)))

    # Blobs

    def put_file(self, path: Path) -> tuple[str, int]:
        """Keep a copy of a file; returns its digest and size in bytes."""

        def copy(aside: Path) -> str:
            state = hashlib.sha256()
            with path.open("rb") as source, aside.open("wb") as target:
                while chunk := source.read(_CHUNK):
                    state.update(chunk)
                    target.write(chunk)
                sync_file(target)
            return state.hexdigest()

        return self._put(copy)

    def put_bytes(self, data: bytes) -> tuple[str, int]:
        """Keep some bytes; returns their digest and size."""

        digest = sha256(data)

        def copy(aside: Path) -> str:
            with aside.open("wb") as target:
                target.write(data)
                sync_file(target)
            return digest

        if digest in self._verified and self._backend.renew(_object(digest), len(data)):
            return digest, len(data)
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
        _ = self._backend  # before anything is written: it may not be the store that was meant
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
            manifest = read_manifest(json.loads(self._backend.local(name).read_bytes()))
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
                target.write(dumps({name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}))
                sync_file(target)
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


def is_local(url: str) -> bool:
    """Return whether a URL is a folder of this host."""
    return "://" not in url or url.startswith("file://")


@functools.lru_cache(maxsize=16)
def _arrived(url: str, identity: str, scratch: str | None) -> Store:
    """Return a store that another process sent; one for all that it sends, which verifies each file once."""
    place = Path(scratch) if scratch is not None and Path(scratch).parent.is_dir() else None
    store = Store(url, place)
    store._expected = identity
    return store


@functools.cache
def _temporary() -> Path:
    """Return a folder that goes with this process."""
    folder = tempfile.mkdtemp(prefix="modelway-store-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _object(digest: str) -> str:
    return f"objects/{digest[:2]}/{digest}"


def _entry(fingerprint: str) -> str:
    return f"index/{fingerprint[:2]}/{fingerprint}.json"
