"""The bento: built by BentoML's own API in a process of its own, then brought into a form that does not vary."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: The bento's ``service.py``.
ENTRY = '''\
"""The service of this bundle, as BentoML finds it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "lib"))

from modelway_bentoml.serving.service import make  # noqa: E402

service = make(ROOT)
'''

_BUILD = """
import json, sys
import bentoml
from bentoml._internal.bento.build_config import BentoEnvSchema
options = json.loads(sys.argv[1])
options["envs"] = [BentoEnvSchema(**item) for item in options["envs"]]
print(json.dumps(bentoml.build(**options).path))
"""

#: What the bento says of when it was made: a bundle is known by its content, and the ledger knows when it came to be.
_MADE = "1970-01-01T00:00:00+00:00"


def home(folder: Path) -> dict[str, str]:
    """Return the environment variables that keep BentoML inside a folder, and quiet."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True"}


def start(source: Path, environment: Mapping[str, str], readme: str) -> subprocess.Popen[str]:
    """Start building a bento of everything in a source folder, for the current Python.

    Args:
        source: Holds ``service.py`` and ``requirements.txt``.
        environment: Of ``home``, and more.
        readme: The bento's README.
    """
    options = {
        "service": "service:service",
        "build_ctx": str(source),
        "include": ["*"],
        "version": "latest-build",
        "description": readme,
        "python": {"requirements_txt": "requirements.txt", "lock_packages": False},
        "docker": {"python_version": f"{sys.version_info.major}.{sys.version_info.minor}"},
        # The service listens on loopback unless told otherwise; in a container, that is what reaches nobody.
        "envs": [{"name": "BENTOML_HOST", "value": "0.0.0.0"}],
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _BUILD, json.dumps(options)], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip


def finish(built: Path, target: Path, *, version: str, requirements: str, openapi: Mapping[str, Any]) -> None:
    """Move a built bento to where the bundle is, and settle what BentoML could not know or dates.

    Args:
        built: The bento in BentoML's store.
        target: The bundle's folder; made here.
        version: The bento's version.
        requirements: The locked environment, in place of what BentoML wrote.
        openapi: The service's description, in place of BentoML's own, which shows none of our routes.
    """
    import yaml

    shutil.move(built, target)
    python = target / "env" / "python"
    (python / "requirements.in").unlink(missing_ok=True)
    for path in (python / "requirements.txt", target / "src" / "requirements.txt"):
        path.write_text(requirements, encoding="utf-8")
    settings = target / "bento.yaml"
    body = yaml.safe_load(settings.read_text(encoding="utf-8"))
    body |= {"version": version, "creation_time": _MADE}
    body["image"]["python_requirements"] = requirements
    settings.write_text(yaml.safe_dump(body, sort_keys=True), encoding="utf-8")
    described = yaml.safe_dump(json.loads(json.dumps(openapi)), sort_keys=True)
    (target / "apis" / "openapi.yaml").write_text(described, encoding="utf-8")
