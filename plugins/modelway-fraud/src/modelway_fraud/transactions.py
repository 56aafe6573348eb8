"""Scored transactions, checked, and ordered by account and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway import ConfigError, DataError, Predictions, missing

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE

_MEANT = {
    "entity": "the account or card that a transaction belongs to",
    "time": "when it happened",
    "amount": "its amount",
}


@dataclass(frozen=True)
class Transactions:
    """The rows of one fold and phase, ordered by account, time and row.

    Attributes:
        account: Shape (rows,): number of each row's account, from 0, never falling.
        start: Shape (accounts + 1,): the first row of each account, and the number of rows.
        time: Shape (rows,): microseconds since 1970, int64.
        amount: Shape (rows,): amounts, zero or more; zeros where they were not asked for.
        fraud: Shape (rows,): whether a row is fraudulent.
        score: Shape (rows,): scores from 0 to 1, float64.
    """

    account: Array
    start: Array
    time: Array
    amount: Array
    fraud: Array
    score: Array

    @classmethod
    def of(cls, predictions: Predictions, metric: str, *, amounts: bool = True) -> Transactions:
        """Check and order the rows of predictions.

        Args:
            predictions: Rows of one fold and phase.
            metric: Name of the metric that asks, for messages.
            amounts: Whether amounts are needed.

        Raises:
            ConfigError: no column of the schema has a role that is needed, or the time is not a timestamp or date.
            DataError: an account, time or amount that is missing, a negative amount, a score that is no probability.
        """
        import numpy as np

        entity, time = _column(predictions, "entity", metric), _column(predictions, "time", metric)
        _refuse(predictions, missing(entity), "no account", "role entity")
        if getattr(time, "dtype", np.dtype(object)).kind != "M":
            raise ConfigError(
                f"The metric '{metric}' needs a column of type timestamp or date with the role 'time'",
                where="schema.columns",
                mend="Give the column with 'role: time' the type 'timestamp'",
            )
        _refuse(predictions, missing(time), "no time", "role time")
        amount: Any = np.zeros(len(time))
        if amounts:
            amount = _column(predictions, "amount", metric)
            if hasattr(amount, "codes") or amount.dtype.kind not in "iufb":
                raise ConfigError(
                    f"The metric '{metric}' needs a column of numbers with the role 'amount'",
                    where="schema.columns",
                    mend="Give the column with 'role: amount' the type 'number'",
                )
            amount = amount.astype(np.float64)
            _refuse(predictions, ~(np.isfinite(amount) & (amount >= 0)), "a missing or negative amount", "role amount")
        score = predictions.score.astype(np.float64, copy=False)
        _refuse(predictions, ~((score >= 0) & (score <= 1)), "a score that is not between 0 and 1", "score")

        code = _codes(entity)
        moment = time.astype("M8[us]").astype(np.int64)
        row: Any = predictions.columns["row"]
        order = np.lexsort((row, moment, code))
        code = code[order]
        first = np.flatnonzero(np.diff(code, prepend=code[:1] - 1))
        account = np.zeros(len(code), dtype=np.int64)
        account[first[1:]] = 1
        np.cumsum(account, out=account)
        fraud = predictions.label[order] == 1
        start = np.append(first, len(code))
        return cls(account, start, moment[order], amount[order], fraud, score[order])

    @property
    def days(self) -> int:
        """Calendar days from the first row to the last, both included."""
        days = self.time // DAY
        return int(days.max() - days.min()) + 1

    def highest(self, values: Array) -> Array:
        """Return the highest of the rows' values per account; shape (accounts,)."""
        import numpy as np

        return np.maximum.reduceat(values, self.start[:-1])

    def lowest(self, values: Array) -> Array:
        """Return the lowest of the rows' values per account; shape (accounts,)."""
        import numpy as np

        return np.minimum.reduceat(values, self.start[:-1])


def _column(predictions: Predictions, role: str, metric: str) -> Any:
    found = predictions.columns.get(role)
    if found is None:
        raise ConfigError(
            f"The metric '{metric}' needs a column with the role '{role}', and the schema has none",
            where="schema.columns",
            mend=f"Give the column that says {_MEANT[role]} 'role: {role}'",
        )
    return found


def _codes(entity: Any) -> Array:
    """Number the accounts in an order of their own values, which no cut into parts or order of rows changes."""
    import numpy as np

    if hasattr(entity, "codes"):
        place = np.empty(len(entity.values), dtype=np.int64)
        place[sorted(range(len(entity.values)), key=lambda i: str(entity.values[i]))] = np.arange(len(entity.values))
        codes: Array = place[entity.codes]
        return codes
    if entity.dtype.kind in "iub":
        return np.asarray(entity, dtype=np.int64)
    return np.unique(entity, return_inverse=True)[1]


def _refuse(predictions: Predictions, odd: Array, what: str, column: str) -> None:
    if odd.any():
        rows: Any = predictions.columns["row"]
        raise DataError(
            f"{int(odd.sum())} of the {len(odd)} {predictions.phase or 'scored'} rows have {what}",
            where=f"{column}, first in row {rows[int(odd.argmax())]}",
            mend="Drop or mend these rows in a 'prepare' step",
        )
