"""Manifests: what was computed under a fingerprint, and the files that hold it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelway.values.artifact import dumps

#: Layout of manifests; a manifest of another number is a miss.
SCHEMA = 1
_DIGEST = re.compile("[0-9a-f]{64}")


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


def read_manifest(body: Any) -> Manifest:
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
