"""The workspace: the folder that holds projects, shared configuration, and ``.modelway``."""

from __future__ import annotations

import json
import os
import uuid
from collections import UserDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelway.errors import ConfigError, nearest

if TYPE_CHECKING:
    from modelway.ledger import Ledger
    from modelway.store import Store


class Memory(UserDict[str, Any]):
    """What components remember from run to run: plain JSON by key, in a file that can be deleted at any time.

    Args:
        path: The file; read when something is first asked for.
    """

    #: Most entries; beyond, those that were remembered first are forgotten.
    MOST = 50_000

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self._new = path, dict[str, Any]()
        self._read = False

    def __getitem__(self, key: str) -> Any:
        if not self._read:
            self.data, self._read = {**self._load(), **self._new}, True
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        with suppress(KeyError):
            self[str(key)]
            return True
        return False

    def __setitem__(self, key: str, value: Any) -> None:
        self.data[key] = self._new[key] = value

    def _load(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def save(self, write: Callable[[Path, bytes], None]) -> None:
        """Write what is new through ``write(path, data)``, beside what other processes wrote."""
        if self._new:
            kept = {key: value for key, value in self._load().items() if key not in self._new} | self._new
            write(self.path, json.dumps(dict(list(kept.items())[-self.MOST :])).encode())
            self._new = {}


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
    def own_ledger(self) -> str:
        """The workspace's own ledger."""
        return str(self.state / "ledger.db")

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
        """Open a store by URL; by default ``MODELWAY_STORE``, or the workspace's own."""
        from modelway.store import Store, is_local

        url = url or os.environ.get("MODELWAY_STORE", "")
        place = url if "://" in url else str(self.root / url) if url else str(self.state)
        # Files on their way into a folder must lie on its disk, to be renamed into place
        return Store(place, None if is_local(place) else self.state / "tmp", warn)

    def ledger(self, url: str = "") -> Ledger:
        """Open a ledger by URL; by default ``MODELWAY_LEDGER``, or the workspace's own."""
        from modelway.ledger import Ledger

        url = url or os.environ.get("MODELWAY_LEDGER", "")
        return Ledger(url if "://" in url else str(self.root / url) if url else self.own_ledger)
