"""The packager: from a scoring model to a folder that a small machine can run."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from modelway import Bundle, DataError, Directory, Packager, PluginError, Run, ScoringModel, param, plain

#: Layout of ``manifest.json``.
LAYOUT = 1
#: What a bundle is run by.
RUN = '''"""Scores rows with this bundle; needs onnxruntime and numpy. Try ``python run.py --help``."""

import sys
from pathlib import Path

import numpy  # noqa: F401  # these two first, so that Python may keep their compiled form
import onnxruntime  # noqa: F401  # as numpy

sys.dont_write_bytecode = True  # the folder stays what was packaged
sys.path.insert(0, str(Path(__file__).resolve().parent))

from modelway_edge_runtime.command import main

if __name__ == "__main__":
    sys.exit(main())
'''


@dataclass(frozen=True, kw_only=True)
class Edge(Packager, name="edge"):
    """Row steps, features and model as one ONNX graph, run by onnxruntime and numpy alone.

    The bundle holds ``model.onnx``, the schema, golden rows, a manifest of digests, and a runner: ``python run.py
    check`` and ``python run.py score in.csv out.csv``, or ``Scorer`` from Python. The runner holds rows to the declared
    schema, refuses a bundle whose parts do not match the manifest, and stays not ready where golden rows score
    otherwise than in training. What cannot be compiled is refused by name.

    Before a bundle is returned, it scores the golden rows and made-up rows of the schema, missing and unseen values
    among them, as the training path does, and keeps its budgets in a process of its own. Equal models give equal
    bundles, byte for byte.
    """

    libraries: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "numpy")

    tolerance: float = param(
        1e-5, "Largest difference from the training path's scores; of those above 1, as a share.", at_least=0
    )
    parity_rows: int = param(2000, "Rows of the schema that are made up and scored both ways.", at_least=0)
    max_mb: float | None = param(140.0, "Most megabytes of bundle, onnxruntime and numpy together.", above=0)
    max_ms_per_row: float | None = param(None, "Most milliseconds for one row, half of the time.", above=0)
    max_cold_start_s: float | None = param(None, "Most seconds from starting Python to the first score.", above=0)
    max_memory_mb: float | None = param(None, "Most megabytes of memory.", above=0)

    def package(self, model: ScoringModel, run: Run) -> Bundle:
        """Build the bundle below ``run.scratch``.

        Raises:
            ConfigError: a step, feature, rule or model that cannot be compiled.
            DataError: no golden rows, scores that differ from the training path's, or a budget that is not kept.
            PluginError: the bundle does not run here.
        """
        from modelway_edge import compiling, measuring, parity, writing

        if not model.golden.get("rows"):
            raise DataError("The model carries no golden rows, so a bundle of it could not test itself")
        compiled = compiling.compiled(model)
        root = run.scratch / "bundle"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        sources = _sources(model, run.scratch / "source")
        _write(root / "golden.json", model.golden)
        _write(root / "schema.json", _schema(model, compiled))
        (root / "model.onnx").write_bytes(writing.model_bytes(compiled, {"project": run.project, **sources}))
        (root / "run.py").write_text(RUN, encoding="utf-8")
        _runtime(root / "modelway_edge_runtime")
        manifest = self._manifest(model, run, root, sources)
        _write(root / "manifest.json", manifest)
        self._hold("The scores differ from the training path's by", parity.difference(model, root, self.parity_rows),
                   self.tolerance, "", "Compare the features' options, or package for another target")  # fmt: skip
        found = measuring.measured(root)
        self._budgets(found)
        for name, value in found.items():
            run.log(f"edge {name}", round(value, 6))
        size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        about = {
            "packager": self.name,
            "name": f"{run.project}:{manifest['version']}",
            "bytes": size,
            "manifest": "manifest.json",
            **{key: manifest[key] for key in ("project", "version", "task", "digests")},
        }
        return Bundle(root, about)

    def _budgets(self, found: Mapping[str, float]) -> None:
        ask = "Use fewer or shallower trees, or raise the budget"
        self._hold("With its libraries the bundle takes", found["installed_mb"], self.max_mb, " MB", ask)
        self._hold("One row takes", found["row_ms"], self.max_ms_per_row, " ms", ask)
        self._hold("The first score takes", found["cold_start_s"], self.max_cold_start_s, " s", ask)
        self._hold("Scoring takes", found["memory_mb"], self.max_memory_mb, " MB of memory", ask)

    def _hold(self, what: str, found: float, most: float | None, unit: str, mend: str) -> None:
        if most is not None and not found <= most:
            raise DataError(f"{what} {found:.3g}{unit}, and at most {most:.3g}{unit} is allowed", mend=mend)

    def _manifest(self, model: ScoringModel, run: Run, root: Path, sources: Mapping[str, str]) -> dict[str, Any]:
        from modelway_edge_runtime.scorer import version_of

        from modelway_edge.writing import OPSETS

        names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
        data = model.about.get("data")
        manifest = {
            "layout": LAYOUT,
            "project": run.project,
            "task": model.task,
            "classes": list(model.classes),
            "tolerance": self.tolerance,
            "golden": len(model.golden["rows"]),
            "files": {name: _sha256((root / name).read_bytes()) for name in names},
            "digests": {**sources, **({"data": data} if isinstance(data, str) else {})},
            "opsets": OPSETS,
            "versions": {name: _version(name) for name in self.libraries},
            "budgets": {name: getattr(self, name)
                        for name in ("max_mb", "max_ms_per_row", "max_cold_start_s", "max_memory_mb")},
        }  # fmt: skip
        return {**manifest, "version": version_of(json.loads(json.dumps(manifest)))}


def _schema(model: ScoringModel, compiled: Any) -> dict[str, Any]:
    from modelway_edge.compiling import entrance

    return {
        "columns": {name: {**plain(column), "enters": entrance(column)}
                    for name, column in model.schema.columns.items()},
        "inputs": compiled.inputs,
        "extra": model.schema.extra,
        "guards": compiled.reasons,
        "rules": compiled.rules,
    }  # fmt: skip


def _sources(model: ScoringModel, folder: Path) -> dict[str, str]:
    """Return the digests of what the graph was compiled from: model, transforms, schema, feature code."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save(Directory(folder))
    scoring = json.loads((folder / "scoring.json").read_bytes())
    kept = folder / "model"
    held = {path.relative_to(kept).as_posix(): _sha256(path.read_bytes())
            for path in sorted(kept.rglob("*")) if path.is_file()}  # fmt: skip
    components = [preparer for _, preparer in model.preparers] + [transform.feature for transform in model.transforms]
    modules = sorted({type(component).__module__ for component in components})
    code = {name: _sha256(Path(str(sys.modules[name].__file__)).read_bytes()) for name in modules}
    parts = {
        "model": [scoring["trainer"], held],
        "transforms": [scoring["preparers"], scoring["transforms"]],
        "schema": [scoring["schema"], scoring["task"], scoring["classes"]],
        "code": code,
    }
    shutil.rmtree(folder)
    return {name: _sha256(json.dumps(value).encode()) for name, value in parts.items()}


def _runtime(target: Path) -> None:
    import modelway_edge_runtime

    target.mkdir()
    for path in sorted(Path(modelway_edge_runtime.__file__).parent.glob("*.py")):
        (target / path.name).write_bytes(path.read_bytes())


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        raise PluginError(
            f"The distribution '{distribution}' is not installed", mend="Run 'modelway doctor' to check the environment"
        ) from None
