"""The metric ``business``: what the model's decisions are worth, at an operating point chosen by a declared rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from modelway import ConfigError, Expression, Metric, Predictions, Run, Score, Scores, param, take
from modelway_metrics.outcomes import OUTCOMES, Ladder, table, worth
from modelway_metrics.sampled import Rows, resamples

if TYPE_CHECKING:
    from modelway_metrics.sampled import Array

#: Thresholds that are kept of the table.
POINTS = 200

#: Fields that each rule reads: the measure that they bound, and whether it is bounded from above.
BOUNDS: dict[str, tuple[str, bool]] = {
    "alerts_per_day": ("alerts_per_day", True),
    "alerts_share": ("alerts_share", True),
    "precision_at_least": ("precision", False),
    "recall_at_least": ("recall", False),
}
RULES = {
    "cost": (),
    "budget": ("alerts_per_day", "alerts_share"),
    "floor": ("precision_at_least", "recall_at_least"),
    "threshold": ("threshold",),
}
_SHOWN = ("value", "saved", "threshold", "alerts_per_day", "contacts_per_detected", "precision", "recall")
_WORDS = {
    "alerts_per_day": "{:,.4g} alerts a day",
    "alerts_share": "{:.4g} of the rows alerted",
    "precision": "precision {:.4g}",
    "recall": "recall {:.4g}",
}


@dataclass(frozen=True, kw_only=True)
class Business(Metric, name="business"):
    """What decisions are worth in money, by a declared cost matrix, at an operating point chosen by a declared rule.

    Each outcome of a row has a value: a number, or arithmetic over the columns with roles, such as ``-amount``. Money
    that is lost is negative. A row alerts where its score is at least the threshold: positive rows are then worth
    ``tp`` and others ``fp``; without an alert ``fn`` and ``tn``.

    ``value`` is the sum over all rows; ``saved`` how much more that is than without any alert; ``alerts_per_day`` the
    rows that alert by calendar day; ``contacts_per_detected`` the alerts for each positive row found. The operating
    point is the threshold of the highest value (``choose: cost``), among those within a budget of alerts (``budget``),
    or with a precision or recall at least as high as declared (``floor``); or it is declared (``threshold``). It is
    chosen on the validation rows where they are measured, and used on the test rows. ``detail`` of ``value`` holds it
    with its reason, and the table by threshold. Intervals are those of the rows at that threshold.
    """

    tasks = ("binary",)
    libraries = ("numpy",)

    fn: float | str = param(..., "Value of a positive row without an alert, such as '-amount'.")
    fp: float | str = param(..., "Value of an alert on another row, such as -5.")
    tp: float | str = param(0.0, "Value of an alert on a positive row, such as 'amount - 2'.")
    tn: float | str = param(0.0, "Value of another row without an alert.")
    currency: str = param(..., "Currency of the values: three letters of ISO 4217, such as EUR.")
    choose: Literal["cost", "budget", "floor", "threshold"] = param(
        "cost", "Rule of the operating point: highest value, that within a budget or above a floor, or a fixed one."
    )
    alerts_per_day: float | None = param(None, "Budget: alerts a day at most; needs the role time.", at_least=0)
    alerts_share: float | None = param(None, "Budget: share of the rows that may alert.", at_least=0, at_most=1)
    precision_at_least: float | None = param(None, "Floor: precision at least.", at_least=0, at_most=1)
    recall_at_least: float | None = param(None, "Floor: recall at least.", at_least=0, at_most=1)
    threshold: float | None = param(None, "Fixed operating point: score from which a row alerts.")
    bootstrap: int = param(200, "Resamples of the rows behind the interval; 0 turns the interval off.", at_least=0)
    confidence: float = param(0.95, "Share of resamples that the interval holds.", above=0, below=1)

    def __post_init__(self) -> None:
        """Refuse values that do not parse, and bounds that the rule does not read."""
        for outcome in OUTCOMES:
            if isinstance(getattr(self, outcome), str):
                Expression(getattr(self, outcome), where=outcome)
        if not re.fullmatch("[A-Z]{3}", self.currency):
            raise ConfigError(
                f"'{self.currency}' is not the code of a currency", where="currency", mend="Write three letters: EUR"
            )
        read = RULES[self.choose]
        declared = [name for name in (*BOUNDS, "threshold") if getattr(self, name) is not None]
        if read and not set(declared) & set(read):
            raise ConfigError(
                f"business chooses by {self.choose}, and nothing says which", where="choose",
                mend=f"Declare {' or '.join(read)}",
            )  # fmt: skip
        for name in declared:
            if name not in read:
                rule = next(rule for rule, names in RULES.items() if name in names)
                raise ConfigError(
                    f"business chooses by {self.choose}, which does not read {name}", where=name,
                    mend=f"Write 'choose: {rule}', or leave it out",
                )  # fmt: skip

    def rule(self) -> dict[str, Any]:
        """Return the rule as plain JSON."""
        return {"choose": self.choose, **{name: getattr(self, name) for name in RULES[self.choose]}}

    def measure(self, predictions: Predictions, run: Run) -> Scores:
        """Measure the rows of one fold and phase.

        Raises:
            ConfigError: a role is missing that a value, or a budget of alerts a day, needs.
            DataError: a score or value that is not a finite number, or a weight that is negative.
        """
        checked = Rows.of(predictions)
        if predictions.weight is not None:
            held: Any = predictions.weight > 0
            predictions = replace(predictions, columns=take(predictions.columns, held))
        if not len(checked.label):
            return Scores.of(None, support=0, detail={"note": "Not defined: no row has a weight"})
        positive = checked.label == 1
        acted, left = (
            _either(positive, *(worth(outcome, getattr(self, outcome), predictions) for outcome in pair))
            for pair in (("tp", "fp"), ("fn", "tn"))
        )
        ladder = Ladder.of(predictions, checked.weights, acted, left)
        if self.alerts_per_day is not None and ladder.days is None:
            raise ConfigError(
                "A budget of alerts a day needs a column with the role 'time', of type timestamp or date",
                where="schema.columns",
                mend="Give one column 'role: time', or declare alerts_share",
            )
        columns = ladder.columns()
        point = self._point(ladder, columns, run.chosen, predictions.phase)
        place = None if point["threshold"] is None else ladder.place(point["threshold"])
        kept: dict[str, Any] = {"currency": self.currency, "operating_point": point}
        kept["table"], kept["chosen"] = table(columns, place, POINTS)
        alerts = "alerts_per_day" if ladder.days else "alerts_share"
        kept["plots"] = [{"of": "table", "x": alerts, "y": ["saved"]}]
        if place is None:
            kept["note"] = f"Not defined: {point['reason']}"
            return self._scores({}, None, len(positive), kept, {})
        values = {name: float(columns[name][place]) for name in _SHOWN} | {"threshold": point["threshold"]}
        alert = checked.score >= point["threshold"]
        gains = {"value": _either(alert, acted, left), "saved": _either(alert, acted - left, 0 * left)}
        intervals = self._intervals(gains, checked.weights, run, predictions)
        return self._scores(values, point["threshold"], len(positive), kept, intervals)

    def _point(
        self, ladder: Ladder, columns: Mapping[str, Array], chosen: Mapping[str, Any], phase: str
    ) -> dict[str, Any]:
        """Choose the operating point, or take the one that was chosen on an earlier phase."""
        import numpy as np

        rule = self.rule()
        if phase == "test" and chosen.get("rule") == rule:
            threshold, reason = chosen["threshold"], chosen["reason"]
            if threshold is not None:
                reason += f"; on the test rows it gives {self._told(columns, ladder.place(threshold), threshold)}"
            return {**chosen, "reason": reason}
        if self.choose == "threshold":
            return {"threshold": self.threshold, "rule": rule, "reason": "Declared threshold", "phase": phase}
        bounds = {name: getattr(self, name) for name in RULES[self.choose] if getattr(self, name) is not None}
        allowed = np.ones(len(ladder.threshold), dtype=bool)
        words = []
        for name, bound in bounds.items():
            measure, above = BOUNDS[name]
            allowed &= columns[measure] <= bound if above else columns[measure] >= bound
            words.append(f"{'at most' if above else 'at least'} {_WORDS[measure].format(bound)}")
        told = f"The highest value on the {phase} rows" + (f" with {' and '.join(words)}" if words else "")
        best = int(ladder.value.argmax())
        if not allowed.any():
            reason = f"No threshold on the {phase} rows has {' and '.join(words)}"
            return {"threshold": None, "rule": rule, "reason": reason, "phase": phase}
        place = int(np.where(allowed, ladder.value, -np.inf).argmax())
        reason = f"{told}: {self._told(columns, place)}"
        if place != best:
            reason += f"; without the bound {self._told(columns, best)}"
        elif place:
            reason += f"; without any alert it is {self._money(ladder.value[0])}"
        return {"threshold": float(ladder.threshold[place]), "rule": rule, "reason": reason, "phase": phase}

    def _told(self, columns: Mapping[str, Array], place: int, threshold: float | None = None) -> str:
        measures = [
            BOUNDS[name][0] for name in RULES[self.choose] if name in BOUNDS and getattr(self, name) is not None
        ]
        told = [_WORDS[measure].format(columns[measure][place]) for measure in measures]
        threshold = columns["threshold"][place] if threshold is None else threshold
        at = f"at {threshold:.4g}" if columns["alerts_share"][place] else "with no alert at all"
        return f"{self._money(columns['value'][place])} {at}" + (f" with {' and '.join(told)}" if told else "")

    def _money(self, value: float) -> str:
        return f"{self.currency} {value:,.2f}"

    def _intervals(
        self, gains: Mapping[str, Array], weight: Array, run: Run, predictions: Predictions
    ) -> dict[str, tuple[float, float]]:
        import numpy as np

        if not self.bootstrap or len(weight) < 2:
            return {}
        rng = run.rng(run.label, predictions.fold, predictions.phase)
        drawn = resamples(weight, self.bootstrap, rng)
        sums = np.array([[(weight * gain).sum() for gain in gains.values()] for weight in drawn])
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(sums, [tail, 1 - tail], axis=0).tolist()
        return dict(zip(gains, zip(low, high, strict=True), strict=True))

    def _scores(
        self,
        values: Mapping[str, float],
        threshold: float | None,
        support: int,
        detail: Mapping[str, Any],
        intervals: Mapping[str, tuple[float, float]],
    ) -> Scores:
        if intervals:
            detail = {**detail, "interval": {"confidence": self.confidence, "resamples": self.bootstrap}}
        scores = {}
        for name in _SHOWN:
            value = values.get(name)
            low, high = intervals.get(name, (None, None))
            kept = detail if name == "value" else {"currency": self.currency} if name == "saved" else {}
            if value is not None and value != value:
                value, kept = None, {"note": f"Not defined: {_MISSING[name]}"}
            scores[name] = Score(value, low, high, support, threshold, kept)
        return Scores.named(scores, ("alerts_per_day", "contacts_per_detected"))


_MISSING = {
    "alerts_per_day": "no column has the role time",
    "contacts_per_detected": "no positive row alerts",
    "precision": "no row alerts",
    "recall": "no row is positive",
}


def _either(condition: Array, one: Array, other: Array) -> Array:
    import numpy as np

    return np.where(condition, one, other)
