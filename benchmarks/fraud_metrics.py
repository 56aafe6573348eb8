"""Times the fraud metrics: a million scored transactions, 500 thresholds, five delays.

Run: ``python benchmarks/fraud_metrics.py [ROWS] [ACCOUNTS]``. Half a year of transactions, one in a hundred fraudulent,
in the order of time; scores that are mostly low, as a model gives them, and scores spread evenly, which is the hardest
case for the contacts. Each is measured as a run does it, from predictions to scores.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from modelway_fraud.cards import CardPrecision
from modelway_fraud.metric import Fraud

from modelway import Predictions
from modelway.testing import make_run


def transactions(rows: int, accounts: int, shape: str) -> dict[str, Any]:
    """Draw scored transactions in the order of time."""
    rng = np.random.default_rng(0)
    account = rng.integers(0, accounts, rows)
    bad = rng.random(accounts) < 0.05
    fraud = bad[account] & (rng.random(rows) < 0.2)
    score = rng.beta(0.5, 12, rows) if shape == "low" else rng.random(rows)
    return {
        "row": np.arange(rows),
        "entity": account,
        "time": np.sort(rng.integers(0, 183 * 86_400, rows) * 1_000_000).astype("M8[us]"),
        "amount": rng.gamma(2.0, 30.0, rows).round(2),
        "label": fraud.astype(np.float64),
        "score": np.where(fraud, np.sqrt(score), score),
    }


def main() -> None:
    """Measure and print a table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    accounts = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    metrics = {
        "fraud, 500 thresholds, 5 delays, 30 days": Fraud(thresholds=500),
        "the same, contact period of 1 day": Fraud(thresholds=500, contact_period=1),
        "card_precision at 100": CardPrecision(),
    }
    print(f"{rows:,} transactions of {accounts:,} accounts in half a year; median of 3")
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder))
        for shape in ("low", "even"):
            no_table: Any = None  # nothing here reads it
            predictions = Predictions(no_table, "binary", (0, 1), "", "test", transactions(rows, accounts, shape))
            for name, metric in metrics.items():
                seconds = []
                for _ in range(3):
                    began = time.perf_counter()
                    metric.measure(predictions, run)
                    seconds.append(time.perf_counter() - began)
                print(f"{shape:>5} scores  {name:<45} {statistics.median(seconds):6.2f} s")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
