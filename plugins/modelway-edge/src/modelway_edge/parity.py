"""Parity: whether a bundle scores, and refuses, as the training path does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelway import DataError, ScoringModel
from modelway_edge.sampling import sampled

#: Refused rows that are scored one by one by the training path, which has to refuse them too.
_SINGLY = 50
_MEND = "Compare the features' options, or package for another target"


def difference(model: ScoringModel, root: Path, rows: int) -> float:
    """Return the largest difference between the scores of the training path and of a bundle.

    Scores larger than 1 count by their share: a float32 holds seven digits.

    Args:
        model: The model.
        root: The bundle.
        rows: How many rows of the schema to make up, besides the golden ones.

    Raises:
        DataError: one of the two refuses a row that the other scores.
    """
    import numpy as np
    from modelway_edge_runtime import RefusedError, Scorer
    from modelway_edge_runtime.scorer import apart

    given = [*model.golden["rows"], *sampled(model, rows)]
    try:
        scorer = Scorer(root)
        found = scorer.outputs(given)
    except RefusedError as error:
        raise DataError(
            f"The bundle refuses a golden or made-up row: {error}",
            mend="Correct the schema, or the training rows that break it",
        ) from None
    refused = found["refused"]
    kept = np.logical_not(refused.any(axis=1))
    _both_refuse(model, given, refused, scorer.rules)
    left = [row for row, keep in zip(given, kept.tolist(), strict=True) if keep]
    if not left:
        return 0.0
    try:
        expected = model.score_records(left)["score"]
    except DataError as error:
        raise DataError(
            f"The compiled model scores a row that training refuses: {error.what}", where=error.where, mend=_MEND
        ) from None
    return apart(found["scores"][kept].reshape(expected.shape), np.asarray(expected))


def _both_refuse(model: ScoringModel, rows: Sequence[Mapping[str, Any]], refused: Any, rules: int) -> None:
    """Score rows that a feature refuses one by one; rules of the schema are not those of the training path."""
    import numpy as np

    for i in np.flatnonzero(refused[:, rules:].any(axis=1) & ~refused[:, :rules].any(axis=1))[:_SINGLY].tolist():
        try:
            model.score_records([dict(rows[i])])
        except DataError:
            continue
        raise DataError(
            "The compiled model refuses a row that training scores", where=f"row {dict(rows[i])}", mend=_MEND
        )
