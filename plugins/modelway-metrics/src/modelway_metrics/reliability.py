"""Whether probabilities mean what they say: reliability table, calibration error, slope and intercept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modelway import DataError, param
from modelway_metrics.sampled import Rows, Sampled, Statistic

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array


def probabilities(rows: Rows, metric: str) -> Array:
    """Return the scores, after making sure that they are probabilities.

    Raises:
        DataError: a score below 0 or above 1.
    """
    low, high = rows.score.min(), rows.score.max()
    if low < 0 or high > 1:
        raise DataError(
            f"{metric} needs probabilities, and scores go from {low:g} to {high:g}",
            mend="Choose a model that returns probabilities, or a metric of ranks such as roc_auc",
        )
    return rows.score


def given_and_right(rows: Rows, score: Array) -> tuple[Array, Array]:
    """Return the probability of the positive class, or of the likeliest of several, and whether it was right."""
    if rows.task == "binary":
        return score, rows.label == 1
    return score.max(axis=1), score.argmax(axis=1) == rows.label


def places(given: Array, bins: int, cut: str) -> Array:
    """Return each probability's bin: of about equal numbers of rows (``quantile``), or equal width (``uniform``)."""
    import numpy as np

    inner = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(np.percentile(given, 100 * inner) if cut == "quantile" else inner, given)


#: How a curve of this module is drawn.
PLOT: dict[str, Any] = {"of": "curve", "x": "predicted", "y": ["observed"], "kind": "points", "reference": "diagonal"}


def curve(given: Array, right: Array, weight: Array, place: Array) -> dict[str, Any]:
    """Compare given probabilities with what happened, by bin; empty bins are left out.

    As ``sklearn.calibration.calibration_curve``, with weights.
    """
    import numpy as np

    bins = int(place.max()) + 1
    count = np.bincount(place, minlength=bins)
    held = count > 0
    total, given_sum, right_sum = (
        np.bincount(place, part, bins)[held] for part in (weight, weight * given, weight * right)
    )
    return {
        "predicted": (given_sum / total).tolist(),
        "observed": (right_sum / total).tolist(),
        "rows": count[held].tolist(),
    }


@dataclass(frozen=True, kw_only=True)
class Calibration(Sampled, name="calibration"):
    """Expected calibration error: mean distance, over bins, of the probabilities given from the share observed.

    Bins count by their share of the rows (Naeini, Cooper and Hauskrecht 2015). ``detail`` keeps the reliability table,
    the largest distance of a bin, and for a binary task ``slope`` and ``intercept`` of a logistic regression of what
    happened on the log-odds given (Cox 1958): 1 and 0 where the model is calibrated; a slope below 1 means
    probabilities that are too extreme, an intercept below 0 ones that are too high. For a multiclass task the highest
    probability is compared with whether its class was right.
    """

    tasks = ("binary", "multiclass")
    lower_is_better = True

    bins: int = param(20, "Bins of the reliability table.", at_least=2, at_most=200)
    cut: Literal["quantile", "uniform"] = param(
        "quantile", "Whether bins hold about as many rows each, or are of equal width."
    )

    def prepare(self, rows: Rows) -> Statistic:
        """Put each row into its bin."""
        import numpy as np

        score = probabilities(rows, self.name).astype(np.float64)
        given, right = given_and_right(rows, score)
        place = places(given, self.bins, self.cut)
        distance = given - right

        def value(weight: Array) -> float:
            return float(np.abs(np.bincount(place, weight * distance)).sum() / weight.sum())

        weight = rows.weights
        table = curve(given, right, weight, place)
        gaps = np.abs(np.subtract(table["predicted"], table["observed"]))
        detail: dict[str, Any] = {"curve": table, "plots": [PLOT], "largest": float(gaps.max())}
        if rows.task == "binary":
            detail["slope"], detail["intercept"] = recalibration(given, right, weight)
        return Statistic(value, weight, detail=detail)


def recalibration(given: Array, right: Array, weight: Array) -> tuple[float | None, float | None]:
    """Fit what happened to the log-odds given, by Newton's method.

    Returns:
        Slope and intercept; None where they do not exist: one class, one score, or classes that scores tell apart.
    """
    import numpy as np

    given = np.clip(given, 1e-12, 1 - 1e-12)
    odds = np.log(given) - np.log1p(-given)
    if right.all() or not right.any() or odds.min() == odds.max():
        return None, None
    low, high = odds[right], odds[~right]
    if low.min() >= high.max() or low.max() <= high.min():
        return None, None
    slope, intercept = 1.0, 0.0
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(slope * odds + intercept, -500, 500)))
        miss, spread = weight * (right - chance), weight * chance * (1 - chance)
        a, b, c = spread.sum(), (spread * odds).sum(), (spread * odds * odds).sum()
        up, along, size = miss.sum(), (miss * odds).sum(), a * c - b * b
        if not size > 0:
            return None, None
        step = float((a * along - b * up) / size), float((c * up - b * along) / size)
        slope, intercept = slope + step[0], intercept + step[1]
        if max(map(abs, step)) < 1e-10:
            return slope, intercept
    return None, None
