"""Where scikit-learn or pandas define the same thing, the outputs are theirs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_features.bins import Bins
from modelway_features.clip import Clip
from modelway_features.dateparts import DateParts
from modelway_features.impute import Impute
from modelway_features.onehot import OneHot
from modelway_features.ordinal import Ordinal
from modelway_features.scale import Scale

from modelway import Category

RNG = np.random.default_rng(5)
TRAIN = np.where(RNG.random(4000) < 0.05, np.nan, RNG.lognormal(2.0, 1.5, 4000))
LATER = np.where(RNG.random(500) < 0.05, np.nan, RNG.lognormal(2.5, 2.0, 500))
WORDS = np.asarray(["ash", "beech", "elm", "fir", "oak", "yew"], dtype=object)
TREES = WORDS[RNG.choice(6, 3000, p=[0.4, 0.3, 0.2, 0.09, 0.009, 0.001])]
LATER_TREES = np.asarray([*WORDS, "palm", "oak", "ash"], dtype=object)


def fitted(component: Any, column: Any, later: Any, pieces: int = 5) -> dict[str, Any]:
    """Fit on a column in pieces, and apply to a later one."""
    edges = np.linspace(0, len(column), pieces + 1).astype(int)
    summary, *rest = [component.summarise({"x": column[a:b]}) for a, b in pairwise(edges)]
    for other in rest:
        summary = component.merge(summary, other)
    return component.apply(component.finish(summary), {"x": later})


@pytest.mark.parametrize(("method", "scaler"), [
    ("standard", "StandardScaler"), ("minmax", "MinMaxScaler"), ("robust", "RobustScaler"),
])  # fmt: skip
@pytest.mark.parametrize("train", [TRAIN, np.full(50, 3.7), np.asarray([1.0, 2.0])])
def test_scaling_equals_scikit_learn(method: Any, scaler: str, train: np.ndarray) -> None:
    from sklearn import preprocessing

    expected = getattr(preprocessing, scaler)().fit(train[:, None]).transform(LATER[:, None])[:, 0]
    found = fitted(Scale(columns=("x",), method=method), train, LATER)["x"]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_imputing_equals_scikit_learn(strategy: Any) -> None:
    from sklearn.impute import SimpleImputer

    train, later = TRAIN.round(), LATER.round()
    expected = SimpleImputer(strategy=strategy).fit(train[:, None]).transform(later[:, None])[:, 0]
    found = fitted(Impute(columns=("x",), strategy=strategy, indicator=True), train, later)
    np.testing.assert_allclose(found["x"], expected, rtol=1e-12)
    np.testing.assert_array_equal(found["x_missing"], np.isnan(later))


@pytest.mark.parametrize(("method", "strategy"), [("width", "uniform"), ("quantile", "quantile")])
def test_bins_equal_scikit_learn(method: Any, strategy: str) -> None:
    from sklearn.preprocessing import KBinsDiscretizer

    train, later = TRAIN[~np.isnan(TRAIN)], LATER[~np.isnan(LATER)]
    theirs = KBinsDiscretizer(7, encode="ordinal", strategy=strategy, quantile_method="linear", subsample=None)
    expected = theirs.fit(train[:, None]).transform(later[:, None])[:, 0]
    np.testing.assert_array_equal(fitted(Bins(columns=("x",), method=method, count=7), train, later)["x"], expected)


@pytest.mark.parametrize(("unseen", "handle"), [("ignore", "ignore"), ("other", "infrequent_if_exist")])
def test_one_hot_equals_scikit_learn(unseen: Any, handle: str) -> None:
    from sklearn.preprocessing import OneHotEncoder

    rare = {"min_frequency": 50} if unseen == "other" else {}
    theirs = OneHotEncoder(handle_unknown=handle, sparse_output=False, **rare).fit(TREES[:, None])
    component = OneHot(columns=("x",), unseen=unseen, min_count=50 if rare else 1)
    found = fitted(component, Category.of(TREES), Category.of(LATER_TREES))
    names = [name.replace("infrequent_sklearn", "other") for name in theirs.get_feature_names_out(["x"])]
    assert list(found) == names
    np.testing.assert_array_equal(np.column_stack(list(found.values())), theirs.transform(LATER_TREES[:, None]))


def test_one_hot_of_numbers_equals_scikit_learn() -> None:
    from sklearn.preprocessing import OneHotEncoder

    train, later = RNG.integers(-2, 3, 100), np.asarray([-2.0, 0.0, 2.0, 9.0])
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[:, None].astype(float))
    found = fitted(OneHot(columns=("x",)), train, later)
    assert list(found) == ["x_-2", "x_-1", "x_0", "x_1", "x_2"]
    np.testing.assert_array_equal(np.column_stack(list(found.values())), theirs.transform(later[:, None]))


def test_ordinal_equals_scikit_learn() -> None:
    from sklearn.preprocessing import OrdinalEncoder

    theirs = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(TREES[:, None])
    found = fitted(Ordinal(columns=("x",), unseen=-1.0), Category.of(TREES), Category.of(LATER_TREES))["x"]
    np.testing.assert_array_equal(found, theirs.transform(LATER_TREES[:, None])[:, 0])


def test_clipping_at_quantiles_equals_numpy() -> None:
    low, high = np.nanquantile(TRAIN, [0.05, 0.95])
    found = fitted(Clip(columns=("x",), low_quantile=0.05, high_quantile=0.95), TRAIN, LATER)["x"]
    np.testing.assert_array_equal(found, np.clip(LATER, low, high))


PARTS = ("year", "month", "day", "weekday", "hour", "dayofyear", "is_weekend")


@given(st.lists(st.datetimes(), min_size=1, max_size=30), st.sampled_from(["us", "ms", "s", "D"]))
@settings(max_examples=60)
def test_date_parts_equal_the_calendar_before_and_after_1970(times: list[Any], unit: str) -> None:
    column = np.asarray(times, dtype="M8[us]").astype(f"M8[{unit}]")
    found = DateParts(columns=("x",), parts=PARTS).apply({}, {"x": column})
    for i, time in enumerate(column.astype("M8[us]").tolist()):
        expected = (
            time.year, time.month, time.day, time.weekday(), time.hour, time.timetuple().tm_yday, time.weekday() >= 5,
        )  # fmt: skip
        assert tuple(found[f"x_{part}"][i] for part in PARTS) == expected


def test_december_is_next_to_january() -> None:
    months = np.asarray(["2024-12-15", "2025-01-15", "2025-06-15", "NaT"], dtype="M8[D]")
    found = DateParts(columns=("x",), parts=("month", "year"), cyclic=True).apply({}, {"x": months})
    assert list(found) == ["x_month_sin", "x_month_cos", "x_year"]
    points = np.column_stack([found["x_month_sin"], found["x_month_cos"]])
    assert np.linalg.norm(points[0] - points[1]) < 0.52 < np.linalg.norm(points[0] - points[2])
    assert np.isnan(points[3]).all()
    assert np.isnan(found["x_year"][3])
