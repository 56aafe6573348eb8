"""Profiles, bundles and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from modelway.values.artifact import Folder, Value


@dataclass(frozen=True)
class Profile(Value, kind="Profile"):
    """What a table holds, as finished summaries of plain JSON, by column."""

    body: Mapping[str, Any] = field(default_factory=dict)

    def save(self, folder: Folder) -> None:
        """Write ``profile.json``."""
        folder.put_json("profile.json", self.body)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read ``profile.json``."""
        return cls(folder.get_json("profile.json"))


@dataclass(frozen=True)
class Bundle(Value, kind="Bundle"):
    """A packaged model: a folder of files that a target can run.

    Attributes:
        root: The folder.
        about: Facts that listings show: name, packager, size, what the bundle holds.
    """

    root: Path
    about: Mapping[str, Any] = field(default_factory=dict)

    def save(self, folder: Folder) -> None:
        """Write every file, and ``bundle.json``."""
        for path in sorted(p for p in self.root.rglob("*") if p.is_file()):
            folder.add(f"files/{path.relative_to(self.root).as_posix()}", path)
        folder.put_json("bundle.json", self.about)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read what describes it; the files are unpacked where they are run."""
        return cls(folder.path("bundle.json").parent, folder.get_json("bundle.json"))


@dataclass(frozen=True)
class Deployment:
    """A bundle that a target runs: where, which digest, since when."""

    target: str
    bundle: str
    address: str = ""
    since: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
