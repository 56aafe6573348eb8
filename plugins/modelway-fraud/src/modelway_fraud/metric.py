"""The metric ``fraud``: what a fraud manager reads, at one operating point and at every threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modelway import ConfigError, Metric, Predictions, Run, Score, Scores, param
from modelway_fraud.point import Point, choose, reused
from modelway_fraud.table import ByThreshold, tabulate
from modelway_fraud.transactions import Transactions

if TYPE_CHECKING:
    from modelway_fraud.transactions import Array

#: Measures whose smaller value is better.
LOWER = ("afpr", "afpr_accounts", "tfpr", "dol_nf", "alerts_per_day")
_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class Fraud(Metric, name="fraud"):
    """Detection of fraud by account, by value saved, and by the good accounts that are contacted for it.

    Rows are scored transactions; the roles ``entity`` (account or card), ``time`` and ``amount`` must be there. A row
    raises an alert where its score is above the threshold. A fraud account is one with a fraudulent row in the
    phase; all others are good accounts.

    ``adr``: share of the fraud accounts with an alert. ``vdr_<delay>``: share of the fraudulent amount that is spent
    at or after the account's first alert plus the delay, and so saved by blocking. ``afpr``: contacts of good accounts
    for each detected fraud account, where a good account that was contacted is not contacted again within
    ``contact_period`` days; it may exceed 1. ``afpr_accounts``: good accounts contacted at all for each detected fraud
    account. ``tdr``: share of the fraudulent rows above the threshold. ``tfpr``: other rows above the threshold for
    each fraudulent one. ``dol_frd``, ``dol_nf``: share of the fraudulent and of the other amount above the threshold.
    ``alerts_per_day``: contacts of good accounts and detected fraud accounts, by calendar day. A ratio whose
    denominator is nothing is null. Where accounts were sampled, ``good_rate`` and ``fraud_rate`` give ``afpr``,
    ``afpr_accounts``, ``tfpr`` and ``alerts_per_day`` of the whole population; the others need no correction.

    The values are those at the operating point: a declared ``threshold``, or the lowest threshold that keeps
    ``afpr_at_most`` or ``alerts_at_most``. It is chosen on the validation rows where they are measured, and used on
    the test rows. ``detail`` of ``adr`` holds it with its reason, and the table by threshold.
    """

    tasks = ("binary",)
    seeded = False
    libraries = ("numpy",)

    thresholds: int = param(1000, "Number of thresholds of the table: 0, 1/n, 2/n and so on below 1.", at_least=1)
    delays: tuple[int, ...] = param(
        (0, 1, 5, 10, 15), "Minutes from an alert to the blocking of what follows.", at_least=0
    )
    contact_period: float | None = param(
        30.0, "Days after a contact in which a good account is not contacted again; null: it never is.", at_least=0
    )
    detect_from: Literal["any", "first_fraud"] = param(
        "any", "Which alerts detect a fraud account: any, or those from its first fraudulent row on."
    )
    include_trigger: bool = param(
        True, "Whether the transaction that raises the alert counts as saved where there is no delay."
    )
    threshold: float | None = param(None, "Operating threshold; 0.5 where no rule is declared.", at_least=0, at_most=1)
    afpr_at_most: float | None = param(None, "Operate at the lowest threshold whose afpr is at most this.", at_least=0)
    alerts_at_most: float | None = param(
        None, "Operate at the lowest threshold with at most this many alerts a day.", at_least=0
    )
    good_rate: float = param(1.0, "Share of the good accounts that sampling kept (rho 0).", above=0, at_most=1)
    fraud_rate: float = param(1.0, "Share of the fraud accounts that sampling kept (rho 1).", above=0, at_most=1)

    def __post_init__(self) -> None:
        """Refuse several rules, and a table without a delay."""
        if not self.delays:
            raise ConfigError("The metric 'fraud' has no delay", where="delays", mend="Write [0] for none")
        self.rule()

    def rule(self) -> tuple[str, float]:
        """Return the measure that decides the operating point, and its bound.

        Raises:
            ConfigError: more than one rule is declared.
        """
        rules = {"threshold": self.threshold, "afpr": self.afpr_at_most, "alerts_per_day": self.alerts_at_most}
        declared = [(name, bound) for name, bound in rules.items() if bound is not None]
        if len(declared) > 1:
            raise ConfigError(
                "The metric 'fraud' has several rules for its operating point",
                where="threshold, afpr_at_most, alerts_at_most",
                mend="Declare one of them",
            )
        return declared[0] if declared else ("threshold", 0.5)

    def measure(self, predictions: Predictions, run: Run) -> Scores:
        """Measure the rows of one fold and phase.

        Raises:
            ConfigError: a role that is missing, or a time that is not of type timestamp or date.
            DataError: an account, time or amount that is missing, a negative amount, a score that is no probability.
        """
        import numpy as np

        measure, bound = self.rule()
        rows = Transactions.of(predictions, self.name)
        grid = np.arange(self.thresholds) / self.thresholds
        before = reused(run, predictions, (measure, bound))
        exact = before["threshold"] if before else bound if measure == "threshold" else None
        extra = [] if exact is None else [exact]
        table = tabulate(
            rows,
            np.union1d(grid, extra),
            delays=tuple(dict.fromkeys(self.delays)),
            contact_period=self.contact_period,
            detect_from=self.detect_from,
            include_trigger=self.include_trigger,
            good_rate=self.good_rate,
            fraud_rate=self.fraud_rate,
        )
        columns = table.columns()
        point = choose(columns, (measure, bound), before, predictions.phase)
        shown = {name: column[np.isin(table.threshold, grid)] for name, column in columns.items()}
        return self._scores(table, columns, point, len(predictions.label), shown)

    def _scores(
        self, table: ByThreshold, columns: dict[str, Array], point: Point, support: int, shown: dict[str, Array]
    ) -> Scores:
        detail: dict[str, Any] = {
            "operating_point": point.plain(),
            "accounts": {"fraud": table.accounts, "good": table.good_accounts},
            "rows": {"fraud": table.rows[0], "good": table.rows[1]},
            "loss": table.loss,
            "days": table.days,
            "table": {name: _plain(column) for name, column in shown.items()},
            "plots": [{"of": "table", "x": "alerts_per_day", "y": ["adr", f"vdr_{min(table.saved)}"]}],
        }
        counted = ("threshold", "tnf", "false_alerts_per_day", "detected", "contacts")
        scores = {}
        for name in (name for name in columns if name not in counted):
            value = None if point.place is None else float(columns[name][point.place])
            defined = value is not None and value == value
            if not defined:
                why = point.reason if point.place is None else _MISSING.get(name, "no fraudulent row")
                detail["note"] = f"Not defined: {why}"
            scores[name] = Score(value if defined else None, support=support, threshold=point.threshold, detail=detail)
            detail = {}
        return Scores.named(scores, LOWER)


_MISSING = {
    "afpr": "no fraud account is detected",
    "afpr_accounts": "no fraud account is detected",
    "tfpr": "no fraudulent row is above the threshold",
    "dol_nf": "no other row has an amount",
}


def _plain(column: Array) -> list[Any]:
    """Return a column as plain JSON: six decimals are plenty for a table, and NaN is null."""
    if column.dtype.kind != "f":
        return list(column.tolist())
    return [None if value != value else value for value in column.round(_DIGITS).tolist()]
