"""What merges: moments, quantiles and counts come out the same however rows are cut, and twice the same."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_features import sketch, vocabulary
from modelway_features.bins import Bins
from modelway_features.impute import Impute
from modelway_features.moments import Moments
from modelway_features.onehot import OneHot
from modelway_features.scale import Scale
from modelway_features.sketch import Quantiles

from modelway import Category, DataError, take

FINITE = st.floats(-1e9, 1e9, allow_subnormal=False)
SHARES = (0.0, 0.013, 0.25, 0.5, 0.75, 0.9, 1.0)


@st.composite
def cut_arrays(draw: Any, elements: Any = FINITE, largest: int = 80) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw numbers, and the same numbers cut into pieces, some perhaps empty."""
    values = np.asarray(draw(st.lists(elements, max_size=largest)), dtype=float)
    places = sorted(draw(st.lists(st.integers(0, len(values)), max_size=6)))
    return values, np.split(values, places)


def folded(kind: Any, pieces: list[np.ndarray]) -> Any:
    summary, *rest = [kind.of(piece) for piece in pieces]
    for later in rest:
        summary = summary.merge(later)
    return summary


@given(cut_arrays())
def test_mean_and_deviation_do_not_depend_on_the_cut_and_equal_numpy(data: Any) -> None:
    values, pieces = data
    found, whole = folded(Moments, pieces), Moments.of(values)
    size = float(np.abs(values).max(initial=0.0)) or 1.0
    assert (found.rows, found.low, found.high) == (whole.rows, whole.low, whole.high)
    assert found.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-9 * size)
    assert found.deviation == pytest.approx(whole.deviation, rel=1e-9, abs=1e-9 * size)
    if len(values):
        assert found.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-9 * size)
        assert found.deviation == pytest.approx(values.std(), rel=1e-9, abs=1e-9 * size)


def test_deviation_survives_a_mean_that_dwarfs_it() -> None:
    values = np.random.default_rng(0).normal(1e9, 1.0, 200_000)
    found = folded(Moments, np.array_split(values, 7))
    assert found.deviation == pytest.approx(np.std(values - 1e9), rel=1e-6)


def test_zeros_of_either_sign_are_one_value() -> None:
    one, two = (folded(Quantiles, np.split(np.asarray(zeros), 2)) for zeros in ((0.0, -0.0), (-0.0, 0.0)))
    assert str(one.quantiles(SHARES)) == str(two.quantiles(SHARES)) == str([0.0] * len(SHARES))


@given(cut_arrays(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_small_quantiles_equal_numpy_for_any_cut(data: Any) -> None:
    values, pieces = data
    if not len(values):
        return
    found = folded(Quantiles, pieces)
    assert found.quantiles(SHARES) == np.quantile(values, SHARES).tolist()
    assert found.rank_error == 0


@given(st.integers(1, 1_500), st.sampled_from([30, 300, 0]), st.integers(0, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_sketched_quantiles_keep_their_stated_bound_in_any_shape_of_merging(
    rows: int, distinct: int, cuts: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, distinct, rows).astype(float) if distinct else rng.normal(size=rows)
    values = values if rng.random() < 0.7 else np.sort(values)
    pieces = np.split(values, np.sort(rng.integers(0, rows + 1, cuts)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketch, "EXACT", 20)
        patch.setattr(sketch, "CAPACITY", 16)
        summaries = [Quantiles.of(piece) for piece in pieces]
        while len(summaries) > 1:  # neighbours merge in any order, as on workers
            at = int(rng.integers(len(summaries) - 1))
            summaries[at : at + 2] = [summaries[at].merge(summaries[at + 1])]
        found = summaries[0]
        held = sum(len(level) << h for h, level in enumerate(found.levels)) or int(found.counts.sum())
        assert held == found.rows == len(values)
        levels = max(len(found.levels), 1)
        assert found.error <= levels * len(values) / 16
        ordered = np.sort(values + 0.0)
        for share, value in zip(SHARES, found.quantiles(SHARES), strict=True):
            position = (len(values) - 1) * share
            below, above = np.searchsorted(ordered, value, "left"), np.searchsorted(ordered, value, "right")
            assert below - 1 - found.error <= math.ceil(position), (share, value)
            assert above + found.error >= math.floor(position), (share, value)
    assert (found.low, found.high) == (ordered[0], ordered[-1])


def test_quantiles_of_a_million_rows_are_within_two_ten_thousandths_of_their_rank() -> None:
    values = np.random.default_rng(1).lognormal(size=1_000_000)
    ordered = np.sort(values)
    for batches in (16, 90):
        found = folded(Quantiles, np.array_split(values, batches))
        assert 0 < found.rank_error < 1.2e-4  # one after the other, errors of a level cancel in pairs
        ranks = np.searchsorted(ordered, found.quantiles(SHARES)) / len(values)
        assert np.abs(ranks - SHARES).max() <= found.rank_error + 1e-6
        assert sum(map(len, found.levels)) < 300_000
    halves = [folded(Quantiles, np.array_split(half, 45)) for half in np.array_split(values, 2)]
    assert halves[0].merge(halves[1]).rank_error < 2e-4


def test_sorted_rows_do_not_break_the_bound() -> None:
    values = np.arange(1_000_000.0)
    for turned in (values, values[::-1]):
        found = folded(Quantiles, np.array_split(turned, 16))
        assert np.abs(np.asarray(found.quantiles(SHARES)) / 999_999 - SHARES).max() <= found.rank_error + 1e-6


def test_the_same_parts_give_the_same_bytes() -> None:
    values = np.random.default_rng(2).normal(size=300_000)
    columns = {"x": values, "c": Category.of((values * 3).round().astype(int).astype(str))}
    for feature, names in ((Scale, "x"), (OneHot, "c")):
        component = feature(columns=(names,), **({"method": "robust"} if feature is Scale else {"min_count": 5}))
        states = []
        for _ in range(2):
            batches = [take({names: columns[names]}, slice(i, i + 65_536)) for i in range(0, 300_000, 65_536)]
            summary = component.summarise(batches[0])
            for batch in batches[1:]:
                summary = component.merge(summary, component.summarise(batch))
            states.append(str(component.finish(summary)))
        assert states[0] == states[1]


@given(st.lists(st.sampled_from(["a", "b", "c", "é", None]), max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_vocabularies_do_not_depend_on_the_cut(items: list[Any], places: list[int]) -> None:
    edges = [0, *sorted(min(place, len(items)) for place in places), len(items)]
    component = OneHot(columns=("c",), min_count=2, max_categories=2)
    pieces = [items[a:b] for a, b in pairwise(edges)]
    summary = component.summarise({"c": Category.of(pieces[0])})
    for piece in pieces[1:]:
        summary = component.merge(summary, component.summarise({"c": Category.of(piece)}))
    assert component.finish(summary) == component.finish(component.summarise({"c": Category.of(items)}))


def test_a_column_of_identifiers_is_refused_by_name_before_it_fills_the_memory(monkeypatch: Any) -> None:
    monkeypatch.setattr(vocabulary, "DISTINCT", 100)
    component = OneHot(columns=("who",))
    with pytest.raises(DataError, match=r"'onehot'.*'who'.*more than 100 distinct"):
        component.summarise({"who": Category.of(map(str, range(101)))})
    a, b = (component.summarise({"who": Category.of(map(str, range(i, i + 60)))}) for i in (0, 60))
    with pytest.raises(DataError, match=r"'onehot'.*'who'.*more than 100 distinct"):
        component.merge(a, b)


def test_batches_without_a_value_change_nothing() -> None:
    gone, held = {"x": np.full(3, np.nan)}, {"x": np.asarray([1.0, 2.0, 4.0])}
    for component in (Impute(columns=("x",)), Scale(columns=("x",)), Bins(columns=("x",), count=2)):
        none, some = component.summarise(gone), component.summarise(held)
        expected = component.finish(some)
        assert component.finish(component.merge(none, some)) == expected
        assert component.finish(component.merge(some, none)) == expected
