"""Splits: each phase sees its own rows, in order, with the right target; what cannot be learnt from is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway import PHASES, Category, DataError, Directory, Run, Split
from modelway.testing import make_run, make_table
from modelway.values import encode_target

SCHEMA = {
    "columns": {
        "a": {"type": "number"},
        "key": {"type": "integer", "role": "id"},
        "w": {"type": "number", "role": "weight"},
        "y": {"type": "category", "role": "target", "values": ["yes", "no"], "positive": "yes"},
    }
}


def split_of(run: Run, codes: dict[str, Any], parts: int = 1) -> Split:
    rows = len(next(iter(codes.values())))
    columns = {
        "a": np.arange(rows) * 1.0,
        "key": np.arange(rows) + 100,
        "w": np.ones(rows),
        "y": ["yes" if i % 3 == 0 else "no" for i in range(rows)],
    }
    return Split.of(make_table(run, columns, parts), {fold: np.asarray(c) for fold, c in codes.items()}, run)


@given(codes=st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=30), parts=st.integers(1, 4))
def test_every_phase_gets_its_rows_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, codes: list[int], parts: int
) -> None:
    codes = [1, *codes]
    split = split_of(make_run(tmp_path_factory.mktemp("s"), schema=SCHEMA), {"only": codes}, parts)
    for phase, code in PHASES.items():
        expected = [i for i, c in enumerate(codes) if c == code]
        found = [row for batch in split.batches(phase) for row in batch.rows.tolist()]
        assert found == expected
        assert [x for batch in split.batches(phase) for x in batch.features["a"].tolist()] == expected  # type: ignore[union-attr]
        assert split.count(phase) == len(expected)


def test_only_features_reach_the_model_and_the_positive_class_is_one(tmp_path: Path) -> None:
    split = split_of(make_run(tmp_path, schema=SCHEMA), {"only": [1, 1, 1, 3]})
    batch = next(split.batches())
    assert list(batch.features) == ["a"]
    assert batch.target.tolist() == [1.0, 0.0, 0.0]
    assert batch.weight is not None
    assert split.classes == ("no", "yes")


def test_further_columns_come_along_when_asked_for(tmp_path: Path) -> None:
    split = split_of(make_run(tmp_path, schema=SCHEMA), {"only": [1, 1, 3]})
    batch = next(split.batches(columns=["key"]))
    assert batch.raw["key"].tolist() == [100, 101]  # type: ignore[union-attr]
    assert batch.target.tolist() == [1.0, 0.0]


def test_each_fold_has_its_own_rows_and_the_last_is_looked_at(tmp_path: Path) -> None:
    split = split_of(make_run(tmp_path, schema=SCHEMA), {"first": [1, 1, 3, 0], "final": [1, 1, 1, 1]})
    assert (split.fold, split.count("train"), split.count("test")) == ("final", 4, 0)
    assert (split.at("first").count("train"), split.at("first").count("test")) == (2, 1)


def test_steps_are_applied_to_features_in_their_order(tmp_path: Path) -> None:
    split = split_of(make_run(tmp_path, schema=SCHEMA), {"only": [1, 1]})
    seen = split.with_steps([lambda c: {"a": c["a"] + 1}, lambda c: {"b": c["a"] * 10}])  # type: ignore[operator]
    assert next(seen.batches()).features["b"].tolist() == [10.0, 20.0]  # type: ignore[union-attr]
    assert next(seen.batches()).raw["a"].tolist() == [0.0, 1.0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ({"only": [1, 1]}, "labels 2 rows of a table of 3"),
        ({"only": [3, 3, 3]}, "Fold 'only' has no training rows"),
        ({"good": [1, 1, 3], "bad": [0, 2, 3]}, "Fold 'bad' has no training rows"),
        ({"only": [1, 9, 1]}, "has codes other than those of PHASES"),
        ({"only": [1, -1, 257]}, "has codes other than those of PHASES"),
        ({}, "no fold"),
    ],
)
def test_labels_that_would_lose_rows_are_refused(tmp_path: Path, codes: dict[str, Any], message: str) -> None:
    run = make_run(tmp_path, schema=SCHEMA)
    table = make_table(run, {"a": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match=message):
        Split.of(table, {fold: np.asarray(c) for fold, c in codes.items()}, run)


def test_a_split_is_kept_and_read_back(tmp_path: Path) -> None:
    run = make_run(tmp_path, schema=SCHEMA)
    split = split_of(run, {"first": [1, 3, 1], "final": [1, 1, 1]})
    folder = Directory(tmp_path / "folder")
    folder.blobs = run.blobs
    split.save(folder)
    again = Split.load(folder)
    assert again == split
    assert again.at("first").codes().tolist() == [1, 3, 1]


@pytest.mark.parametrize(
    ("column", "classes", "expected"),
    [
        (np.array([0, 1, 1]), (0, 1), [0, 1, 1]),
        (np.array([0.0, 1.0, 1.0]), (1, 0), [1, 0, 0]),
        (np.array([True, False]), (False, True), [1, 0]),
        (Category.of(["b", "a"]), ("a", "b"), [1, 0]),
        (np.array([2.5, -1.0]), (), [2.5, -1.0]),
        (np.array([3, 4]), (), [3.0, 4.0]),
    ],
)
def test_targets_become_class_numbers_or_values(column: Any, classes: tuple[Any, ...], expected: list[float]) -> None:
    assert encode_target(column, classes, "y").tolist() == expected


@pytest.mark.parametrize(
    ("column", "classes", "message"),
    [
        (np.array([0, 1, 2]), (0, 1), "holds 2, and its declared values are 0, 1"),
        (Category.of(["a", None]), ("a", "b"), "holds a missing value"),
        (Category(np.array([0, -1]), ("a", "unused")), ("a", "b"), "holds a missing value"),
        (Category.of(["a", "A"]), ("a", "b"), "holds 'A'"),
        (np.array([1.0, np.nan]), (), "missing or non-numeric"),
        (np.array([1.0, np.inf]), (), "missing or non-numeric"),
        (Category.of(["1", "2"]), (), "missing or non-numeric"),
    ],
)
def test_a_target_that_was_not_declared_is_named(column: Any, classes: tuple[Any, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        encode_target(column, classes, "y")
