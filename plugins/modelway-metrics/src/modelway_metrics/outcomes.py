"""What each threshold is worth: a declared cost matrix summed down the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import ConfigError, DataError, Expression, Predictions

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array

OUTCOMES = ("tp", "fp", "fn", "tn")


def worth(outcome: str, value: float | str, predictions: Predictions) -> Array:
    """Return what an outcome would be worth in each row; shape (rows,), float64.

    Raises:
        ConfigError: the expression needs a column that no role brings.
        DataError: the expression gives something that is not a finite number.
    """
    import numpy as np

    rows = len(predictions.label)
    if not isinstance(value, str):
        return np.full(rows, float(value))
    expression = Expression(value, where=outcome)
    for name in expression.columns:
        if name not in predictions.columns:
            raise ConfigError(
                f"The value of {outcome}, '{value}', needs '{name}', and no column of the schema has that role",
                where="schema.columns",
                mend=f"Give a column 'role: {name}', or use one of {', '.join(predictions.columns)}",
            )
    found = np.broadcast_to(np.asarray(expression(predictions.columns)), rows)
    if found.dtype.kind not in "fiub":
        raise DataError(f"The value of {outcome}, '{value}', is not a number", where=outcome)
    found = found.astype(np.float64)
    odd = ~np.isfinite(found)
    if odd.any():
        numbers: Any = predictions.columns.get("row", range(rows))
        raise DataError(
            f"The value of {outcome}, '{value}', is not a finite number in {int(odd.sum())} rows",
            where=f"first in row {numbers[int(odd.argmax())]}",
            mend="Fill what is missing in a 'prepare' step",
        )
    return found


@dataclass(frozen=True)
class Ladder:
    """Every threshold that tells rows apart, from one above all scores down to the lowest score.

    Attributes:
        threshold: Shape (thresholds,), falling; a row alerts where its score is at least this.
        value: What all rows are worth together at each threshold.
        alerts: Weight of the rows that alert, and hits: of the positive ones among them.
        total: Weight of all rows, and positive: of all positive ones.
        days: Calendar days that the rows span; None where no column has the role ``time``.
    """

    threshold: Array
    value: Array
    alerts: Array
    hits: Array
    total: float
    positive: float
    days: int | None

    @classmethod
    def of(cls, predictions: Predictions, weight: Array, acted: Array, left: Array) -> Ladder:
        """Sum down the scores.

        Args:
            predictions: Rows of one fold and phase.
            weight: Shape (rows,).
            acted: Shape (rows,): what each row is worth where it alerts; left: where it does not.
        """
        import numpy as np

        score = predictions.score
        rows: Any = predictions.columns.get("row", np.arange(len(score)))
        order = np.lexsort((rows, -score))  # equal scores in the order of rows, so that sums always come out alike
        last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)

        def down(part: Array) -> Array:
            return np.concatenate([[0.0], np.cumsum(part[order], dtype=np.float64)[last]])

        positive = weight * (predictions.label == 1)
        alerts, hits = down(weight), down(positive)
        first = np.nextafter(score.max(), np.inf, dtype=np.float64)
        threshold = np.concatenate([[first], score[order][last]])
        value = float((weight * left).sum()) + down(weight * (acted - left))
        return cls(threshold, value, alerts, hits, float(alerts[-1]), float(hits[-1]), _days(predictions))

    def columns(self) -> dict[str, Array]:
        """Return what is known of each threshold; NaN where it is not defined."""
        import numpy as np

        nothing = np.full(len(self.threshold), np.nan)
        found = {
            "threshold": self.threshold,
            "value": self.value,
            "saved": self.value - self.value[0],
            "alerts_share": self.alerts / self.total,
            "alerts_per_day": self.alerts / self.days if self.days else nothing,
            "contacts_per_detected": np.divide(self.alerts, self.hits, out=nothing.copy(), where=self.hits > 0),
            "precision": np.divide(self.hits, self.alerts, out=nothing.copy(), where=self.alerts > 0),
            "recall": self.hits / self.positive if self.positive else nothing,
        }
        return found

    def place(self, threshold: float) -> int:
        """Return the position of the lowest threshold that alerts the same rows as a given one."""
        import numpy as np

        return int(np.searchsorted(-self.threshold[1:], -threshold, side="right"))


def _days(predictions: Predictions) -> int | None:
    import numpy as np

    time: Any = predictions.columns.get("time")
    if time is None or hasattr(time, "codes") or time.dtype.kind != "M":
        return None
    days = time[~np.isnat(time)].astype("M8[D]").astype(np.int64)
    return int(days.max() - days.min()) + 1 if len(days) else None


def table(columns: Mapping[str, Array], chosen: int | None, points: int) -> tuple[dict[str, list[Any]], int | None]:
    """Return the columns at some thresholds, and the row of the chosen one.

    Half of the thresholds are even steps, half are finer and finer toward the highest scores.
    """
    import numpy as np

    last = len(columns["threshold"]) - 1
    half = points // 2 - 1
    steps = np.concatenate([np.linspace(0, last, half), np.geomspace(1, max(last, 1), half) if last else []])
    kept = np.unique(np.concatenate([np.rint(steps), [0, last, 0 if chosen is None else chosen]]).astype(int))
    row = None if chosen is None else int(np.searchsorted(kept, chosen))
    return {name: [_short(x) for x in column[kept].tolist()] for name, column in columns.items()}, row


def _short(value: float) -> float | None:
    """Return six digits, which are plenty for a table and a curve."""
    return None if value != value else float(f"{value:.6g}")
