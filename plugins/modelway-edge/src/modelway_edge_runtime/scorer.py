"""The scorer: a bundle's graph, verified, tested on its golden rows, and fed with rows that keep the schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelway_edge_runtime.entering import LISTED, Entrance
from modelway_edge_runtime.errors import BundleError, NotReadyError, Problem, RefusedError
from modelway_edge_runtime.fields import Field

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

#: Rows that pass through the graph at once, which bounds memory.
BATCH = 4096


class Scorer:
    """Scores rows as training did.

    Args:
        root: Folder of the bundle; by default the one that holds this package.

    Attributes:
        manifest: What the bundle says of itself.
        fields: The fields of a row, by name.
        rules: How many of the reasons for which the graph refuses rows, the first ones, are rules of the schema.
        difference: Largest difference from the golden scores, found when the scorer was made.
        ready: Whether it is within the declared tolerance; otherwise ``score`` refuses to work.

    Raises:
        BundleError: a part of the bundle is not the one that was packaged.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root) if root is not None else Path(__file__).resolve().parent.parent
        self.manifest = verified(self.root)
        schema = json.loads((self.root / "schema.json").read_bytes())
        self.fields = {name: Field(name, column) for name, column in schema["columns"].items()}
        self._guards: list[str] = schema["guards"]
        self.rules: int = schema["rules"]
        self._entrance = Entrance(self.fields, schema["extra"])
        self._single = self.manifest["task"] != "multiclass"
        self._run = _session(self.root / "model.onnx").run
        self._outputs = ["scores", "refused"] if self._guards else ["scores"]
        self.difference = self._self_test()
        self.ready = self.difference <= self.manifest["tolerance"]

    def score(self, rows: Sequence[Mapping[str, Any]]) -> Array:
        """Score rows: each a mapping of fields to values; an absent field, or None, is missing.

        Returns:
            float32 of shape (rows,): the probability of the positive class, or the prediction; of shape (rows, classes)
            for multiclass.

        Raises:
            RefusedError: a row breaks the schema, or a feature refuses it.
            NotReadyError: the golden rows score otherwise here than in training.
        """
        if not self.ready:
            raise NotReadyError(
                f"The golden rows differ by {self.difference:.3g} from their scores in training, and"
                f" {self.manifest['tolerance']:.3g} is allowed: compare this processor and these libraries with those"
                " that the bundle was made for"
            )
        return self._score(rows)

    def outputs(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
        """Return what the graph makes of rows: ``scores``, (rows, classes or 1), and ``refused``, (rows, reasons).

        Raises:
            RefusedError: a field breaks the schema.
        """
        made = [self._run(self._outputs, self._entrance.tensors(rows[i : i + BATCH], i))
                for i in range(0, len(rows), BATCH)]  # fmt: skip
        found = {name: np.concatenate(parts) for name, *parts in zip(self._outputs, *made, strict=True)}
        return {"refused": np.zeros((len(rows), 0), dtype=bool), **found}

    def _score(self, rows: Sequence[Mapping[str, Any]]) -> Array:
        if 0 < len(rows) <= BATCH:
            return self._batch(rows, 0)
        made = [self._batch(rows[i : i + BATCH], i) for i in range(0, len(rows), BATCH)]
        return np.concatenate(made) if made else np.empty((0,) if self._single else (0, len(self.manifest["classes"])))

    def _batch(self, rows: Sequence[Mapping[str, Any]], first: int) -> Array:
        found = self._run(self._outputs, self._entrance.tensors(rows, first))
        if self._guards and found[1].any():
            self._refuse(found[1], first)
        scores: Array = found[0]
        return scores[:, 0] if self._single else scores

    def _refuse(self, refused: Array, first: int) -> None:
        places = np.argwhere(refused)
        listed = [Problem(first + int(row), "", "feature", self._guards[guard]) for row, guard in places[:LISTED]]
        raise RefusedError(listed, len(places))

    def _self_test(self) -> float:
        golden = json.loads((self.root / "golden.json").read_bytes())
        found = self._score(golden["rows"])
        expected = np.asarray(golden["scores"])
        return apart(found, expected) if found.shape == expected.shape else float("inf")


def apart(found: Array, expected: Array) -> float:
    """Return the largest difference of two arrays of scores: of those larger than 1, as a share of them."""
    worst = float((np.abs(found.astype(np.float64) - expected) / np.maximum(np.abs(expected), 1.0)).max())
    return worst if worst == worst else float("inf")


def _session(path: Path) -> Any:
    import onnxruntime  # type: ignore[import-untyped]  # it brings no types

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a team of threads waits for its slowest
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def verified(root: Path) -> dict[str, Any]:
    """Return the manifest of a bundle, once every part has the digest that it holds.

    Raises:
        BundleError: a part is absent, or is not the one that was packaged.
    """
    try:
        manifest: dict[str, Any] = json.loads((root / "manifest.json").read_bytes())
        said = {name: digest for name, digest in manifest.items() if name != "version"}
        if manifest["version"] != version_of(said):
            raise BundleError("The bundle's manifest.json is not what was packaged")
        for name, digest in manifest["files"].items():
            found = hashlib.sha256((root / name).read_bytes()).hexdigest()
            if found != digest:
                raise BundleError(
                    f"The bundle's {name} is not what was packaged: its digest is {found[:12]},"
                    f" and the manifest says {digest[:12]}"
                )
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"The bundle in {root} is not whole: {error}") from None
    return manifest


def version_of(manifest: Mapping[str, Any]) -> str:
    """Return the version of a bundle: the digest of all that its manifest says otherwise."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
