"""Where a store keeps its files: a local folder, or any file system that fsspec knows."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from modelway.errors import StoreError, explained


class Local:
    """Blobs in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, path: Path, *, absent: bool = False, sync: bool = True) -> bool:
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
            if sync:
                sync_folder(place.parent)
        return True

    def keep(self, name: str, path: Path, size: int) -> bool:
        """Take a blob in, also where one lies there: that one may be corrupt, or old enough for ``gc``."""
        # Its name needs no sync: were it lost with the power, the manifest that names it would be a miss.
        return self.put(name, path, sync=False)

    def renew(self, name: str, size: int) -> bool:
        """Make a file as new as one that is put there now, for ``gc``; False where none of that size is there."""
        if self.size(name) != size:
            return False
        try:
            os.utime(self.root / name)
        except OSError:
            return False
        return True

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, or None where it is not there."""
        try:
            return (self.root / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def local(self, name: str) -> Path:
        """Return a local path of a file; not verified.

        Raises:
            FileNotFoundError: a remote file that is not there.
        """
        return self.root / name

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield name and time of last change of every file below a prefix, sorted by name."""
        for path in sorted((self.root / prefix).rglob("*")):
            with suppress(FileNotFoundError):  # someone else's gc was faster
                if path.is_file():
                    yield path.relative_to(self.root).as_posix(), path.stat().st_mtime

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self.root / name).unlink(missing_ok=True)

    def forget(self, name: str) -> bool:
        """Drop a cached copy; here there is none."""
        return False


#: File systems that know keys and no folders: making one costs requests, or makes a bucket that nobody asked for.
_FLAT = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory"}


class Remote:
    """Blobs in any file system that fsspec knows, read through a local cache."""

    def __init__(self, url: str, cache: Path) -> None:
        import fsspec

        self.url, self.cache = url, cache
        with self._reached("opened"):
            self.fs, self.base = fsspec.core.url_to_fs(url)
        protocols = self.fs.protocol if isinstance(self.fs.protocol, (tuple, list)) else (self.fs.protocol,)
        self._flat = not _FLAT.isdisjoint(protocols)

    @contextmanager
    def _reached(self, what: str) -> Iterator[None]:
        """Turn what a file system's library raises into a StoreError, but for a file that is or is not there."""
        try:
            yield
        except (FileNotFoundError, FileExistsError, StoreError):
            raise
        except OSError as error:
            with explained(f"The store cannot be {what}", self.url):
                raise error from None
        except ImportError as error:
            raise StoreError(
                f"The store's file system needs a package: {error}", where=self.url,
                mend="Install it; for s3:// it is in modelway[s3]",
            ) from None  # fmt: skip
        except Exception as error:  # each library has its own for a host that is not there, or a missing key
            raise StoreError(
                f"The store cannot be {what}: {type(error).__name__}: {error}", where=self.url,
                mend="Check its URL, its endpoint and its credentials",
            ) from None  # fmt: skip

    def put(self, name: str, path: Path, *, absent: bool = False) -> bool:
        """Take a file into its place; False where ``absent`` was asked for and it was there."""
        try:
            with self._reached("written"):
                try:
                    return self._put(name, path, absent=absent)
                except FileNotFoundError:
                    if self._flat:
                        raise
                    self.fs.makedirs(f"{self.base}/{name}".rpartition("/")[0], exist_ok=True)
                    return self._put(name, path, absent=absent)
        except FileNotFoundError as error:
            raise StoreError(
                f"The store cannot be written: {error}", where=self.url, mend="Make its bucket or folder first"
            ) from None
        finally:
            path.unlink(missing_ok=True)

    def _put(self, name: str, path: Path, *, absent: bool) -> bool:
        if not absent:
            self.fs.put_file(str(path), f"{self.base}/{name}")
            return True
        for attempt in range(5):
            try:
                self.fs.pipe_file(f"{self.base}/{name}", path.read_bytes(), mode="create")
                return True
            except FileNotFoundError:
                raise
            except OSError as error:  # servers tell "it is there" in more ways than FileExistsError
                if isinstance(error, FileExistsError) or self.size(name) is not None:
                    return False
                if "ConditionalRequestConflict" not in str(error) or attempt == 4:
                    raise
                time.sleep(0.1 * 2**attempt)
        raise AssertionError  # the last attempt returned or raised

    def keep(self, name: str, path: Path, size: int) -> bool:
        """Take a blob in, unless one of its size is there already, which is verified when it is opened."""
        return self.size(name) != size and self.put(name, path)

    def renew(self, name: str, size: int) -> bool:
        """Return whether a file is as if it had been put there now: these systems cannot tell."""
        return False

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, or None where it is not there."""
        try:
            with self._reached("read"):
                return int(self.fs.info(f"{self.base}/{name}")["size"])
        except FileNotFoundError:
            return None

    def local(self, name: str) -> Path:
        """Return a local path of a file; not verified.

        Raises:
            FileNotFoundError: a remote file that is not there.
        """
        place = self.cache / name
        if not name.startswith("objects/") or not place.exists():
            with self._reached("read"):
                place.parent.mkdir(parents=True, exist_ok=True)
                aside = place.with_name(f"{place.name}.{uuid.uuid4().hex[:8]}")
                try:
                    self.fs.get_file(f"{self.base}/{name}", str(aside))
                    os.replace(aside, place)
                finally:
                    aside.unlink(missing_ok=True)
        return place

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield name and time of last change of every file below a prefix, sorted by name."""
        with self._reached("read"):
            self.fs.invalidate_cache()
            found = self.fs.find(f"{self.base}/{prefix}", detail=True)
            self.fs.invalidate_cache()  # or sizes would be those of this listing from here on
        for name, info in sorted(found.items()):
            when = info.get("mtime") or info.get("LastModified") or info.get("created") or 0
            at = when.timestamp() if hasattr(when, "timestamp") else float(when)
            yield name.removeprefix(self.base).lstrip("/"), at

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self.forget(name)
        with suppress(FileNotFoundError), self._reached("written"):
            self.fs.rm_file(f"{self.base}/{name}")

    def forget(self, name: str) -> bool:
        """Drop the cached copy; returns whether there was one."""
        there = (self.cache / name).exists()
        (self.cache / name).unlink(missing_ok=True)
        return there


def sync_folder(path: Path) -> None:
    """Make a folder's new names survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(file: Any) -> None:
    """Make what was written to an open file survive a loss of power."""
    file.flush()
    os.fsync(file.fileno())
