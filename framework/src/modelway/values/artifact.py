"""The protocol by which a value writes and reads itself; the store, a bundle and a test folder implement it."""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self


class Blobs(Protocol):
    """Content-addressed bytes: what a Table's parts live in."""

    def put_file(self, path: Path) -> tuple[str, int]:
        """Keep a copy of a file; returns its digest and size in bytes."""
        ...

    def open(self, digest: str) -> Path:
        """Return a local, verified file holding the blob.

        Raises:
            StoreError: the blob is absent, or its bytes do not match its digest.
        """
        ...

    def has(self, digest: str, size: int | None = None) -> bool:
        """Return whether a blob is there, of the given size; its bytes are verified when it is opened."""
        ...


class Folder(Protocol):
    """A named set of files, written once, then read."""

    blobs: Blobs

    def put(self, name: str, data: bytes) -> None:
        """Write a file."""
        ...

    def add(self, name: str, path: Path) -> None:
        """Copy a file in."""
        ...

    def refer(self, name: str, digest: str, size: int) -> None:
        """Include a blob that is already kept."""
        ...

    def names(self) -> list[str]:
        """Return the names of the files, sorted."""
        ...

    def path(self, name: str) -> Path:
        """Return a local, verified path of a file."""
        ...

    def component(self, stage: str, use: str, config: dict[str, Any]) -> Any:
        """Build the component that wrote a part of the value, so that it can read it back."""
        ...

    def put_json(self, name: str, value: Any) -> None:
        """Write a JSON file."""
        ...

    def get_json(self, name: str) -> Any:
        """Read a JSON file."""
        ...

    def sub(self, name: str) -> Folder:
        """Return the folder below this one of that name."""
        ...


def dumps(value: Any) -> bytes:
    """Write JSON of one form: no spaces, UTF-8, and keys in the order in which the value holds them.

    The order is part of the value: that of columns, features and derived expressions shapes results.
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


class Value(ABC):
    """What flows between stages: immutable, and able to write and read itself."""

    kind: ClassVar[str] = ""

    def __init_subclass__(cls, kind: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.kind = kind or cls.kind

    @abstractmethod
    def save(self, folder: Folder) -> None:
        """Write every byte of the value into ``folder``; equal values write equal bytes."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Folder) -> Self:
        """Read back what ``save`` wrote; nothing read is ever executed."""


class Files(ABC):
    """The shared half of every ``Folder``: JSON on top of bytes, and views of sub-folders."""

    blobs: Blobs
    prefix: str = ""
    #: Builds the component of (stage, name, configuration); absent where nothing needs one.
    components: Any = None

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Write a file."""

    @abstractmethod
    def path(self, name: str) -> Path:
        """Return a local path of a file."""

    def put_json(self, name: str, value: Any) -> None:
        """Write a JSON file."""
        self.put(name, dumps(value))

    def get_json(self, name: str) -> Any:
        """Read a JSON file."""
        return json.loads(self.path(name).read_bytes())

    def component(self, stage: str, use: str, config: dict[str, Any]) -> Any:
        """Build the component that wrote a part of the value."""
        if self.components is None:
            raise LookupError(f"This folder cannot build the {stage} component '{use}'")
        return self.components(stage, use, config)

    def sub(self, name: str) -> Any:
        """Return a view of the folder below."""
        view = copy.copy(self)
        view.prefix = f"{self.prefix}{name}/"
        return view


class Directory(Files):
    """A ``Folder`` that is a plain directory: bundles, and tests.

    Args:
        root: The directory; made when the first file is written.
        components: As in ``Files``.
    """

    def __init__(self, root: Path, components: Any = None) -> None:
        self.root, self.components = root, components

    def put(self, name: str, data: bytes) -> None:
        """Write a file."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def add(self, name: str, path: Path) -> None:
        """Copy a file in."""
        self.put(name, path.read_bytes())

    def refer(self, name: str, digest: str, size: int) -> None:
        """Copy a blob in."""
        self.add(name, self.blobs.open(digest))

    def names(self) -> list[str]:
        """Return the names of the files, sorted."""
        root = self.root / self.prefix
        return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.root / f"{self.prefix}{name}"
