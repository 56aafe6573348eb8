"""What two models' outputs have in common: measures equal those of known libraries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway.engine.outputs import Outputs, compare, correlation, psi, ranks, threshold_of
from modelway.errors import DataError
from modelway.values import Score

VALUES = st.lists(st.integers(0, 6).map(float), min_size=3, max_size=30)


def outputs(score: list[float], ids: list[int] | None = None, label: float = 0.0) -> Outputs:
    rows = np.arange(len(score))
    group = np.full(len(rows), "test", dtype=object)
    held = None if ids is None else np.asarray(ids)
    return Outputs("m", "binary", ("no", "yes"), rows, group, np.full(len(rows), label), np.asarray(score), 0.5, held)


@given(VALUES)
def test_equal_scores_share_their_rank(values: list[float]) -> None:
    assert ranks(np.asarray(values)).tolist() == pd.Series(values).rank().tolist()


@given(VALUES)
def test_correlation_is_that_of_numpy_and_none_where_nothing_varies(values: list[float]) -> None:
    a, b = np.asarray(values), np.asarray(values[::-1])
    found = correlation(a, b)
    assert found is None if a.std() == 0 else found == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_the_stability_index_is_none_for_equal_scores_and_large_for_moved_ones() -> None:
    a = np.linspace(0, 1, 1000)
    assert psi(a, a) == 0
    assert psi(a, np.clip(a + 0.3, 0, 1)) > 0.25


def test_rows_are_found_by_id_where_their_places_moved() -> None:
    found = compare(outputs([0.1, 0.9, 0.4], [7, 8, 9]), outputs([0.4, 0.1, 0.8], [9, 7, 3]), 1e-6, by_id=True)
    assert found.a.ids.tolist() == [7, 9]  # type: ignore[union-attr]  # these ids are numbers
    assert found.difference.tolist() == [0, 0]
    assert found.only == (1, 1)


def test_rows_that_are_not_the_same_are_refused() -> None:
    with pytest.raises(DataError, match="another label or id"):
        compare(outputs([0.1, 0.2]), outputs([0.1, 0.2], label=1.0), 1e-6)
    with pytest.raises(DataError, match="occurs twice"):
        compare(outputs([0.1, 0.2], [1, 1]), outputs([0.1, 0.2], [1, 2]), 1e-6, by_id=True)


def test_decisions_turn_at_the_point_that_a_metric_chose_on_test_rows_first() -> None:
    chosen = {"operating_point": {"threshold": 0.2}}
    scores = [Score(1.0, metric="auc", phase="test"), Score(1.0, metric="money.saved", phase="valid", detail=chosen)]
    assert threshold_of(scores) == (0.2, "chosen by money")
    assert threshold_of(scores[:1]) == (0.5, "by default")
