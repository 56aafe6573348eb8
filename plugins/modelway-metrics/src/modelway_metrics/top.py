"""Metrics of the rows with the highest scores: those that there is time, or money, to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway import ConfigError, param
from modelway_metrics.sampled import Rows, Sampled, Statistic

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array


class Descent:
    """Rows of a binary task from the highest score down.

    Of rows with equal scores, none comes before the other: a cut among them takes of each its share, which is what a
    random order gives on average.

    Attributes:
        weight: Shape (rows,): the rows' weights in this order.
        score: Shape (distinct scores,): falling.
    """

    def __init__(self, rows: Rows) -> None:
        import numpy as np

        order = np.argsort(-rows.score, kind="stable")
        score = rows.score[order]
        self._last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
        self._hit = rows.label[order] == 1
        self.weight, self.score = rows.weights[order], score[self._last]

    def reach(self, weight: Array) -> tuple[Array, Array]:
        """Return the weight, and that of positive rows, down to each distinct score; both start at 0."""
        import numpy as np

        def down(part: Array) -> Array:
            return np.concatenate([[0], np.cumsum(part)[self._last]])

        return down(weight), down(weight * self._hit)

    def hits(self, mass: Any, weight: Array) -> Any:
        """Return the weight of positive rows within the highest ``mass`` of weight."""
        import numpy as np

        return np.interp(mass, *self.reach(weight))


@dataclass(frozen=True, kw_only=True)
class PrecisionAtK(Sampled, name="precision_at_k"):
    """Share of positive rows among the k rows of the highest scores.

    ``k`` is a number of rows (of weight, where rows have weights), or ``share`` a share of them; a slice with fewer
    rows is taken whole. Rows of equal scores at the cut count as in a random order, on average. ``detail`` has the
    recall there, the score of the cut, and the best precision that is possible.
    """

    tasks = ("binary",)

    k: int | None = param(None, "Rows that are taken; 100 where no share is declared.", at_least=1)
    share: float | None = param(None, "Share of the rows that is taken, instead of k.", above=0, at_most=1)

    def __post_init__(self) -> None:
        """Refuse a number and a share at once."""
        if self.k is not None and self.share is not None:
            raise ConfigError("precision_at_k has both k and share", where="k, share", mend="Declare one of them")

    def _mass(self, total: float) -> float:
        return self.share * total if self.share is not None else min(float(self.k or 100), total)

    def prepare(self, rows: Rows) -> Statistic:
        """Sort the rows once."""
        descent = Descent(rows)
        weight = descent.weight

        def value(weight: Array) -> float:
            mass = self._mass(float(weight.sum()))
            return float(descent.hits(mass, weight) / mass)

        down, positive = descent.reach(weight)
        mass, every = self._mass(float(down[-1])), float(positive[-1])
        detail = {
            "taken": mass,
            "positive": every,
            "recall": value(weight) * mass / every if every else None,
            "best": min(1.0, every / mass),
            "score": float(descent.score[min(down[1:].searchsorted(mass), len(descent.score) - 1)]),
        }
        few = self.share is None and down[-1] < (self.k or 100)
        note = f"There are only {down[-1]:g} rows, and all are taken" if few else ""
        return Statistic(value, weight, note=note, detail=detail)


@dataclass(frozen=True, kw_only=True)
class Lift(Sampled, name="lift"):
    """How many times more positive rows the highest scores hold than as many rows at random.

    The value is that of the first of ``bins`` equal shares of the rows, such as the highest tenth. ``detail`` has the
    table: for each share its lowest score, rows, positive rows and their rate, lift, and down to there the gain (share
    of all positive rows) and lift. Rows of equal scores at a cut count as in a random order, on average. Not defined
    where no row is positive.
    """

    tasks = ("binary",)

    bins: int = param(10, "Equal shares of the rows, from the highest score down.", at_least=2, at_most=100)

    def prepare(self, rows: Rows) -> Statistic:
        """Sort the rows once, and cut them."""
        import numpy as np

        descent = Descent(rows)
        weight = descent.weight

        def value(weight: Array) -> float:
            down, positive = descent.reach(weight)
            if not positive[-1]:
                return float("nan")
            return float(np.interp(down[-1] / self.bins, down, positive) / positive[-1] * self.bins)

        down, positive = descent.reach(weight)
        if not positive[-1]:
            return Statistic(value, weight, note=f"Not defined: the slice has no row of class {rows.classes[1]}")
        share = np.arange(1, self.bins + 1) / self.bins
        cuts = share * down[-1]
        gain = np.interp(cuts, down, positive) / positive[-1]
        each = np.diff(gain, prepend=0)
        place = np.minimum(down[1:].searchsorted(cuts), len(descent.score) - 1)
        table = {
            "share": share,
            "score": descent.score[place].astype(np.float64),
            "rows": np.diff(cuts, prepend=0),
            "positive": each * positive[-1],
            "rate": each * positive[-1] / (down[-1] / self.bins),
            "lift": each * self.bins,
            "gain": gain,
            "lift_so_far": gain / share,
        }
        plot = {"of": "table", "x": "share", "y": ["lift"], "kind": "bars", "reference": 1.0}
        kept = {name: column.tolist() for name, column in table.items()}
        return Statistic(value, weight, detail={"table": kept, "plots": [plot]})
