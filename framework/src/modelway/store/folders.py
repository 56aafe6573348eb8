"""Folders of a value's files, whose bytes lie in the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway.store.manifest import Manifest
from modelway.values.artifact import Files

if TYPE_CHECKING:
    from modelway.store import Store


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
