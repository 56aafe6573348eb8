"""The workspace: the folder that holds projects, shared configuration, and ``.modelway``."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelway.errors import ConfigError, nearest

if TYPE_CHECKING:
    from modelway.ledger import Ledger
    from modelway.store import Store


@dataclass(frozen=True)
class Workspace:
    """Where things are.

    Attributes:
        root: The folder that has ``projects/`` or ``.modelway/``; for a project that stands alone, its own folder.
    """

    root: Path

    @property
    def state(self) -> Path:
        """The folder of store, ledger, bundles and caches."""
        return self.root / ".modelway"

    @property
    def cache(self) -> Path:
        """Files that can be deleted at any time."""
        return self.state / "cache"

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """Find the workspace of a folder: ``MODELWAY_WORKSPACE``, or the nearest parent that looks like one."""
        told = os.environ.get("MODELWAY_WORKSPACE")
        if told:
            return cls(Path(told).expanduser().resolve())
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "projects").is_dir() or (folder / ".modelway").is_dir():
                return cls(folder)
        return cls(start)

    @classmethod
    def project(cls, name: str) -> tuple[Workspace, Path]:
        """Find a project by name (below ``projects/``) or path, and its workspace.

        Raises:
            ConfigError: there is no such project.
        """
        workspace = cls.find()
        folder = workspace.root / "projects" / name
        path = Path(name).expanduser().resolve()
        if not Path(name).expanduser().is_absolute() and (folder / "conf" / "config.yaml").is_file():
            return workspace, folder
        if (path / "conf" / "config.yaml").is_file():
            if os.environ.get("MODELWAY_WORKSPACE"):
                return workspace, path
            parent = path.parent.parent if path.parent.name == "projects" else path
            return cls(parent), path
        known = [p.parent.parent.name for p in workspace.root.glob("projects/*/conf/config.yaml")]
        looked = f"{folder} or {path}"
        raise ConfigError(
            f"There is no project '{name}': neither place has a conf/config.yaml", where=looked,
            mend=nearest(name, known)
            or "Start one in a folder of its own: 'modelway plugins project' lists what goes into conf/config.yaml",
        )  # fmt: skip

    def write_cache(self, path: Path, data: bytes) -> None:
        """Write a cache file whole or not at all; a cache that cannot be written is no error."""
        aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(data)
            os.replace(aside, path)
        except OSError:
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def store(self, url: str = "", warn: Callable[[str], None] = lambda text: None) -> Store:
        """Open the workspace's store, or another one by URL."""
        from modelway.store import Store

        place = url if "://" in url else str(self.root / url) if url else str(self.state)
        return Store(place, self.state / "tmp", warn)

    def ledger(self, url: str = "") -> Ledger:
        """Open the workspace's ledger, or another one by URL."""
        from modelway.ledger import Ledger

        return Ledger(url if "://" in url else str(self.root / url) if url else str(self.state / "ledger.db"))
