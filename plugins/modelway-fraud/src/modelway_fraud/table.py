"""The table by threshold: what is detected, saved and paid for at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelway_fraud.contacts import at_least, count, first_from
from modelway_fraud.transactions import DAY, MINUTE, Transactions

if TYPE_CHECKING:
    from modelway_fraud.transactions import Array


@dataclass(frozen=True)
class ByThreshold:
    """Counts and amounts at each threshold; a row alerts where its score is above it. Shapes are (thresholds,).

    Attributes:
        threshold: The thresholds, rising.
        detected: Fraud accounts with an alert.
        contacts: Contacts of good accounts.
        contacted: Good accounts with an alert.
        saved: Share of the fraudulent amount that comes after detection, by delay in minutes.
        frauds: Fraudulent rows above the threshold, and goods: other rows.
        fraud_amount: Share of the fraudulent amount above the threshold, and good_amount: of the other.
        accounts: Number of fraud accounts, and good_accounts: of others.
        rows: All fraudulent rows, and all others.
        loss: The fraudulent amount.
        days: Days that the rows span.
        good_rate: Share of the good accounts that was kept, and fraud_rate: of the fraud accounts.
    """

    threshold: Array
    detected: Array
    contacts: Array
    contacted: Array
    saved: Mapping[int, Array]
    frauds: Array
    goods: Array
    fraud_amount: Array
    good_amount: Array
    accounts: int
    good_accounts: int
    rows: tuple[int, int]
    loss: float
    days: int
    good_rate: float = 1.0
    fraud_rate: float = 1.0

    def columns(self) -> dict[str, Array]:
        """Return the table's columns; NaN where a ratio is not defined."""
        rate = self.fraud_rate / self.good_rate
        frauds, goods = self.rows
        false = self.contacts / self.good_rate / self.days
        return {
            "threshold": self.threshold,
            "adr": _ratio(self.detected, self.accounts),
            **{f"vdr_{delay}": saved for delay, saved in self.saved.items()},
            "afpr": _ratio(self.contacts, self.detected) * rate,
            "afpr_accounts": _ratio(self.contacted, self.detected) * rate,
            "tdr": _ratio(self.frauds, frauds),
            "tnf": _ratio(self.goods, goods),
            "tfpr": _ratio(self.goods, self.frauds) * rate,
            "dol_frd": self.fraud_amount,
            "dol_nf": self.good_amount,
            "alerts_per_day": false + self.detected / self.fraud_rate / self.days,
            "false_alerts_per_day": false,
            "detected": self.detected,
            "contacts": self.contacts,
        }


def _ratio(above: Any, below: Any) -> Array:
    import numpy as np

    above = np.asarray(above, dtype=np.float64)
    below = np.broadcast_to(np.asarray(below, dtype=np.float64), above.shape)
    ratio: Array = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return ratio


def tabulate(
    rows: Transactions,
    threshold: Array,
    *,
    delays: Sequence[int] = (0,),
    contact_period: float | None = 30.0,
    detect_from: str = "any",
    include_trigger: bool = True,
    good_rate: float = 1.0,
    fraud_rate: float = 1.0,
) -> ByThreshold:
    """Measure every threshold in one pass: O(rows log rows + thresholds).

    A row's level is the number of thresholds below its score. An account is detected at all thresholds below its
    highest level; a fraudulent row is saved at all thresholds below the highest level that its account had reached
    a delay before.

    Args:
        rows: The transactions.
        threshold: Rising thresholds.
        delays: Minutes from an alert to the blocking that follows.
        contact_period: Days after a contact in which a good account is not contacted again; None: never is.
        detect_from: ``any``, or ``first_fraud``: alerts before an account's first fraudulent row do not detect it.
        include_trigger: Whether, without a delay, the transaction that raises the alert counts as saved.
        good_rate: Share of the good accounts that the rows hold.
        fraud_rate: Share of the fraud accounts that the rows hold.
    """
    import numpy as np

    levels = len(threshold)
    level = np.searchsorted(threshold, rows.score, side="left")
    bad_account = rows.highest(rows.fraud)
    bad = bad_account[rows.account]
    counts = level
    if detect_from == "first_fraud":
        first = rows.lowest(np.where(rows.fraud, rows.time, np.iinfo(np.int64).max))
        counts = np.where(rows.time >= first[rows.account], level, 0)

    good = ~bad & (level > 0)
    kept = rows.account[good]
    start = np.append(np.flatnonzero(np.diff(kept, prepend=-1)), len(kept))
    period = None if contact_period is None else round(contact_period * DAY)
    return ByThreshold(
        threshold=threshold,
        detected=at_least(rows.highest(counts)[bad_account], levels),
        contacts=count(level[good], rows.time[good], start, levels, period),
        contacted=at_least(rows.highest(level)[~bad_account], levels),
        saved=_saved(rows, counts, levels, delays, include_trigger),
        frauds=at_least(level[rows.fraud], levels),
        goods=at_least(level[~rows.fraud], levels),
        fraud_amount=_share(level[rows.fraud], levels, rows.amount[rows.fraud]),
        good_amount=_share(level[~rows.fraud], levels, rows.amount[~rows.fraud]),
        accounts=int(bad_account.sum()),
        good_accounts=int((~bad_account).sum()),
        rows=(int(rows.fraud.sum()), int((~rows.fraud).sum())),
        loss=float(rows.amount[rows.fraud].sum()),
        days=rows.days,
        good_rate=good_rate,
        fraud_rate=fraud_rate,
    )


def _share(level: Array, levels: int, amount: Array) -> Array:
    """Return the share of the amount above each threshold: summed in one order, so that all of it is exactly 1."""
    above = at_least(level + 1, levels + 1, amount)
    return _ratio(above[1:], above[0])


def _saved(
    rows: Transactions, level: Array, levels: int, delays: Sequence[int], include_trigger: bool
) -> dict[int, Array]:
    """Return the share of the fraudulent amount that is saved at each threshold, by delay."""
    import numpy as np

    # The highest level so far in the account: accounts stand apart by more than any level.
    base = rows.account * (levels + 1)
    reached = np.maximum.accumulate(level + base) - base
    fraud = np.flatnonzero(rows.fraud)
    begin = rows.start[rows.account[fraud]]
    end = rows.start[rows.account[fraud] + 1]
    found = {}
    for delay in delays:
        if delay or include_trigger:
            before = first_from(rows.time, rows.time[fraud] - delay * MINUTE, begin, end, after=True)
        else:
            before = fraud
        known = np.where(before > begin, reached[before - 1], 0)
        found[delay] = _share(known, levels, rows.amount[fraud])
    return found
