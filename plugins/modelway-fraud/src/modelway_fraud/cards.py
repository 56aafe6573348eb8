"""The metric ``card_precision``: what an analyst who checks k cards a day finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelway import Metric, Predictions, Run, Scores, param
from modelway_fraud.transactions import DAY, Transactions


@dataclass(frozen=True, kw_only=True)
class CardPrecision(Metric, name="card_precision"):
    """Mean over days of the share of compromised cards among the k cards of the highest scores of the day.

    A card's score of a day is the highest of its rows, and it is compromised on a day with a fraudulent row. Cards that
    were found on an earlier day are left out where ``remove_detected`` is set, since they would have been blocked. A
    day with fewer than k cards is divided by k all the same. The card is the role ``entity`` and the day that of the
    role ``time``. ``detail`` holds each day, and the best that k cards a day could have found. As "Card Precision
    top-k" of Le Borgne, Siblini, Lebichot and Bontempi: Reproducible Machine Learning for Credit Card Fraud Detection.
    """

    tasks = ("binary",)
    seeded = False
    libraries = ("numpy",)

    k: int = param(100, "Cards that can be checked in a day.", at_least=1)
    remove_detected: bool = param(True, "Whether a card that was found is left out of later days.")

    def measure(self, predictions: Predictions, run: Run) -> Scores:
        """Measure the rows of one fold and phase.

        Raises:
            ConfigError: a role that is missing.
            DataError: a card or time that is missing, or a score that is no probability.
        """
        import numpy as np

        rows = Transactions.of(predictions, self.name, amounts=False)
        day = rows.time // DAY
        # rows stand by card and time, so that a card's day is one run of rows
        first = np.flatnonzero((np.diff(rows.account, prepend=-1) != 0) | (np.diff(day, prepend=day[0] - 1) != 0))
        score = np.maximum.reduceat(rows.score, first)
        bad = np.maximum.reduceat(rows.fraud, first)
        card, day = rows.account[first], day[first]
        order = np.lexsort((card, -score, day))
        card, day, bad = card[order], day[order], bad[order]

        found_before = np.zeros(rows.account[-1] + 1, dtype=bool)
        edges = np.append(np.flatnonzero(np.diff(day, prepend=day[0] - 1)), len(day))
        table: dict[str, list[Any]] = {"day": [], "cards": [], "compromised": [], "found": []}
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            kept = np.flatnonzero(~found_before[card[start:stop]]) + start
            top = kept[: self.k]
            hits = top[bad[top]]
            if self.remove_detected:
                found_before[card[hits]] = True
            table["day"].append(str(np.datetime64(int(day[start]), "D")))
            table["cards"].append(len(kept))
            table["compromised"].append(int(bad[kept].sum()))
            table["found"].append(len(hits))
        days = len(table["day"])
        best = sum(min(self.k, compromised) for compromised in table["compromised"]) / (self.k * days)
        value = sum(table["found"]) / (self.k * days)
        plot = {"of": "table", "x": "day", "y": ["compromised", "found"], "kind": "bars"}
        detail = {"k": self.k, "best": best, "table": table, "plots": [plot]}
        return Scores.of(value, support=len(rows.time), detail=detail)
