"""What a worker is asked before any work: its Python, its code, and whether it sees the store."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

#: Digest of each package when this process was first asked about it: what is imported already stays as it was then.
_first: dict[str, str] = {}


def python() -> str:
    """Return Python's minor version, which packed functions depend on."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def version(name: str) -> str:
    """Return the version of a distribution; empty where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def packages(name: str) -> tuple[str, ...]:
    """Return the packages whose code counts: those that a distribution offers to Modelway, and Modelway's own."""
    if name == "modelway":
        return ("modelway",)
    try:
        points = metadata.distribution(name).entry_points
    except (metadata.PackageNotFoundError, ValueError):
        return ()
    return tuple(sorted({point.module.partition(".")[0] for point in points if point.group == "modelway"}))


def digest(package: str) -> str:
    """Return the digest of a package's files as they lie on the disk; empty where there is no such package.

    Versions do not tell two states of an editable installation apart.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        return ""
    state = hashlib.sha256()
    for folder in spec.submodule_search_locations or []:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                state.update(f"{path.relative_to(folder)}\0".encode())
                state.update(hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def stale(package: str, found: str) -> bool:
    """Return whether this process may have imported a package before its files became what they are now."""
    return _first.setdefault(package, found) != found


def look(names: tuple[str, ...], packs: tuple[str, ...], blobs: Any, token: str, answer: bytes) -> Mapping[str, Any]:
    """Answer on a worker.

    Args:
        names: Distributions whose version is asked.
        packs: Packages whose code is asked.
        blobs: The store.
        token: Digest of a file that the asking process put into the store.
        answer: What to put there.

    Returns:
        ``python``, ``versions``, ``digests``, ``stale`` (packages), and ``store``: empty, or why it cannot be used.
    """
    digests = {package: digest(package) for package in packs}
    return {
        "python": python(),
        "versions": {name: version(name) for name in names},
        "digests": digests,
        "stale": [package for package, found in digests.items() if stale(package, found)],
        "store": _store(blobs, token, answer),
    }


def _store(blobs: Any, token: str, answer: bytes) -> str:
    try:
        blobs.open(token)
    except Exception as error:  # whatever it is, it is told
        return f"it does not find what was put there ({_told(error)})"
    try:
        put(blobs, answer)
    except Exception as error:
        return f"it cannot write there ({_told(error)})"
    return ""


def _told(error: Exception) -> str:
    return str(getattr(error, "what", "") or f"{type(error).__name__}: {error}")


def put(blobs: Any, data: bytes) -> str:
    """Put a few bytes into the store, and return their digest."""
    with tempfile.TemporaryDirectory(prefix="modelway-") as folder:
        path = Path(folder) / "token"
        path.write_bytes(data)
        found: str = blobs.put_file(path)[0]
    return found
