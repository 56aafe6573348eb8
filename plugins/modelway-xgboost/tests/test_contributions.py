"""What each feature adds to a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelway_xgboost.layout import Layout
from modelway_xgboost.model import XGBoostModel

from modelway import Category

COLOURS = ("red", "green", "blue")


def trained(objective: str, task: str, classes: int) -> tuple[XGBoostModel, dict[str, Any]]:
    import xgboost

    rng = np.random.default_rng(3)
    codes = rng.integers(0, 3, 400).astype(np.int32)
    columns = {"size [cm]": rng.normal(size=400), "colour": Category(codes, COLOURS)}
    columns["size [cm]"][::7] = np.nan
    layout = Layout(tuple(columns), {"colour": COLOURS})
    label = rng.integers(0, max(classes, 2), 400) if classes else codes * 2.0 + rng.normal(size=400)
    data = xgboost.DMatrix(
        layout.matrix(columns), label, feature_names=layout.labels, feature_types=layout.types, enable_categorical=True
    )
    more = {"num_class": classes} if task == "multiclass" else {}
    booster = xgboost.train({"objective": objective, "max_depth": 3, "nthread": 1, **more}, data, 12)
    return XGBoostModel(booster, layout, task, classes), columns


@pytest.mark.parametrize(
    ("objective", "task", "classes"), [("binary:logistic", "binary", 2), ("reg:squarederror", "regression", 0)]
)
def test_contributions_sum_to_the_margin_of_each_row(objective: str, task: str, classes: int) -> None:
    model, columns = trained(objective, task, classes)
    found: Any = model.contributions(columns)
    assert list(found) == ["size [cm]", "colour", "bias"]
    margin = sum(found.values())
    score = 1 / (1 + np.exp(-margin)) if task == "binary" else margin
    np.testing.assert_allclose(score, model.predict(columns)["score"], atol=1e-5)


def test_contributions_do_not_hang_on_the_order_of_the_columns(tmp_path: Path) -> None:
    model, columns = trained("binary:logistic", "binary", 2)
    turned: Any = model.contributions(dict(reversed(columns.items())))
    for name, values in (model.contributions(columns) or {}).items():
        np.testing.assert_array_equal(values, turned[name])


def test_several_classes_have_no_contributions() -> None:
    model, columns = trained("multi:softprob", "multiclass", 3)
    assert model.contributions(columns) is None
