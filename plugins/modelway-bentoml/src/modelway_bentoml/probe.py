"""The probe: loads a bundle as its service will, in a process of its own, and tells what that took.

It proves before anything is released that the bundle scores its golden rows by its own code, and finds out which other
distributions that code needs: those that it imports itself, as it runs. An optional import of a heavy library by some
third library is refused, as it would be in the bundle's own environment. It is run as a script, so that it watches from
the first import on.
"""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

#: Libraries of training that others import where they find them.
HEAVY = ("dask", "distributed", "hydra", "omegaconf", "pandas", "pandera", "pyarrow", "sklearn", "sqlalchemy")


class Imports:
    """Watches imports: which modules the bundle's own code asks for, and which heavy ones are let through.

    Args:
        lib: The bundle's code.
    """

    def __init__(self, lib: Path) -> None:
        self.own = {path.name.removesuffix(".py") for path in lib.iterdir()}
        self.asked: set[str] = set()
        self.through: set[str] = set()
        self._import = builtins.__import__

    def __call__(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        """Stand in for ``__import__``."""
        top = name.partition(".")[0]
        if not level and globals:
            importer = str(globals.get("__name__", "")).partition(".")[0]
            if importer in self.own and top not in self.own and top not in sys.stdlib_module_names:
                self.asked.add(top)
                self.through.add(top)
            elif top in HEAVY and top not in self.through and top != importer:
                if not requires(importer, top):
                    raise ModuleNotFoundError(f"No module named '{top}'", name=top)
                self.through.add(top)
        return self._import(name, globals, locals, fromlist, level)


@cache
def requires(importer: str, imported: str) -> bool:
    """Return whether the distribution of one module requires that of another, extras aside."""
    from importlib import metadata

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    owners = metadata.packages_distributions()
    wanted = {canonicalize_name(name) for name in owners.get(imported, ())}
    for owner in owners.get(importer, ()):
        for text in metadata.requires(owner) or ():
            needed = Requirement(text)
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if applies and canonicalize_name(needed.name) in wanted:
                return True
    return False


def main(root: Path) -> None:
    """Load the bundle at ``root`` and print what was found as JSON: imports, golden difference, seconds, memory."""
    watch = Imports(root / "lib")
    builtins.__import__ = watch
    sys.path.insert(0, str(root / "lib"))
    from modelway import ModelwayError
    from modelway_bentoml.serving.scorer import load

    try:
        scorer = load(root)
        found: dict[str, Any] = {"difference": scorer.difference, "seconds": round(scorer.seconds, 3)}
    except ModelwayError as error:
        found = {"error": [error.what, error.where, error.mend]}
    except Exception as error:
        found = {"error": [f"The bundle cannot be loaded: {type(error).__name__}: {error}", "", ""]}
    builtins.__import__ = watch._import
    strays = [
        name
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in watch.own
        and getattr(module, "__file__", None)
        and not Path(str(module.__file__)).resolve().is_relative_to((root / "lib").resolve())
    ]
    closed = sorted(set(HEAVY) - watch.through)
    print(json.dumps({**found, "imports": sorted(watch.asked), "closed": closed, "strays": strays}))


def start(root: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start the probe of a bundle's source folder with the current Python."""
    script = root / "lib" / "modelway_bentoml" / "probe.py"
    return subprocess.Popen(
        [sys.executable, "-P", str(script), str(root)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
