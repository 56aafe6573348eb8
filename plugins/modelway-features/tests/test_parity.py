"""A request of one row gets, to the last bit, what the row got among a million; and soon enough."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from modelway_features.bins import Bins
from modelway_features.category import NativeCategory
from modelway_features.clip import Clip
from modelway_features.dateparts import DateParts
from modelway_features.derive import Derive
from modelway_features.impute import Impute
from modelway_features.log import Log
from modelway_features.onehot import OneHot
from modelway_features.ordinal import Ordinal
from modelway_features.ratio import Ratio
from modelway_features.scale import Scale

from modelway import Category, take

ROWS = 400


def sample() -> dict[str, Any]:
    rng = np.random.default_rng(11)
    x = rng.normal(0, 50, ROWS) ** 3
    x[::17] = np.nan
    words = [None if i % 23 == 0 else f"w{i * i % 19}" for i in range(ROWS)]
    when = np.datetime64("1969-11-30T22:10:07", "us") + rng.integers(0, 10**10, ROWS) * 1_000
    when[::31] = np.datetime64("NaT")
    return {"x": x, "n": rng.integers(-3, 4, ROWS), "c": Category.of(words), "when": when}


@pytest.mark.parametrize("component", [
    Impute(columns=("x", "n"), indicator=True), Impute(columns=("c",), strategy="most_frequent"),
    Scale(columns=("x", "n")), Scale(columns=("x",), method="robust"), Scale(columns=("x",), method="minmax"),
    OneHot(columns=("c", "n"), unseen="other", missing="column"), Ordinal(columns=("c", "n")),
    NativeCategory(columns=("c",), max_categories=9, unseen="other"),
    DateParts(columns=("when",), cyclic=True), Log(columns=("x", "n"), negative="signed"),
    Clip(columns=("x",), low_quantile=0.1, high_quantile=0.8), Bins(columns=("x", "n")),
    Ratio(numerator="x", denominator="n"),
    Derive(columns={"a": "exp(x / 1e5) * sin(n) + log1p(abs(x)) ** 1.5", "b": "where(c == 'w4', x, n)"}),
], ids=lambda component: component.name)  # fmt: skip
def test_a_row_alone_is_bit_equal_to_the_row_among_all(component: Any) -> None:
    columns = sample()
    seen = {name: columns[name] for name in component.inputs(list(columns))}
    state = component.finish(component.summarise(seen))
    whole = component.apply(state, seen)
    for row in range(ROWS):
        alone = component.apply(state, take(seen, slice(row, row + 1)))
        assert list(alone) == list(whole)
        for name, column in whole.items():
            if isinstance(column, Category):
                assert column[row : row + 1].objects().tolist() == alone[name].objects().tolist()
            else:
                assert column[row : row + 1].tobytes() == alone[name].tobytes(), name


def test_a_request_of_one_row_takes_microseconds_even_with_a_large_vocabulary() -> None:
    values = [f"v{i}" for i in range(20_000)]
    request = {"x": np.asarray([1.5]), "c": Category.of(["v77"])}
    scale, category = Scale(columns=("x",)), NativeCategory(columns=("c",))
    states = (
        scale.finish(scale.summarise({"x": np.arange(9.0)})),
        category.finish(category.summarise({"c": Category.of(values)})),
    )
    for component, state, column in ((scale, states[0], "x"), (category, states[1], "c")):
        seen = {column: request[column]}
        component.apply(state, seen)
        best = 1.0
        for _ in range(20):
            start = time.perf_counter()
            component.apply(state, seen)
            best = min(best, time.perf_counter() - start)
        assert best < 300e-6, f"{component.name}: {best * 1e6:.0f} microseconds for one row"
