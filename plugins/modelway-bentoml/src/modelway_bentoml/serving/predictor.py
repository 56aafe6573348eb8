"""The predictor: the bytes of a request to the bytes of its answer, without any web framework."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import DataError
from modelway_bentoml.serving.body import Refused, rows_of
from modelway_bentoml.serving.scorer import Scorer
from modelway_bentoml.serving.validation import Checked, Problem, Validator

if TYPE_CHECKING:
    import numpy as np

#: Where a binary decision is made while the model records no operating point.
THRESHOLD = 0.5


@dataclass(frozen=True)
class Reply:
    """An answer: HTTP status and JSON body."""

    status: int
    body: bytes

    @classmethod
    def of(cls, status: int, value: Any) -> Reply:
        """Make a reply of a plain value."""
        return cls(status, json.dumps(value, separators=(",", ":"), allow_nan=False).encode())

    @classmethod
    def error(cls, status: int, message: str) -> Reply:
        """Make a reply that says what is wrong."""
        return cls.of(status, {"error": message})


class Predictor:
    """Answers requests with a scorer.

    Args:
        scorer: The loaded model.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.model = scorer, scorer.model
        self.validator = Validator(self.model.schema)
        manifest = scorer.manifest
        self.most: int = manifest["limits"]["rows"]
        self.about = {"project": manifest["project"], "version": manifest["version"]}
        self.labels = list(self.model.classes)
        self.threshold: float | None = None
        if self.model.task == "binary":
            self.threshold = float(self.model.about.get("threshold", THRESHOLD))
            self.about["threshold"] = self.threshold

    def answer(self, body: bytes) -> Reply:
        """Check and score a request; only a fault of the model itself raises."""
        try:
            asked = rows_of(body, self.most)
        except Refused as refused:
            return Reply.error(refused.status, refused.message)
        if asked.records is not None:
            checked = self.validator.records(asked.records)
        else:
            checked = self.validator.columns(asked.columns or {})
        if checked.count:
            return refusal(checked)
        try:
            score = self.model.score(checked.columns)["score"]
        except DataError as error:
            where = f" ({error.where})" if error.where else ""
            checked.add(Problem(None, "", "model", f"{error.what}{where}"))
            return refusal(checked)
        answer: dict[str, Any] = {"predictions": list(self._predictions(score)), "model": self.about}
        if checked.warnings:
            answer["warnings"] = [problem.plain() for problem in checked.warnings]
        return Reply.of(200, answer)

    def _predictions(self, score: np.ndarray[Any, Any]) -> Iterator[dict[str, Any]]:
        import numpy as np

        ids = prediction_ids(len(score))
        finite = np.isfinite(score)
        scores = score.tolist()
        if self.model.task == "multiclass":
            names = [str(label) for label in self.labels]
            best = np.where(finite, score, -1).argmax(axis=1).tolist()
            for i, row, place, fine in zip(ids, scores, best, finite.all(axis=1).tolist(), strict=True):
                if fine:
                    named = dict(zip(names, row, strict=True))
                    yield {"id": i, "score": row[place], "label": self.labels[place], "probabilities": named}
                else:
                    yield {"id": i, "score": None, "label": None, "probabilities": dict.fromkeys(names)}
            return
        for i, value, fine in zip(ids, scores, finite.tolist(), strict=True):
            prediction: dict[str, Any] = {"id": i, "score": value if fine else None}
            if self.threshold is not None:
                prediction["label"] = self.labels[value >= self.threshold] if fine else None
            yield prediction


def refusal(checked: Checked) -> Reply:
    """Return the reply to rows that the schema refuses."""
    count, problems = checked.count, [problem.plain() for problem in checked.finish().problems]
    more = f" ({count} in all, the first {len(problems)} are listed)" if count > len(problems) else ""
    what = "One value is" if count == 1 else "Some values are"
    return Reply.of(422, {"error": f"{what} not as the schema declares{more}", "count": count, "problems": problems})


def prediction_ids(count: int) -> Iterator[str]:
    """Yield identifiers of predictions: UUIDs of version 7, which sort by time and, within a request, by row."""
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    noise = os.urandom(8).hex()
    start = int.from_bytes(os.urandom(4)) >> 1
    head, variant = f"{stamp[:8]}-{stamp[8:]}-7{noise[:3]}", "89ab"[int(noise[3], 16) & 3]
    for i in range(start, start + count):
        yield f"{head}-{variant}{noise[4:7]}-{i:08x}{noise[7:11]}"
