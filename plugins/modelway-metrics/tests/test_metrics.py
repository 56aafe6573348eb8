"""Every metric against scikit-learn's, and what a user reads beside a value."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_metrics import metrics
from sklearn.calibration import calibration_curve

from modelway import ConfigError, DataError, Predictions, Score
from modelway.testing import make_run

#: The metrics of one value; those of several have tests of their own.
METRICS = {metric.name: metric for metric in metrics() if metric.name not in ("business", "by_group")}
CURVES = ("roc_auc", "average_precision")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # scikit-learn's, where a metric is not defined


def measure(name: str, label: Any, score: Any, weight: Any = None, *, path: Path | None = None, **fields: Any) -> Score:
    """Measure rows; the task follows from the metric and the score's shape."""
    label, score = np.asarray(label, dtype=np.float64), np.asarray(score)
    metric = METRICS[name](**{"bootstrap": 0, **fields})
    task = "regression" if "regression" in metric.tasks else "multiclass" if score.ndim == 2 else "binary"
    classes = tuple(range(score.shape[1])) if score.ndim == 2 else ("no", "yes") if task == "binary" else ()
    columns = {"row": np.arange(len(label)) + 100, "label": label}
    columns |= {f"score_{k}": score[:, k] for k in range(score.shape[1])} if score.ndim == 2 else {"score": score}
    columns |= {} if weight is None else {"weight": np.asarray(weight)}
    predictions = Predictions(None, task, classes, "fold", "test", columns)  # type: ignore[arg-type]
    run = make_run(path, task=task, label=name) if path else _Run(name)
    (entry,) = metric.measure(predictions, run).entries  # type: ignore[arg-type]
    return entry


class _Run:
    """A run for metrics that draw nothing."""

    def __init__(self, label: str) -> None:
        self.label = label


def rows(task: str, seed: int, size: int, ties: bool, weighted: bool, classes: int = 4) -> tuple[Any, Any, Any]:
    """Draw labels, scores and weights; with ties, scores are rounded to tenths and labels favour one class."""
    rng = np.random.default_rng(seed)
    weight = rng.choice([0.5, 1.0, 2.75], size) * rng.uniform(0.5, 2, size) if weighted else None
    if task == "regression":
        label, score = rng.normal(3, 2, size), rng.normal(3, 2, size)
        return (label.round(), score.round(1), weight) if ties else (label, score, weight)
    if task == "binary":
        label, score = rng.random(size) < (0.1 if ties else 0.5), rng.random(size)
        return label.astype(float), score.round(1) if ties else score, weight
    label = rng.integers(0, classes if not ties else rng.integers(1, classes + 1), size)
    parts = rng.integers(1, 5, (size, classes)) if ties else rng.random((size, classes))
    return label.astype(float), parts / parts.sum(axis=1, keepdims=True), weight


any_rows = {
    "seed": st.integers(0, 2**32 - 1),
    "size": st.one_of(st.integers(1, 6), st.integers(7, 300)),
    "ties": st.booleans(),
    "weighted": st.booleans(),
}


def agrees(found: Score, wanted: float) -> None:
    """Compare with the reference; what is not a number there is None here."""
    if not np.isfinite(wanted):
        assert found.value is None
        assert found.detail["note"]
    else:
        assert found.value == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(**any_rows, threshold=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_binary_values_are_those_of_scikit_learn(
    seed: int, size: int, ties: bool, weighted: bool, threshold: float
) -> None:
    label, score, weight = rows("binary", seed, size, ties, weighted)
    decided = (score >= threshold).astype(float)
    given_weight: dict[str, Any] = {"sample_weight": weight}
    both, hits = len(set(label)) == 2, label.any() or decided.any()
    wanted = {
        "roc_auc": reference.roc_auc_score(label, score, **given_weight) if both else np.nan,
        "average_precision": reference.average_precision_score(label, score, **given_weight) if both else np.nan,
        "log_loss": reference.log_loss(label, score, labels=[0, 1], **given_weight),
        "brier": reference.brier_score_loss(label, score, pos_label=1, **given_weight),
    }
    for name, value in wanted.items():
        agrees(measure(name, label, score, weight), value)
    decisions = {
        "accuracy": reference.accuracy_score(label, decided, **given_weight),
        "balanced_accuracy": reference.balanced_accuracy_score(label, decided, **given_weight),
        "precision": reference.precision_score(label, decided, **given_weight) if hits else np.nan,
        "recall": reference.recall_score(label, decided, **given_weight) if label.any() else np.nan,
        "f1": reference.f1_score(label, decided, **given_weight) if hits else np.nan,
        "mcc": reference.matthews_corrcoef(label, decided, **given_weight) if both else np.nan,
    }
    for name, value in decisions.items():
        found = measure(name, label, score, weight, threshold=threshold)
        agrees(found, value)
        assert found.threshold == threshold
    matrix = measure("confusion", label, score, weight, threshold=threshold).detail["matrix"]
    assert np.allclose(matrix, reference.confusion_matrix(label, decided, labels=[0, 1], **given_weight), 1e-12, 1e-12)


@settings(max_examples=50, deadline=None)
@given(**any_rows, average=st.sampled_from(["macro", "micro", "weighted"]), classes=st.integers(2, 5))
def test_multiclass_values_are_those_of_scikit_learn(
    seed: int, size: int, ties: bool, weighted: bool, average: str, classes: int
) -> None:
    label, score, weight = rows("multiclass", seed, size, ties, weighted, classes)
    decided, every = score.argmax(axis=1), list(range(classes))
    given_weight: dict[str, Any] = {"sample_weight": weight}
    mean: dict[str, Any] = {"average": average, **given_weight}
    complete, varied = set(label) == set(every), len(set(label)) > 1
    decisions = {
        "accuracy": reference.accuracy_score(label, decided, **given_weight),
        "balanced_accuracy": reference.balanced_accuracy_score(label, decided, **given_weight),
        "mcc": reference.matthews_corrcoef(label, decided, **given_weight) if varied else np.nan,
        "log_loss": reference.log_loss(label, score, labels=every, **given_weight),
        "brier": reference.brier_score_loss(label, score, labels=every, scale_by_half=False, **given_weight),
    }
    for name, value in decisions.items():
        agrees(measure(name, label, score, weight), value)
    for name in ("precision", "recall", "f1"):
        value = getattr(reference, f"{name}_score")(label, decided, **mean)
        agrees(measure(name, label, score, weight, average=average), value)
    for k in range(1, classes):
        if classes > 2:  # of two classes the reference takes no two columns
            value = reference.top_k_accuracy_score(label, score, k=k, labels=every, **given_weight)
            agrees(measure("top_k_accuracy", label, score, weight, k=k), value)
    if average != "micro":
        one_hot = label[:, None] == every
        for name in CURVES:
            value = getattr(reference, f"{name}_score")(one_hot, score, **mean) if complete else np.nan
            agrees(measure(name, label, score, weight, average=average), value)
    matrix = measure("confusion", label, score, weight).detail["matrix"]
    assert np.allclose(matrix, reference.confusion_matrix(label, decided, labels=every, **given_weight), 1e-12, 1e-12)


@settings(max_examples=50, deadline=None)
@given(**any_rows)
def test_regression_values_are_those_of_scikit_learn(seed: int, size: int, ties: bool, weighted: bool) -> None:
    label, score, weight = rows("regression", seed, size, ties, weighted)
    given_weight: dict[str, Any] = {"sample_weight": weight}
    varied = len(set(label)) > 1
    wanted = {
        "rmse": reference.root_mean_squared_error(label, score, **given_weight),
        "mse": reference.mean_squared_error(label, score, **given_weight),
        "mae": reference.mean_absolute_error(label, score, **given_weight),
        "mape": reference.mean_absolute_percentage_error(label, score, **given_weight),
        "median_absolute_error": reference.median_absolute_error(label, score, **given_weight),
        "max_error": reference.max_error(label, score),
        "r2": reference.r2_score(label, score, **given_weight) if varied else np.nan,
        "explained_variance": reference.explained_variance_score(label, score, **given_weight) if varied else np.nan,
    }
    for name, value in wanted.items():
        agrees(measure(name, label, score, weight), value)


def test_a_large_rare_class_slice_is_measured_as_exactly_as_a_small_one() -> None:
    rng = np.random.default_rng(1)
    label = (rng.random(200_000) < 0.002).astype(float)
    score = np.clip(rng.normal(0.2, 0.1, len(label)) + 0.1 * label, 0, 1)
    for weight in (None, rng.uniform(0.1, 5, len(label))):
        for name in CURVES:
            wanted = getattr(reference, f"{name}_score")(label, score, sample_weight=weight)
            assert measure(name, label, score, weight).value == pytest.approx(wanted, rel=1e-12)
        wanted = reference.matthews_corrcoef(label, score >= 0.5, sample_weight=weight)
        assert measure("mcc", label, score, weight).value == pytest.approx(wanted, rel=1e-12)


def test_a_score_of_the_threshold_counts_as_positive_in_the_models_own_float_type() -> None:
    score = np.array([0.7, 0.1], dtype=np.float32)  # as float64 this 0.7 is below 0.7
    assert measure("recall", [1, 0], score, threshold=0.7).value == 1.0


def test_a_certain_wrong_answer_costs_what_the_models_float_type_can_tell() -> None:
    label = np.array([1.0, 0.0])
    for kind in (np.float32, np.float64):
        score = np.array([0, 0.5], dtype=kind)
        wanted = reference.log_loss(label, score, labels=[0, 1])
        assert measure("log_loss", label, score).value == pytest.approx(wanted, rel=1e-6)


def test_rows_of_weight_zero_change_nothing() -> None:
    label, score, weight = rows("binary", 3, 50, False, True)
    more = np.append(label, [0, 1]), np.append(score, [0.99, 0.01]), np.append(weight, [0, 0])
    for name, metric in METRICS.items():
        if "binary" in metric.tasks:
            assert measure(name, *more) == measure(name, label, score, weight)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "binary" in metric.tasks])
def test_a_slice_of_one_class_never_stops_a_run(name: str, tmp_path: Path) -> None:
    for label in ([1.0], [0.0], [1.0, 1.0, 1.0], [0.0, 0.0]):
        for weight in (None, np.ones(len(label)), np.zeros(len(label))):
            found = measure(name, label, np.full(len(label), 0.4), weight, path=tmp_path, bootstrap=20)
            assert found.value is not None or found.detail["note"]


def test_a_failure_of_the_model_is_zero_and_a_lack_of_data_is_nothing() -> None:
    nothing_found = np.array([0.1, 0.2, 0.3])
    failed = measure("precision", [0, 1, 0], nothing_found)
    assert failed.value == 0
    assert "no row is taken for class yes" in failed.detail["note"]
    assert measure("mcc", [0, 1, 0], nothing_found).value == 0
    lacking = measure("recall", [0, 0, 0], nothing_found)
    assert lacking.value is None
    assert "no row of class yes" in lacking.detail["note"]
    assert "all rows are of class no" in measure("mcc", [0, 0, 0], nothing_found).detail["note"]


def test_a_missing_class_is_named() -> None:
    score = np.full((4, 3), 1 / 3)
    assert "no row of class 2" in measure("roc_auc", [0, 1, 0, 1], score).detail["note"]
    assert measure("f1", [0, 1, 0, 1], score).detail["support"] == {"0": 2, "1": 2, "2": 0}


def test_a_score_that_is_missing_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match=r"not a finite number \(row 102 fold test\)"):
        measure("roc_auc", [0, 1, 1], [0.1, 0.2, np.nan])
    with pytest.raises(DataError, match="row 101"):
        measure("f1", [0, 1, 1], [0.1, 0.2, 0.3], [1, -1, 1])


def test_margins_are_not_taken_for_probabilities() -> None:
    for name in ("log_loss", "brier", "calibration"):
        with pytest.raises(DataError, match=r"scores go from -1 to 2"):
            measure(name, [0, 1], [-1.0, 2.0])
    assert measure("roc_auc", [0, 1], [-1.0, 2.0]).value == 1.0


def test_settings_that_would_have_no_effect_are_refused() -> None:
    score = np.full((2, 3), 1 / 3)
    with pytest.raises(ConfigError, match="multiclass task has no use for"):
        measure("f1", [0, 1], score, threshold=0.3)
    with pytest.raises(ConfigError, match="every row would count"):
        measure("top_k_accuracy", [0, 1], score, k=3)


def test_curves_lie_on_those_of_scikit_learn_and_stay_small() -> None:
    label, score, _ = rows("binary", 5, 5000, False, False)
    score = np.clip(score * 0.5 + label * 0.4, 0, 1)
    roc = measure("roc_auc", label, score).detail["curve"]
    fpr, tpr, thresholds = reference.roc_curve(label, score, drop_intermediate=False)
    place = {t: i for i, t in enumerate(thresholds)}
    for threshold, x, y in list(zip(*roc.values(), strict=True))[1:]:
        assert (x, y) == (fpr[place[threshold]], tpr[place[threshold]])
    assert (roc["threshold"][0], roc["true_positive_rate"][0], roc["true_positive_rate"][-1]) == (None, 0.0, 1.0)
    area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
    assert area == pytest.approx(measure("roc_auc", label, score).value, abs=1e-3)

    pr = measure("average_precision", label, score).detail["curve"]
    precision, recall, thresholds = reference.precision_recall_curve(label, score)
    place = {t: i for i, t in enumerate(thresholds)}
    for threshold, x, y in zip(*pr.values(), strict=True):
        assert (x, y) == (recall[place[threshold]], precision[place[threshold]])
    assert 100 < len(pr["threshold"]) <= len(roc["threshold"]) <= 201

    calibration = measure("brier", label, score).detail["curve"]
    observed, predicted = calibration_curve(label, score, n_bins=20, strategy="quantile")
    assert calibration["predicted"] == pytest.approx(predicted)
    assert calibration["observed"] == pytest.approx(observed)
    assert sum(calibration["rows"]) == 5000


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999), ties=st.booleans(), weighted=st.booleans(), task=st.sampled_from(["binary", "multiclass"])
)
def test_a_resample_is_measured_as_if_its_rows_had_been_repeated(
    seed: int, ties: bool, weighted: bool, task: str
) -> None:
    """The bootstrap's fast path, held to the plain way: draw rows, then measure them."""
    from modelway_metrics.sampled import Rows

    label, score, weight = rows(task, seed, 60, ties, weighted, 3)
    if task == "multiclass":
        label[:3] = [0, 1, 2]
    else:
        label[:2] = [0, 1]
    for name in (*CURVES, "f1", "log_loss"):
        prepared = Rows(label.astype(int), score, weight, tuple(range(max(2, score.ndim * 3 - 3))), task)
        statistic = METRICS[name]().prepare(prepared)
        if statistic.counts:
            continue  # drawn as cells: covered by the comparison of intervals
        whole = statistic.value(statistic.weight)
        assert statistic.value(statistic.weight * 3) == pytest.approx(whole, rel=1e-12)
        kept = np.random.default_rng(seed).integers(0, 3, len(label))
        tagged = replace(prepared, weight=np.arange(1.0, len(label) + 1))  # weights tell the order of the rows
        order = METRICS[name]().prepare(tagged).weight.astype(int) - 1
        if weight is None:
            statistic = METRICS[name]().prepare(replace(prepared, weight=np.ones(len(label))))
        drawn = np.repeat(np.arange(len(label)), kept)
        found = statistic.value(statistic.weight * kept[order])
        repeated = measure(name, label[drawn], score[drawn], None if weight is None else weight[drawn]).value
        if repeated is not None:
            assert found == pytest.approx(repeated, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "f1", "mcc", "brier", "rmse", "r2"])
def test_an_interval_is_about_that_of_drawing_rows_the_plain_way(name: str, weighted: bool, tmp_path: Path) -> None:
    label, score, weight = rows(METRICS[name].tasks[0], 7, 400, False, weighted)
    found = measure(name, label, score, weight, path=tmp_path, bootstrap=1500, confidence=0.9)
    rng, values = np.random.default_rng(8), []
    for _ in range(1500):
        drawn = rng.integers(len(label), size=len(label))
        values.append(measure(name, label[drawn], score[drawn], None if weight is None else weight[drawn]).value)
    low, high = np.quantile(np.array(values, dtype=float), [0.05, 0.95])
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high  # type: ignore[operator]
    assert abs(found.low - low) < 0.15 * (high - low)
    assert abs(found.high - high) < 0.15 * (high - low)
    assert found.detail["interval"] == {"confidence": 0.9, "resamples": 1500}


def test_intervals_come_out_the_same_again_and_differ_by_label_and_can_be_turned_off(tmp_path: Path) -> None:
    label, score, _ = rows("binary", 9, 300, False, False)
    one, two = (measure("roc_auc", label, score, path=tmp_path, bootstrap=50) for _ in range(2))
    assert one == two
    assert measure("roc_auc", label, score).low is None
    predictions = Predictions(None, "binary", (0, 1), "", "test", {"label": label, "score": score})  # type: ignore[arg-type]
    lows = {METRICS["roc_auc"]().measure(predictions, make_run(tmp_path, label=name)).entries[0].low for name in "ab"}
    assert len(lows) == 2


def test_a_slice_with_too_few_of_a_class_gets_a_value_and_the_reason_for_no_interval(tmp_path: Path) -> None:
    found = measure(
        "roc_auc", [0, 1, 2], np.eye(3), path=tmp_path, bootstrap=200
    )  # 2 of 9 resamples hold all three classes
    assert (found.value, found.low) == (1.0, None)
    assert found.detail["interval"]["resamples"] < 100
    assert "No interval" in found.detail["note"]


@pytest.mark.parametrize("name", METRICS)
def test_scores_can_be_kept_as_json(name: str, tmp_path: Path) -> None:
    task = METRICS[name].tasks[-1]
    label, score, weight = rows(task, 11, 80, True, True)
    for row_weight in (None, weight):
        fields = {} if name == "confusion" else {"bootstrap": 20}
        found = measure(name, label, score, row_weight, path=tmp_path, **fields)
        json.dumps(
            [found.value, found.low, found.high, found.support, found.threshold, dict(found.detail)], allow_nan=False
        )


def test_lower_is_better_for_losses_and_errors_alone() -> None:
    lower = {name for name, metric in METRICS.items() if metric.lower_is_better}
    assert lower == {
        "log_loss",
        "brier",
        "calibration",
        "rmse",
        "mae",
        "mse",
        "mape",
        "median_absolute_error",
        "max_error",
    }


def test_measuring_imports_no_heavy_library() -> None:
    code = (
        "import sys, modelway_metrics; assert 'numpy' not in sys.modules\n"
        "import numpy as np; from modelway import Predictions\n"
        "class R:\n label = 'm'\n def rng(self, *names): return np.random.default_rng(0)\n"
        "for m in modelway_metrics.metrics():\n"
        "  if 'binary' in m.tasks and m.name not in ('business', 'by_group'):\n"
        "    c = {'label': np.array([0.0, 1.0]), 'score': np.array([0.2, 0.7])}\n"
        "    m().measure(Predictions(None, 'binary', (0, 1), '', '', c), R())\n"
        "assert not {'sklearn', 'scipy', 'pandas', 'pyarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
