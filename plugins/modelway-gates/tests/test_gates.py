"""Gates: what passes, what does not, and what the reason says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelway_gates import Floor, NoWorse
from modelway_gates.measured import shown

from modelway import ConfigError, Run, Score, Scores, build
from modelway.testing import make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return replace(make_run(tmp_path), label="good_enough")


def scores(*entries: Score, **lower: bool) -> Scores:
    return Scores(entries, lower)


def score(value: float | None, metric: str = "auc", phase: str = "test", **more: Any) -> Score:
    return Score(value, metric=metric, phase=phase, **more)


@pytest.mark.parametrize(
    ("limits", "passed", "text"),
    [
        ({"at_least": 0.9}, True, "auc 0.9 on test rows is at least 0.9"),
        ({"at_least": 0.95}, False, "auc 0.9 on test rows is not at least 0.95"),
        ({"at_most": 0.9}, True, "auc 0.9 on test rows is at most 0.9"),
        ({"at_most": 0.85}, False, "auc 0.9 on test rows is not at most 0.85"),
        ({"at_least": 0.5, "at_most": 0.99}, True, "auc 0.9 on test rows is at least 0.5 and at most 0.99"),
        ({"at_least": 0.5, "at_most": 0.6}, False, "auc 0.9 on test rows is not at most 0.6"),
        ({"at_least": 0.95, "at_most": 0.99}, False, "auc 0.9 on test rows is not at least 0.95"),
        ({"at_least": 0.9000001}, False, "auc 0.9 on test rows is not at least 0.9000001"),
    ],
)
def test_a_floor_holds_its_limits_and_says_both_numbers(
    limits: dict[str, float], passed: bool, text: str, run: Run
) -> None:
    reason = Floor(metric="auc", **limits).decide(scores(score(0.9)), None, run)
    assert (reason.passed, reason.text, reason.gate, reason.value) == (passed, text, "good_enough", 0.9)
    assert reason.bound in limits.values()


@pytest.mark.parametrize(
    ("limits", "passed", "text"),
    [
        ({"at_least": 0.85}, True, "auc 0.9 (interval 0.86 to 0.95) on test rows is at least 0.85"),
        ({"at_least": 0.88}, False, "auc 0.9 (interval 0.86 to 0.95) on test rows is not at least 0.88"),
        ({"at_most": 0.92}, False, "auc 0.9 (interval 0.86 to 0.95) on test rows is not at most 0.92"),
    ],
)
def test_an_uncertain_metric_does_not_slip_past_a_floor_on_its_interval(
    limits: dict[str, float], passed: bool, text: str, run: Run
) -> None:
    found = scores(score(0.9, low=0.86, high=0.95))
    assert Floor(metric="auc", **limits).decide(found, None, run).passed
    reason = Floor(metric="auc", interval=True, **limits).decide(found, None, run)
    assert (reason.passed, reason.text) == (passed, text)


def test_the_mean_of_folds_counts_and_the_interval_of_each(run: Run) -> None:
    found = scores(score(0.8, fold="1", low=0.7, high=0.9), score(0.9, fold="2", low=0.85, high=0.95))
    assert Floor(metric="auc", at_least=0.84).decide(found, None, run).passed
    assert not Floor(metric="auc", at_least=0.86).decide(found, None, run).passed
    assert not Floor(metric="auc", at_least=0.75, interval=True).decide(found, None, run).passed
    assert Floor(metric="auc", at_least=0.7, interval=True).decide(found, None, run).passed


def test_an_interval_that_was_not_computed_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match=r"interval of 'auc' on test rows, and it has none \(gates\.good_enough"):
        Floor(metric="auc", at_least=0.5, interval=True).decide(scores(score(0.9)), None, run)


GATES = [Floor(metric="auk", at_least=0.5), NoWorse(metric="auk")]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_metric_that_was_not_measured_is_refused_with_the_nearest_name(gate: Any, run: Run) -> None:
    with pytest.raises(ConfigError, match=r"'auk', which was not measured .*Did you mean 'auc'"):
        gate.decide(scores(score(0.9)), None, run)


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_phase_that_was_not_measured_is_refused_with_those_that_were(gate: Any, run: Run) -> None:
    with pytest.raises(ConfigError, match=r"'auk' on test rows, where it was not measured .*Known here: valid"):
        gate.decide(scores(score(0.9, metric="auk", phase="valid")), None, run)


@pytest.mark.parametrize("value", [None, float("nan")])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_an_undefined_metric_does_not_pass(gate: Any, value: float | None, run: Run) -> None:
    reason = gate.decide(scores(score(value, metric="auk")), None, run)
    assert not reason.passed
    assert "is not defined" in reason.text


def test_without_a_champion_the_comparison_passes_and_says_so(run: Run) -> None:
    reason = NoWorse(metric="auc").decide(scores(score(0.9)), None, run)
    assert reason.passed
    assert reason.text == "auc on test rows is 0.9, and there is no champion to compare with"
    assert NoWorse.needs_champion


def test_a_champion_whose_metric_is_undefined_is_not_beaten_in_silence(run: Run) -> None:
    reason = NoWorse(metric="auc").decide(scores(score(0.9)), scores(score(None)), run)
    assert not reason.passed
    assert "champion's is not defined" in reason.text


@pytest.mark.parametrize(
    ("value", "best", "by", "lower", "passed"),
    [
        (0.9, 0.9, 0.0, False, True),
        (0.89, 0.9, 0.0, False, False),
        (0.89, 0.9, 0.02, False, True),
        (0.87, 0.9, 0.02, False, False),
        (0.2, 0.3, 0.0, True, True),
        (0.31, 0.3, 0.0, True, False),
        (0.31, 0.3, 0.02, True, True),
        (0.33, 0.3, 0.02, True, False),
    ],
)
def test_worse_is_the_way_that_the_metric_says(
    value: float, best: float, by: float, lower: bool, passed: bool, run: Run
) -> None:
    reason = NoWorse(metric="m", by=by).decide(
        scores(score(value, metric="m"), m=lower), scores(score(best, metric="m"), m=lower), run
    )
    assert reason.passed is passed
    assert f"{value:g}" in reason.text
    assert f"{best:g}" in reason.text
    assert ("no worse" in reason.text) is passed
    assert reason.bound == pytest.approx(best + by if lower else best - by)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_two_numbers_that_differ_never_read_the_same(a: float, b: float) -> None:
    assert (shown(a, b)[0] == shown(a, b)[1]) is (a == b)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"metric": "auc"}, "has no limit"),
        ({"metric": "auc", "at_least": 2, "at_most": 1}, "at least 2.0 and at most 1.0"),
        ({"at_least": 2}, "'metric' is required"),
    ],
)
def test_a_floor_that_says_nothing_is_refused_before_anything_runs(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(Floor, config)
