"""Suites of profilers and features: a tiny good component passes, rude ones are caught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from modelway import Category, Columns, DataError, Feature, Profile, Profiler, length, param
from modelway.testing import FeatureSuite, ProfilerSuite


@dataclass(frozen=True, kw_only=True)
class Lengths(Profiler, name="lengths"):
    """Counts the rows of each column."""

    def summarise(self, columns: Columns) -> Any:
        return {name: len(column) for name, column in columns.items()}

    def merge(self, a: Any, b: Any) -> Any:
        return {name: a[name] + b[name] for name in a}

    def finish(self, summary: Any) -> Profile:
        return Profile(summary)


@dataclass(frozen=True, kw_only=True)
class LastLengths(Lengths, name="last_lengths"):
    """Forgets the earlier rows."""

    def merge(self, a: Any, b: Any) -> Any:
        return b


@dataclass(frozen=True, kw_only=True)
class LengthsInPlace(Lengths, name="lengths_in_place"):
    """Adds to the summary that it was given."""

    def merge(self, a: Any, b: Any) -> Any:
        for name in a:
            a[name] += b[name]
        return a


@dataclass(frozen=True, kw_only=True)
class Anonymous(Lengths, name="anonymous"):
    """Does not say which columns there are."""

    def finish(self, summary: Any) -> Profile:
        return Profile({"rows": max(summary.values())})


@dataclass(frozen=True, kw_only=True)
class Stationary(Lengths, name="stationary"):
    """Makes summaries that cannot leave the process."""

    def summarise(self, columns: Columns) -> Any:
        return {name: _Local(len(column)) for name, column in columns.items()}

    def finish(self, summary: Any) -> Profile:
        return Profile({name: int(value) for name, value in summary.items()})


class _Local(int):
    def __add__(self, other: int) -> _Local:
        return _Local(int(self) + int(other))

    def __reduce__(self) -> Any:
        raise TypeError("stays here")

    def __deepcopy__(self, memo: Any) -> _Local:
        return self


class TestLengths(ProfilerSuite):
    component = Lengths()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (LastLengths(), "test_summaries_do_not_depend_on_how_rows_are_cut"),
        (LengthsInPlace(), "test_summarising_and_merging_change_nothing"),
        (Anonymous(), "test_names_the_columns_it_saw"),
        (Stationary(), "test_summaries_travel_between_processes"),
    ],
)
def test_a_rude_profiler_is_caught(caught: Any, component: Profiler, rule: str) -> None:
    assert caught(ProfilerSuite, rule, component=component) == {rule}


@dataclass(frozen=True, kw_only=True)
class Centre(Feature, name="centre"):
    """Takes the training mean off; missing becomes zero."""

    columns: tuple[str, ...] = param(("a",), "Columns.")

    def summarise(self, columns: Columns) -> Any:
        import numpy as np

        return {n: (int(np.isfinite(c).sum()), float(np.nansum(c))) for n, c in columns.items()}  # type: ignore[arg-type]

    def merge(self, a: Any, b: Any) -> Any:
        return {name: (a[name][0] + b[name][0], a[name][1] + b[name][1]) for name in a}

    def finish(self, summary: Any) -> Mapping[str, Any]:
        return {name: total / count if count else 0.0 for name, (count, total) in summary.items()}

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        import numpy as np

        return {name: np.nan_to_num(column - state[name]) for name, column in columns.items()}  # type: ignore[operator]


@dataclass(frozen=True, kw_only=True)
class CentreOfMeans(Centre, name="centre_of_means"):
    """Takes the mean of two means."""

    def merge(self, a: Any, b: Any) -> Any:
        return {n: (1, (a[n][1] / max(a[n][0], 1) + b[n][1] / max(b[n][0], 1)) / 2) for n in a}


@dataclass(frozen=True, kw_only=True)
class CentreOfBatch(Centre, name="centre_of_batch"):
    """Takes the mean of whatever rows it is given."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        import numpy as np

        return {name: column - np.nanmean(column) for name, column in columns.items()}  # type: ignore[operator, arg-type]


@dataclass(frozen=True, kw_only=True)
class CentreInPlace(Centre, name="centre_in_place"):
    """Writes into the columns that it was given."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        for name in columns:
            columns[name] -= state[name]  # type: ignore[assignment, operator]
        return columns


@dataclass(frozen=True, kw_only=True)
class CentreByArray(Centre, name="centre_by_array"):
    """Keeps an array as its state."""

    def finish(self, summary: Any) -> Mapping[str, Any]:
        import numpy as np

        return {name: np.asarray(value) for name, value in super().finish(summary).items()}


@dataclass(frozen=True, kw_only=True)
class CentreUnless(Centre, name="centre_unless"):
    """Crashes on a column that is all missing."""

    def finish(self, summary: Any) -> Mapping[str, Any]:
        return {name: total / count for name, (count, total) in summary.items()}


@dataclass(frozen=True, kw_only=True)
class CentreByFrame(Centre, name="centre_by_frame"):
    """Needs a library that services do not have."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        import pandas as pd

        return {name: pd.Series(column).sub(state[name]).to_numpy() for name, column in columns.items()}


@dataclass(frozen=True, kw_only=True)
class CentreUnfitted(Centre, name="centre_unfitted"):
    """Says that it is not fitted, and is."""

    fitted = False


@dataclass(frozen=True, kw_only=True)
class DropMissing(Centre, name="drop_missing"):
    """Leaves rows out."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        import numpy as np

        return {name: column[np.isfinite(column)] for name, column in columns.items()}  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class OneHot(Feature, name="one_hot"):
    """One column per value seen in training, and nothing for others."""

    columns: tuple[str, ...] = param(("c",), "Columns.")

    def summarise(self, columns: Columns) -> Any:
        return {name: set(column.counts()) for name, column in columns.items() if isinstance(column, Category)}

    def merge(self, a: Any, b: Any) -> Any:
        return {name: a[name] | b[name] for name in a}

    def finish(self, summary: Any) -> Mapping[str, Any]:
        return {name: sorted(values) for name, values in summary.items()}

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        made: Columns = {}
        for name, column in columns.items():
            assert isinstance(column, Category)
            codes = column.recode(state[name]).codes
            made |= {f"{name}_{value}": (codes == i).astype(float) for i, value in enumerate(state[name])}
        return made


@dataclass(frozen=True, kw_only=True)
class OneHotOfBatch(OneHot, name="one_hot_of_batch"):
    """One column per value of whatever rows it is given."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        return super().apply({name: sorted(column.counts()) for name, column in columns.items()}, columns)  # type: ignore[union-attr]


@dataclass(frozen=True, kw_only=True)
class Codes(OneHot, name="codes"):
    """Takes the codes of the batch for numbers."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        return {name: column.codes.astype(float) for name, column in columns.items()}  # type: ignore[union-attr]


@dataclass(frozen=True, kw_only=True)
class Brittle(OneHot, name="brittle"):
    """Crashes on a value that it never saw, and on a missing one."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        import numpy as np

        return {
            name: np.asarray([state[name].index(v) if v is not None else -1 for v in column.objects()], dtype=float)  # type: ignore[union-attr]
            for name, column in columns.items()
        }


@dataclass(frozen=True, kw_only=True)
class Strict(OneHot, name="strict"):
    """Refuses a value that it never saw."""

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        for name, column in columns.items():
            strange = set(column.counts()) - set(state[name])  # type: ignore[union-attr]
            if strange:
                raise DataError(f"'{name}' holds {sorted(strange)}, which training never saw")
        return super().apply(state, columns)


class TestCentre(FeatureSuite):
    component = Centre()


class TestCentreOfSeveral(FeatureSuite):
    component = Centre(columns=["a", "b"])  # type: ignore[arg-type] # as YAML would give them


class TestOneHot(FeatureSuite):
    component = OneHot()


class TestStrict(FeatureSuite):
    component = Strict()


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (CentreOfMeans(), "test_summaries_do_not_depend_on_how_rows_are_cut"),
        (CentreOfMeans(), "test_merging_is_associative"),
        (CentreOfBatch(), "test_one_row_gets_what_training_saw"),
        (CentreInPlace(), "test_one_row_gets_what_training_saw"),
        (DropMissing(), "test_one_row_gets_what_training_saw"),
        (OneHotOfBatch(), "test_one_row_gets_what_training_saw"),
        (CentreByArray(), "test_state_is_plain_json"),
        (DropMissing(), "test_missing_values_are_answered"),
        (Brittle(), "test_unseen_categories_are_answered"),
        (OneHotOfBatch(), "test_unseen_categories_are_answered"),
        (CentreUnless(), "test_a_column_that_is_all_missing_is_fitted_or_refused"),
        (Codes(), "test_outputs_are_the_same_under_another_order_of_categories"),
        (CentreByFrame(), "test_services_need_numpy_only"),
        (CentreUnfitted(), "test_says_whether_it_is_fitted"),
    ],
)
def test_a_rude_feature_is_caught(caught: Any, component: Feature, rule: str) -> None:
    assert caught(FeatureSuite, rule, component=component) == {rule}


def test_a_feature_that_reads_no_column_of_the_sample_is_not_taken_for_good(caught: Any) -> None:
    assert caught(FeatureSuite, component=Centre(columns=("absent",)))


def test_the_sample_has_every_kind_of_column() -> None:
    sample = FeatureSuite().sample()
    kinds = {"text" if isinstance(column, Category) else column.dtype.kind for column in sample.values()}
    assert (length(sample), kinds) == (60, {"f", "i", "text", "b", "M"})
