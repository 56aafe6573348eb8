"""What features that treat each column by itself have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from modelway import Category, Columns, DataError, Feature, param

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


class Summary(Protocol):
    """What is kept of one column while fitting: it merges with the summary of the rows that follow."""

    def merge(self, later: Self) -> Self:
        """Return the summary of both; neither is changed."""
        ...


@dataclass(frozen=True, kw_only=True)
class Columnwise(Feature):
    """A feature that is fitted and applied column by column.

    The state is ``{"columns": {name: fitted}}``; a subclass says what is observed, fitted and made of one column.
    """

    columns: tuple[str, ...] = param(..., "Names or patterns of the columns to change.")

    def observe(self, name: str, column: Any) -> Summary:
        """Summarise one column of one batch."""
        raise NotImplementedError

    def fit(self, name: str, summary: Any) -> Any:
        """Turn one column's summary into its fitted state, as plain JSON."""
        raise NotImplementedError

    @abstractmethod
    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Compute the outputs of one column; ``fitted`` is None where nothing is fitted."""

    def summarise(self, columns: Columns) -> dict[str, Summary]:
        """Summarise each column of one batch of training rows."""
        return {name: self.observe(name, column) for name, column in columns.items()} if self.fitted else {}

    def merge(self, a: dict[str, Summary], b: dict[str, Summary]) -> dict[str, Summary]:
        """Merge two summaries column by column; ``a`` is of earlier rows.

        Raises:
            DataError: the summary outgrows its bound.
        """
        merged = {}
        for name, summary in a.items():
            try:
                merged[name] = summary.merge(b[name])
            except TooManyValuesError as error:
                raise self.error(name, error.what, mend=error.mend) from None
        return merged

    def finish(self, summary: dict[str, Summary]) -> dict[str, Any]:
        """Fit each column from the summary of all training rows."""
        return {"columns": {name: self.fit(name, found) for name, found in summary.items()}} if self.fitted else {}

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        """Compute the outputs of all columns."""
        fitted = state.get("columns", {})
        made: Columns = {}
        for name, column in columns.items():
            made.update(self.make(name, column, fitted.get(name)))
        return made

    def error(self, name: str, what: str, *, row: int | None = None, mend: str = "") -> DataError:
        """Return an error that names the feature, the column and, where one is given, the row of the batch."""
        return data_error(self.name, name, what, row=row, mend=mend)

    def numbers(self, name: str, column: Any) -> Array:
        """Return a column as float64, missing as NaN; shape (rows,).

        Raises:
            DataError: the column holds text or times.
        """
        return numbers(self.name, name, column)

    def present(self, name: str, column: Any) -> Array:
        """Return the values of a column that are not missing, as float64.

        Raises:
            DataError: the column holds text, times or an infinite value.
        """
        import numpy as np

        values = self.numbers(name, column)
        values = values[~np.isnan(values)]
        if np.isinf(values).any():
            mend = "Bound it with 'clip', or make it missing where it is derived"
            raise self.error(name, "there is an infinite value in the training rows", mend=mend)
        return values


class TooManyValuesError(DataError):
    """A summary outgrew its bound; whoever merges adds the feature and the column."""


def data_error(feature: str, column: str, what: str, *, row: int | None = None, mend: str = "") -> DataError:
    """Return an error that names the feature, the column and, where one is given, the row of the batch."""
    where = f"feature {feature}, column {column}" + (f", row {row} of the rows at hand" if row is not None else "")
    return DataError(f"Feature '{feature}' cannot treat column '{column}': {what}", where=where, mend=mend)


def numbers(feature: str, name: str, column: Any) -> Array:
    """Return a column as float64, missing as NaN; shape (rows,).

    Raises:
        DataError: the column holds text or times.
    """
    import numpy as np

    if isinstance(column, Category):
        mend = "Declare its type as a number in the schema, or encode it with 'category', 'onehot' or 'ordinal'"
        raise data_error(feature, name, "it holds text or categories, and numbers are needed", mend=mend)
    if column.dtype.kind not in "fiub":
        what = "times" if column.dtype.kind == "M" else f"values of type {column.dtype}"
        raise data_error(feature, name, f"it holds {what}, and numbers are needed", mend="Use 'dateparts' for times")
    return np.asarray(column, dtype=np.float64)
