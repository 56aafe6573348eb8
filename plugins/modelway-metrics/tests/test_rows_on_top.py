"""Precision at k, lift, calibration, and metrics by group."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_metrics.groups import ByGroup
from modelway_metrics.reliability import Calibration
from modelway_metrics.top import Lift, PrecisionAtK
from sklearn.linear_model import LogisticRegression

from modelway import Category, ConfigError, Predictions, Score
from modelway.testing import make_run


def predictions(label: Any, score: Any, **columns: Any) -> Predictions:
    """Make predictions of a binary task."""
    made = {
        "row": np.arange(len(label)),
        "label": np.asarray(label, dtype=float),
        "score": np.asarray(score),
        **columns,
    }
    return Predictions(None, "binary", ("no", "yes"), "f", "test", made)  # type: ignore[arg-type]  # no table is read


def measure(metric: Any, rows: Predictions) -> dict[str, Score]:
    """Measure rows without an interval."""
    run: Any = type("R", (), {"label": "m", "chosen": {}})
    metric = replace(metric, bootstrap=0) if "bootstrap" in metric.config() else metric
    return {score.metric: score for score in metric.measure(rows, run).entries}


def test_precision_at_k_is_of_the_highest_scores() -> None:
    rows = predictions([1, 0, 1, 0, 1], [0.9, 0.8, 0.7, 0.2, 0.1])
    assert [measure(PrecisionAtK(k=k), rows)[""].value for k in (1, 2, 3, 5)] == [1.0, 0.5, 2 / 3, 0.6]
    assert measure(PrecisionAtK(share=0.4), rows)[""].value == 0.5
    found = measure(PrecisionAtK(k=3), rows)[""].detail
    assert (found["recall"], found["score"], found["best"]) == (2 / 3, 0.7, 1.0)
    few = measure(PrecisionAtK(), rows)[""]
    assert (few.value, few.detail["note"]) == (0.6, "There are only 5 rows, and all are taken")
    with pytest.raises(ConfigError, match="both k and share"):
        PrecisionAtK(k=3, share=0.5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), size=st.integers(2, 40), k=st.integers(1, 20))
def test_ties_at_the_cut_count_as_in_a_random_order(seed: int, size: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    label, score = (rng.random(size) < 0.4).astype(float), rng.random(size).round(1)
    values = []
    for _ in range(400):
        order = rng.permutation(size)
        top = order[np.argsort(-score[order], kind="stable")][: min(k, size)]
        values.append(label[top].mean())
    found = measure(PrecisionAtK(k=k), predictions(label, score))[""].value
    assert found == pytest.approx(np.mean(values), abs=0.12)
    assert found <= measure(PrecisionAtK(k=k), predictions(label, score))[""].detail["best"] + 1e-12


def test_the_lift_table_adds_up() -> None:
    rng = np.random.default_rng(2)
    label = (rng.random(1000) < 0.2).astype(float)
    score = label * 0.2 + rng.random(1000) * 0.8
    found = measure(Lift(), predictions(label, score))[""]
    order = np.argsort(-score)
    assert found.value == pytest.approx(label[order[:100]].mean() / label.mean())
    table = found.detail["table"]
    assert table["positive"] == pytest.approx([label[order[i : i + 100]].sum() for i in range(0, 1000, 100)])
    assert table["gain"][-1] == pytest.approx(1)
    assert table["lift_so_far"][-1] == pytest.approx(1)
    assert table["score"][0] == score[order[99]]
    assert measure(Lift(), predictions([0, 0], [0.1, 0.2]))[""].value is None


def test_a_calibrated_model_has_slope_one_and_a_bent_one_has_not() -> None:
    rng = np.random.default_rng(3)
    odds = rng.normal(-1, 1.5, 40_000)
    label = (rng.random(40_000) < 1 / (1 + np.exp(-odds))).astype(float)
    good: Any = measure(Calibration(), predictions(label, 1 / (1 + np.exp(-odds))))[""]
    bent: Any = measure(Calibration(), predictions(label, 1 / (1 + np.exp(-(2 * odds + 1)))))[""]
    assert good.value < 0.01 < bent.value
    assert (good.detail["slope"], good.detail["intercept"]) == pytest.approx((1, 0), abs=0.05)
    fitted = LogisticRegression(C=1e9, tol=1e-9, max_iter=1000).fit((2 * odds + 1)[:, None], label)
    assert bent.detail["slope"] == pytest.approx(fitted.coef_[0, 0], abs=1e-4)
    assert bent.detail["intercept"] == pytest.approx(fitted.intercept_[0], abs=1e-4)


def test_the_calibration_error_is_the_mean_distance_of_the_bins() -> None:
    rows = predictions([1, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    found = measure(Calibration(bins=2, cut="uniform"), rows)[""]
    assert found.value == pytest.approx((abs(0.15 - 0.5) + abs(0.85 - 1)) / 2)
    assert found.detail["curve"]["rows"] == [2, 2]
    assert found.detail["largest"] == pytest.approx(0.35)
    apart = measure(Calibration(), predictions([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]))[""].detail
    assert (apart["slope"], apart["intercept"]) == (None, None)


def test_the_group_that_is_served_worst_is_named() -> None:
    group = Category(np.array([0] * 4 + [1] * 4 + [2] * 2 + [-1] * 4, dtype=np.int32), ("north", "south", "tiny"))
    rows = predictions([1, 1, 0, 0] * 2 + [1, 0] + [1, 1, 0, 0], [0.9, 0.8, 0.1, 0.2, 0.9, 0.1, 0.9, 0.2] + [0.5] * 6)
    rows = replace(rows, columns={**rows.columns, "group": group})
    found = measure(ByGroup(of=("accuracy", "log_loss"), smallest=3), rows)
    assert (found["accuracy"].value, found["accuracy_gap"].value) == (0.5, 0.5)
    detail = found["accuracy"].detail
    assert detail["groups"]["north"] == {"value": 1.0, "rows": 4}
    assert (detail["worst"], detail["best"]) == ("missing", "north")
    assert detail["left_out"] == {"groups": 1, "rows": 2}
    assert found["log_loss"].detail["worst"] == "south"
    no_run: Any = None
    scores = ByGroup(of=("accuracy", "log_loss"), smallest=3).measure(rows, no_run)
    assert {name for name, lower in scores.lower_is_better.items() if lower} == {
        "accuracy_gap", "log_loss", "log_loss_gap",
    }  # fmt: skip


def test_groups_of_numbers_are_named_as_people_write_them() -> None:
    rows = predictions([1, 0, 1, 0], [0.9, 0.1, 0.9, 0.1], group=np.array([2.0, 2.0, 7.0, np.nan]))
    assert set(measure(ByGroup(of=("accuracy",), smallest=1), rows)["accuracy"].detail["groups"]) == {
        "2", "7", "missing",
    }  # fmt: skip


def test_a_wrong_name_setting_or_role_is_told() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'accuracy'"):
        ByGroup(of=("acuracy",))
    with pytest.raises(ConfigError, match=r"of\.recall\.treshold"):
        ByGroup(of={"recall": {"treshold": 0.3}})
    with pytest.raises(ConfigError, match="role 'group'"):
        measure(ByGroup(of=("accuracy",)), predictions([1, 0], [0.9, 0.1]))
    assert ByGroup(of=("rmse",)).tasks == ("regression",)
    with pytest.raises(ConfigError, match="No task has all"):
        ByGroup(of=("rmse", "accuracy"))


def test_groups_can_have_intervals(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    label = (rng.random(200) < 0.5).astype(float)
    rows = predictions(label, rng.random(200), group=rng.integers(0, 2, 200))
    metric = ByGroup(of={"accuracy": {"bootstrap": 50}})
    (first, _) = metric.measure(rows, make_run(tmp_path, label="g")).entries
    assert set(first.detail["groups"]["0"]) == {"value", "low", "high", "rows"}
