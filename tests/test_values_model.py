"""Transforms and scoring models: what travels into a bundle scores as in training, and can prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelway import Columns, DataError, Directory, Feature, RowPreparer, ScoringModel, Transform, param
from modelway.component import build
from modelway.testing.delivery import ShareModel, ShareTrainer, scoring_model


@dataclass(frozen=True, kw_only=True)
class Minus(Feature, name="minus"):
    """Takes a fitted number off."""

    columns: tuple[str, ...] = param(("a",), "Columns.")

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        return {f"{name}_minus": column - state["by"] for name, column in columns.items()}  # type: ignore[operator]


@dataclass(frozen=True, kw_only=True)
class MinusBeside(Minus, name="minus_beside"):
    """Takes a fitted number off, beside the input."""

    keeps_inputs = True


@dataclass(frozen=True, kw_only=True)
class Plus(RowPreparer, name="plus"):
    """Adds one."""

    def apply(self, columns: Columns) -> Columns:
        return {**columns, "a": columns["a"] + 1}  # type: ignore[operator]


BY_NAME = {"minus": Minus, "plus": Plus, "share": ShareTrainer}


def components(stage: str, use: str, config: dict[str, Any]) -> Any:
    return build(BY_NAME[use], config)


def full() -> ScoringModel:
    """Return a model behind a row step and a transform."""
    transform = Transform(Minus(), ("a",), {"by": 1.0}, "centred")
    model = replace(scoring_model(), preparers=(("plus", Plus()),), transforms=(transform,), golden={})
    return model.with_golden([{"a": 1.0, "c": "x"}, {"a": None, "c": None}])


def test_outputs_take_the_place_of_inputs_unless_the_feature_keeps_them() -> None:
    columns: Columns = {"a": np.array([1.0, 2.0]), "b": np.array([0.0, 0.0])}
    assert list(Transform(Minus(), ("a",), {"by": 1})(columns)) == ["b", "a_minus"]
    assert list(Transform(MinusBeside(), ("a",), {"by": 1})(columns)) == ["a", "b", "a_minus"]
    assert list(columns) == ["a", "b"]


def test_an_absent_input_names_feature_and_column() -> None:
    with pytest.raises(DataError, match="Feature 'centred' needs column 'heigth'.*Did you mean 'height'"):
        Transform(Minus(), ("heigth",), {"by": 1}, "centred")({"height": np.array([1.0])})


def test_a_pattern_that_matches_nothing_is_refused_and_others_are_expanded_once() -> None:
    from modelway import ConfigError

    assert Minus(columns=("x*", "b", "x1")).inputs(["x1", "b", "x2"]) == ("x1", "x2", "b")
    with pytest.raises(ConfigError, match="names column 'heigth'.*Did you mean 'height'"):
        Minus(columns=("heigth",)).inputs(["height"])


def test_a_scoring_model_is_kept_and_scores_alike(tmp_path: Path) -> None:
    model = full()
    model.save(Directory(tmp_path))
    again = ScoringModel.load(Directory(tmp_path, components))
    assert again == model
    rows = [{"a": 2.0, "c": "y"}, {"a": None, "c": "new"}, {}]
    assert again.score_records(rows)["score"].tolist() == model.score_records(rows)["score"].tolist()
    assert again.self_test() == 0.0


def test_equal_models_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        full().save(Directory(tmp_path / name))
    files = [{p.name: p.read_bytes() for p in sorted((tmp_path / n).rglob("*.json"))} for n in ("one", "two")]
    assert files[0] == files[1]


def test_the_self_test_notices_a_model_that_scores_otherwise() -> None:
    assert replace(full(), model=ShareModel(0.5)).self_test() == pytest.approx(0.25)
    with pytest.raises(DataError, match="carries no golden rows"):
        replace(full(), golden={}).self_test()


def test_a_folder_without_components_says_what_it_lacks(tmp_path: Path) -> None:
    full().save(Directory(tmp_path))
    with pytest.raises(LookupError, match="cannot build the train component 'share'"):
        ScoringModel.load(Directory(tmp_path))
