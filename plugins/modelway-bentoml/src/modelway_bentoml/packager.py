"""The packager: from a scoring model to a bundle that serves it."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelway import Bundle, DataError, Directory, Packager, PluginError, Run, ScoringModel, param

#: Layout of ``manifest.json``.
LAYOUT = 1


@dataclass(frozen=True, kw_only=True)
class BentoML(Packager, name="bentoml"):
    """A bento that holds model, code, schema, golden rows and a locked environment, and serves them.

    The service tests itself on the golden rows when it starts and stays not ready outside the tolerance. It holds
    requests to the declared schema, and answers with scores. What travels is the code that the model's components reach
    by import; the environment is what that code needs, at the versions installed here, and nothing of training.

    Before a bundle is returned, it is loaded in a process of its own: one whose golden rows score otherwise than in
    training is refused. Equal models give equal bundles, byte for byte.
    """

    tolerance: float = param(1e-6, "Largest difference from golden scores at which the service is ready.", at_least=0)
    most_rows: int = param(100_000, "Most rows that one request may hold.", at_least=1)
    most_bytes: int = param(16 * 2**20, "Largest body of a request, in bytes.", at_least=1024)
    timeout: float = param(30.0, "Seconds that a request may take; its body must arrive within half of them.", above=0)
    workers: int = param(1, "Processes that serve.", at_least=1)
    lock: str = param("requirements.lock", "Lock file of the workspace, whose hashes the requirements take over.")
    instead: dict[str, str] = param(
        {"xgboost": "xgboost-cpu", "nvidia-nccl-cu12": ""},
        "Distributions to require in place of others; an empty one leaves the other out.",
    )
    also: tuple[str, ...] = param((), "Further distributions to require, such as one imported by a computed name.")

    libraries = ("bentoml", "numpy", "pluggy")

    def package(self, model: ScoringModel, run: Run) -> Bundle:
        """Build the bento below ``run.scratch``.

        Raises:
            DataError: no golden rows, or golden rows that score otherwise than in training.
            ConfigError: code that cannot travel, or that needs what is not installed.
            PluginError: BentoML failed to build.
        """
        from modelway_bentoml import bento, probe, travel

        if not model.golden.get("rows"):
            raise DataError("The model carries no golden rows, so a bundle of it could not test itself")
        source, target = run.scratch / "source", run.scratch / "bundle"
        for folder in (source, target):
            shutil.rmtree(folder, ignore_errors=True)
        files = travel.code_of(model)
        travel.copy(files, source / "lib")
        model.save(Directory(source / "model"))
        (source / "service.py").write_text(bento.ENTRY, encoding="utf-8")
        (source / "requirements.txt").write_text("bentoml\n", encoding="utf-8")
        manifest = self._manifest(model, run, source, travel.allowed(model))
        _write(source, manifest)
        inside = {**bento.home(run.scratch / "bentoml"), "PYTHONDONTWRITEBYTECODE": "1"}
        with probe.start(source, inside) as tested, bento.start(source, inside, readme(manifest, model)) as building:
            found = _probed(tested)
            built = Path(str(_outcome(building, "BentoML could not build the bento")))
        requirements = self._requirements(found["imports"], run)
        manifest = _versioned({**manifest, "closed": found["closed"]}, requirements)
        from modelway_bentoml.serving.app import describe

        described = describe(source, manifest)["openapi"]
        bento.finish(built, target, version=manifest["version"], requirements=requirements, openapi=described)
        _write(target / "src", manifest)
        run.log("golden difference", found["difference"])
        run.log("load seconds", found["seconds"])
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        about = {
            "packager": self.name,
            "name": f"{manifest['service']['name']}:{manifest['version']}",
            "bytes": size,
            "manifest": "src/manifest.json",
            **{key: manifest[key] for key in ("project", "version", "task", "digests", "python")},
        }
        return Bundle(target, about)

    def command(self, root: Path, host: str, port: int) -> tuple[list[str], dict[str, str]]:
        """Return the command that serves an unpacked bundle with the current Python, and its environment."""
        import os
        import tempfile

        from modelway_bentoml import bento

        root = root.resolve()  # BentoML takes a relative path for a module's name.
        # Each server has a home of its own: BentoML keeps the metrics of its processes there.
        inside = root / ".bentoml" / str(port)
        if not os.access(root, os.W_OK):
            inside = Path(tempfile.mkdtemp(prefix="modelway-bentoml-"))
        argv = [sys.executable, "-m", "bentoml", "serve", str(root), "--host", host, "--port", str(port)]
        return argv, bento.home(inside)

    def _manifest(self, model: ScoringModel, run: Run, source: Path, allowed: Mapping[str, str]) -> dict[str, Any]:
        from modelway_bentoml.serving.scorer import digests

        parts = {name: digest for name, digest in digests(source).items() if name != "environment"}
        data = model.about.get("data")
        return {
            "layout": LAYOUT,
            "project": run.project,
            "version": "",
            "task": model.task,
            "digests": {**parts, **({"data": data} if isinstance(data, str) else {})},
            "components": dict(allowed),
            "tolerance": self.tolerance,
            "limits": {"rows": self.most_rows, "bytes": self.most_bytes, "seconds": self.timeout / 2},
            "service": {"name": service_name(run.project), "workers": self.workers, "timeout": self.timeout},
            "closed": [],
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "platform": f"{platform.system().lower()}-{platform.machine()}",
        }

    def _requirements(self, imports: list[str], run: Run) -> str:
        from modelway_bentoml import environment

        roots = ["bentoml", *environment.owners(imports), *self.also]
        locked = environment.hashes(run.path(self.lock)) if self.lock else {}
        text, absent = environment.requirements(environment.pins(roots, self.instead), locked)
        if absent:
            run.log("not in the lock", absent)
        return text


def service_name(project: str) -> str:
    """Return the bento's name: BentoML admits lower-case letters, digits, and ``_-.`` between them."""
    return "modelway_" + (re.sub(r"[^a-z0-9]+", "_", project.lower()).strip("_") or "model")


def readme(manifest: Mapping[str, Any], model: ScoringModel) -> str:
    """Return the bento's README: what it is, and how to call it."""
    row = json.dumps({"rows": model.golden["rows"][:1]})
    return (
        f"# {manifest['project']}\n\nA {manifest['task']} model, packaged by Modelway.\n\n"
        "`bentoml serve .` serves it on port 3000 of this machine. `GET /health` tells whether it scores its golden\n"
        "rows rightly, `GET /schema` what a request may hold, `GET /openapi.json` all routes. To score a row:\n\n"
        f"    curl -s localhost:3000/predict -H 'content-type: application/json' -d {_quoted(row)}\n"
    )


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _versioned(manifest: dict[str, Any], requirements: str) -> dict[str, Any]:
    import hashlib

    parts = {**manifest["digests"], "environment": hashlib.sha256(requirements.encode()).hexdigest()}
    whole = {**manifest, "digests": dict(sorted(parts.items()))}
    return {**whole, "version": hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]}


def _write(source: Path, manifest: Mapping[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    (source / "manifest.json").write_text(text + "\n", encoding="utf-8")


def _probed(process: subprocess.Popen[str]) -> dict[str, Any]:
    found: dict[str, Any] = _outcome(process, "The bundle could not be tried")
    if "error" in found:
        what, where, mend = found["error"]
        raise DataError(what, where=where, mend=mend)
    if found["strays"]:
        raise PluginError(
            f"The bundle's code is not whole: {', '.join(found['strays'][:5])} came from this environment instead",
            mend="Import it where a reader of the code can see it, not by a computed name",
        )
    return found


def _outcome(process: subprocess.Popen[str], what: str) -> Any:
    out, err = process.communicate()
    lines = out.strip().splitlines()
    if process.returncode or not lines:
        said = (err.strip().splitlines() or ["it said nothing"])[-1]
        raise PluginError(f"{what}: {said}", mend="Run 'modelway doctor' to check the environment")
    return json.loads(lines[-1])
