"""A plain function is a component: its keywords are its configuration, its name and docstring are its own."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from modelway import Columns, Predictions, Reason, Run, Score, Scores, Split, Table, decorators
from modelway.component import build
from modelway.errors import ConfigError, PluginError
from modelway.plugins import Plugins
from modelway.testing import make_run, make_table

SCHEMA = {
    "columns": {
        "a": {"type": "number"},
        "y": {"type": "category", "role": "target", "values": ["no", "yes"], "positive": "yes"},
    }
}


@decorators.metric
def share(predictions: Predictions, *, cut: float = 0.5, side: Literal["above", "below"] = "above") -> float:
    """Return the share of rows beyond a cut.

    More about it.
    """
    found = float((predictions.score >= cut).mean())
    return found if side == "above" else 1 - found


@decorators.metric
def named(predictions: Predictions, run: Run) -> Scores:
    return Scores.named({"seed": Score(float(run.seed))})


@decorators.feature
def doubled(columns: Columns, *, by: float) -> Columns:
    """Multiply columns."""
    return {f"{name}_x": column * by for name, column in columns.items()}  # type: ignore[operator]


@decorators.preparer
def first(tables: Mapping[str, Table], *, name: str) -> Table:
    return tables[name]


@decorators.gate
def low(scores: Scores, champion: Scores | None, run: Run, *, metric: str) -> Reason:
    value = scores.value(metric, "test")
    return Reason(
        run.label, value is not None and value < 1, f"{metric} with{'out' if champion is None else ''} champion"
    )


@decorators.splitter
def halves(table: Table, run: Run) -> Split:
    codes = np.where(np.arange(table.rows) % 2, 1, 3)
    return Split.of(table, {"holdout": codes}, run)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, schema=SCHEMA, seed=4)


def predictions(run: Run) -> Predictions:
    columns = {"label": np.array([0.0, 1.0, 1.0, 0.0]), "score": np.array([0.1, 0.9, 0.7, 0.2])}
    return Predictions(make_table(run, columns), "binary", ("no", "yes"), columns=columns)


def test_keywords_become_checked_configuration() -> None:
    made: Any = build(share, {"cut": 1, "side": "below"})
    assert made.params() == {"cut": 1.0, "side": "below"}
    with pytest.raises(ConfigError, match="must be one of above, below"):
        build(share, {"side": "left"})
    with pytest.raises(ConfigError, match="'by' is required"):
        build(doubled, {"columns": ["a"]})
    with pytest.raises(ConfigError, match="Unknown key 'cuts'.*Did you mean 'cut'"):
        build(share, {"cuts": 1})


def test_a_component_is_named_and_described_as_its_function() -> None:
    assert (share.name, share.stage, share.__module__) == ("share", "evaluate", __name__)  # type: ignore[attr-defined]
    assert str(share.__doc__).startswith("Return the share of rows beyond a cut.")
    assert (doubled.name, doubled.stage, doubled.__doc__) == ("doubled", "features", "Multiply columns.")  # type: ignore[attr-defined]


def test_a_component_reaches_another_process(run: Run) -> None:
    component = share(cut=0.8)
    assert pickle.loads(pickle.dumps(component)) == component
    feature = doubled(columns=("a",), by=2.0)
    assert pickle.loads(pickle.dumps(feature)) == feature


def test_a_metric_is_a_number_or_scores(run: Run) -> None:
    measured = share(cut=0.5).measure(predictions(run), run)
    assert measured.entries[0].value == 0.5
    assert measured.entries[0].support == 4
    assert named().measure(predictions(run), run).entries[0].value == 4.0


def test_a_feature_keeps_its_inputs_and_fits_nothing(run: Run) -> None:
    feature = doubled(columns=("a",), by=3.0)
    assert (feature.fitted, feature.keeps_inputs) == (False, True)
    assert feature.inputs(["a", "b"]) == ("a",)
    assert feature.apply(None, {"a": np.array([1.0, 2.0])})["a_x"].tolist() == [3.0, 6.0]


def test_a_function_may_leave_the_run_out(run: Run) -> None:
    table = make_table(run, {"a": [1.0]})
    assert first(name="raw").prepare({"raw": table}, run) is table


def test_a_gate_gets_scores_champion_and_run(run: Run) -> None:
    scores = Scores((Score(0.5, metric="loss", phase="test"),))
    assert low(metric="loss").decide(scores, None, run).text == "loss without champion"
    assert low(metric="loss").decide(scores, scores, run).passed


def test_the_run_may_be_given_by_name(run: Run) -> None:
    """As a test of a project would, and as it may with every other component."""
    table = make_table(run, {"a": [1.0, 2.0, 3.0], "y": ["no", "yes", "no"]})
    assert halves().split(table, run=run).count("test") == 2


def test_a_keyword_without_a_type_is_refused_at_once() -> None:
    def loose(predictions: Predictions, *, cut=0.5) -> float:  # type: ignore[no-untyped-def]
        return 0.0

    with pytest.raises(PluginError, match="'cut' of loose has no type. Annotate it"):
        decorators.metric(loose)


def test_a_projects_functions_are_offered_without_a_hook(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "from modelway import metric, Predictions\n"
        "@metric\ndef mean(predictions: Predictions, *, power: int = 1) -> float:\n    return 0.0\n"
    )
    plugins = Plugins(only=[], inline=tmp_path / "plugin.py")
    assert plugins.names("evaluate") == ["mean"]
    assert plugins.component("evaluate", "mean", {"power": 2}).params() == {"power": 2}
