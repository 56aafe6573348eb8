"""The scorer: a bundle's model, verified, rebuilt from an allow-list, and tested on its golden rows."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelway import Component, DataError, Directory, PluginError, ScoringModel, build

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Scorer:
    """A model that is ready to score.

    Attributes:
        model: The scoring form.
        manifest: What the bundle says of itself.
        difference: Largest difference from the golden scores, found just now.
        seconds: What loading and testing took.
    """

    model: ScoringModel
    manifest: Mapping[str, Any]
    difference: float
    seconds: float = 0.0


def load(root: Path) -> Scorer:
    """Load the model of a bundle and test it.

    Args:
        root: The bundle's source folder: ``manifest.json``, ``model/`` and ``lib/``, the last on ``sys.path`` already.

    Raises:
        DataError: a part does not match its digest, or the golden rows score otherwise than they did in training.
        PluginError: a component that the manifest does not list, or that is not the bundle's own code.
    """
    import time

    start = time.perf_counter()
    manifest = json.loads((root / "manifest.json").read_bytes())
    verify(root, manifest)
    components = Components(root / "lib", manifest["components"])
    model = ScoringModel.load(Directory(root / "model", components))
    difference = model.self_test()
    if not difference <= manifest["tolerance"]:
        raise DataError(
            f"The golden rows score otherwise here than in training: the largest difference is {difference:.3g},"
            f" and {manifest['tolerance']:.3g} is allowed",
            mend="Compare this environment with requirements.txt, and this processor with the one it was made on",
        )
    return Scorer(model, manifest, difference, time.perf_counter() - start)


class Components:
    """Builds components that the manifest lists, from the bundle's own code and nothing else.

    Args:
        lib: Folder of the bundle's code.
        allowed: ``stage/name`` to ``module:class``.
    """

    def __init__(self, lib: Path, allowed: Mapping[str, str]) -> None:
        self.lib, self.allowed = lib.resolve(), allowed

    def __call__(self, stage: str, use: str, config: dict[str, Any]) -> Any:
        """Build a component from its configuration.

        Raises:
            PluginError: it is not on the list, or what the list names is not such a component of the bundle's code.
        """
        name = self.allowed.get(f"{stage}/{use}")
        if name is None:
            raise PluginError(f"The manifest does not list the {stage} component '{use}'", where="manifest.json")
        return build(self._class(stage, use, name), config)

    def _class(self, stage: str, use: str, name: str) -> type[Component]:
        module_name, _, attribute = name.partition(":")
        top = self.lib / module_name.partition(".")[0]
        if not _NAME.fullmatch(name) or not (top.is_dir() or top.with_suffix(".py").is_file()):
            raise PluginError(f"The component '{name}' is not part of the bundle's code", where="manifest.json")
        module = importlib.import_module(module_name)
        if not Path(module.__file__ or "").resolve().is_relative_to(self.lib):
            raise PluginError(f"The component '{name}' was loaded from outside the bundle", where=str(module.__file__))
        found = getattr(module, attribute, None)
        fits = isinstance(found, type) and issubclass(found, Component) and (found.stage, found.name) == (stage, use)
        if not fits:
            raise PluginError(f"'{name}' is not the {stage} component '{use}'", where="manifest.json")
        return found  # type: ignore[return-value]


def verify(root: Path, manifest: Mapping[str, Any]) -> None:
    """Compare every part of a bundle with the digest that its manifest holds.

    Raises:
        DataError: a part that is not what was packaged, or that belongs to another bundle.
    """
    found = digests(root)
    for part, digest in manifest["digests"].items():
        if part in found and found[part] != digest:
            raise DataError(
                f"The bundle's {part} is not what was packaged: its digest is {found[part][:12]},"
                f" and the manifest says {digest[:12]}",
                mend="Unpack the bundle anew",
            )


def digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each part of a bundle: model, transforms, schema, golden rows, code, environment."""
    scoring = json.loads((root / "model" / "scoring.json").read_bytes())
    # The order of mappings is kept: that of columns shapes scores.
    parts = {
        "transforms": [scoring["preparers"], scoring["transforms"]],
        "schema": [scoring["schema"], scoring["task"], scoring["classes"]],
        "golden": scoring["golden"],
        "trainer": scoring["trainer"],
    }
    found = {name: _sha256(json.dumps(value).encode()) for name, value in parts.items()}
    found["model"] = folder_digest(root / "model" / "model")
    found["code"] = folder_digest(root / "lib")
    requirements = root / "requirements.txt"
    if requirements.exists():
        found["environment"] = _sha256(requirements.read_bytes())
    return found


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of a folder's file names and contents; compiled code is left out."""
    names = ((path.relative_to(folder).as_posix(), _sha256(path.read_bytes())) for path in files(folder))
    return _sha256(json.dumps(sorted(names)).encode())


def files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, sorted; compiled code is left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def close(names: list[str]) -> None:
    """Make modules as absent as they are in the bundle's own environment.

    Libraries import others where they happen to be installed; on a machine that has them, a service would start slower,
    hold more memory, and differ from the one that was tested.
    """
    for name in names:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
