from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_splits.chance import KFold, Random
from modelway_splits.column import Column, ColumnKFold
from modelway_splits.group import Group, GroupKFold
from modelway_splits.stratified import Stratified, StratifiedKFold
from modelway_splits.time import Rolling, Time
from sklearn.model_selection import TimeSeriesSplit

from modelway import PHASES, ConfigError, ModelwayError
from modelway.testing import SplitterSuite, make_run, make_table

TRAIN, VALID, TEST, UNUSED = (PHASES[name] for name in ("train", "valid", "test", "unused"))
ROLES = {
    "y": {"type": "category", "role": "target", "values": ["a", "b"]},
    "who": {"type": "category", "role": "group"},
    "when": {"type": "timestamp", "role": "time"},
    "part": {"type": "category", "role": "fold"},
}
fast = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestRandomContract(SplitterSuite):
    component = Random(valid=0.1)


class TestKFoldContract(SplitterSuite):
    component = KFold(folds=3, valid=0.1)


class TestStratifiedContract(SplitterSuite):
    component = Stratified(valid=0.1)


class TestStratifiedKFoldContract(SplitterSuite):
    component = StratifiedKFold(folds=3, valid=0.1)


class TestGroupContract(SplitterSuite):
    component = Group(valid=0.1)


class TestGroupKFoldContract(SplitterSuite):
    component = GroupKFold(folds=3, valid=0.1)


class TestTimeContract(SplitterSuite):
    component = Time(valid=0.1, gap="2h")


class TestRollingContract(SplitterSuite):
    component = Rolling(folds=3, valid=0.1, gap=2)


class TestColumnContract(SplitterSuite):
    component = Column(column="y", values={"0": "train", "1": "test"}, valid=0.1)


class TestColumnKFoldContract(SplitterSuite):
    component = ColumnKFold(column="y", values=(0, 1), valid=0.1)


def codes(folder: Path, splitter: Any, columns: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    schema = {"columns": {name: ROLES[name] for name in columns if name in ROLES}}
    run = make_run(folder, schema=schema, seed=seed)
    split = splitter.split(make_table(run, columns), run)
    assert split.folds == splitter.fold_names()
    return {fold: split.codes(fold) for fold in split.folds}


def refused(folder: Path, splitter: Any, columns: dict[str, Any]) -> str:
    with pytest.raises(ModelwayError) as caught:
        codes(folder, splitter, columns)
    return str(caught.value)


def counts(found: Any) -> tuple[int, int, int]:
    return tuple(int((found == phase).sum()) for phase in (TRAIN, VALID, TEST))  # type: ignore[return-value]


def hours(rows: int) -> Any:
    return np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h")


def test_shares_are_those_declared(tmp_path: Path) -> None:
    columns = {"y": ["a", "b"] * 500, "who": [f"g{i % 100}" for i in range(1000)], "when": hours(1000)}
    for kind in (Random, Stratified, Group, Time):
        assert counts(codes(tmp_path, kind(test=0.2, valid=0.25), columns)["holdout"]) == (600, 200, 200), kind.name


def test_another_seed_draws_other_rows(tmp_path: Path) -> None:
    columns = {"y": ["a", "b"] * 100, "who": [f"g{i % 20}" for i in range(200)]}
    for splitter in (Random(), KFold(), Stratified(), StratifiedKFold(), Group(), GroupKFold()):
        one, two = (codes(tmp_path, splitter, columns, seed) for seed in (1, 2))
        assert any((one[fold] != two[fold]).any() for fold in one), splitter.name


@pytest.mark.parametrize(
    "splitter",
    [KFold(folds=4), StratifiedKFold(folds=4), GroupKFold(folds=4), ColumnKFold(values=("n", "s", "w"))],
)
def test_cross_validation_tests_every_row_once_and_trains_the_final_fold_on_all(tmp_path: Path, splitter: Any) -> None:
    columns = {"y": ["a", "b", "b"] * 20, "who": [f"g{i % 13}" for i in range(60)], "part": ["n", "s", "w"] * 20}
    found = codes(tmp_path, splitter, columns)
    assert (found.pop("final") == TRAIN).all()
    tested = np.stack([fold == TEST for fold in found.values()])
    assert (tested.sum(axis=0) == 1).all()
    for fold in found.values():
        assert set(np.unique(fold)) == {TRAIN, TEST}


@fast
@given(
    sizes=st.lists(st.integers(12, 60), min_size=1, max_size=4),
    test=st.floats(0.05, 0.6),
    valid=st.sampled_from([0.0, 0.2, 0.5]),
    folds=st.integers(2, 5),
)
def test_every_class_keeps_its_share(tmp_path: Path, sizes: list[int], test: float, valid: float, folds: int) -> None:
    y = np.random.default_rng(len(sizes)).permutation(np.repeat(list("abcd")[: len(sizes)], sizes))
    found = codes(tmp_path, Stratified(test=test, valid=valid), {"y": y.tolist()})["holdout"]
    for name in np.unique(y):
        mine = found[y == name]
        assert abs((mine == TEST).sum() - len(mine) * test) <= 1
        assert abs((mine == VALID).sum() - (mine != TEST).sum() * valid) <= 1
        assert (mine == TRAIN).any()
    *dealt, _ = codes(tmp_path, StratifiedKFold(folds=folds), {"y": y.tolist()}).values()
    held = [np.asarray([(fold[y == name] == TEST).sum() for fold in dealt]) for name in np.unique(y)]
    assert all(np.ptp(size) <= 1 for size in [*held, sum(held)])


def test_a_rare_class_is_never_tested_on_only(tmp_path: Path) -> None:
    y = ["a"] * 40 + ["b"] * 2
    for seed in range(20):
        found = codes(tmp_path, Stratified(test=0.9, valid=0.4), {"y": y}, seed)["holdout"]
        assert TRAIN in found[40:]


@fast
@given(sizes=st.lists(st.integers(1, 12), min_size=4, max_size=20), seed=st.integers(0, 9))
def test_no_group_is_on_two_sides(tmp_path: Path, sizes: list[int], seed: int) -> None:
    who = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    groups = who.tolist()
    splits = [Group(test=0.3, valid=0.3), GroupKFold(folds=3, valid=0.3)]
    for splitter in splits:
        for fold, found in codes(tmp_path, splitter, {"who": groups}).items():
            for group in np.unique(who):
                assert len(set(found[who == group])) == 1, (splitter.name, fold)
            assert {TRAIN, VALID} <= set(found)


def test_group_folds_are_balanced_although_groups_are_not(tmp_path: Path) -> None:
    who = np.repeat(np.arange(40), np.arange(1, 41))
    found = codes(tmp_path, GroupKFold(folds=4), {"who": who})
    sizes = [int((fold == TEST).sum()) for name, fold in found.items() if name != "final"]
    assert max(sizes) - min(sizes) <= 3


@fast
@given(
    rows=st.integers(3, 120),
    n_folds=st.integers(2, 7),
    gap=st.integers(0, 12),
    max_train=st.none() | st.integers(1, 60),
    test_size=st.none() | st.integers(1, 20),
    seed=st.integers(0, 3),
)
def test_rolling_folds_are_those_of_time_series_split(
    tmp_path: Path, rows: int, n_folds: int, gap: int, max_train: int | None, test_size: int | None, seed: int
) -> None:
    reference = TimeSeriesSplit(n_folds, gap=gap, max_train_size=max_train, test_size=test_size)
    splitter = Rolling(folds=n_folds, gap=gap, max_train=max_train, test_size=test_size)
    order = np.random.default_rng(seed).permutation(rows) if seed else np.arange(rows)
    columns = {"when": hours(rows)[order]}
    try:
        expected = list(reference.split(np.empty(rows)))
    except ValueError:
        refused(tmp_path, splitter, columns)
        return
    found = codes(tmp_path, splitter, columns)
    for (train, test), fold in zip(expected, list(found.values())[:-1], strict=True):
        in_time = fold[np.argsort(order)]
        assert np.flatnonzero(in_time == TRAIN).tolist() == train.tolist()
        assert np.flatnonzero(in_time == TEST).tolist() == test.tolist()
        assert not (fold == VALID).any()
    assert (found["final"] == TRAIN).sum() == min(rows, max_train or rows)


def test_a_duration_is_the_gap_of_as_many_regular_rows(tmp_path: Path) -> None:
    columns = {"when": hours(400)}
    for kind, more in ((Time, {}), (Rolling, {"test_size": 20})):
        by_rows, by_hours = (codes(tmp_path, kind(gap=gap, valid=0.2, **more), columns) for gap in (48, "48h"))
        assert all((by_rows[fold] == by_hours[fold]).all() for fold in by_rows)
        assert codes(tmp_path, kind(gap="2d", valid=0.2, **more), columns)[fold := next(iter(by_rows))].tolist() == (
            by_rows[fold].tolist()
        )


def test_no_moment_is_on_two_sides_of_time(tmp_path: Path) -> None:
    when = np.repeat(hours(10), 17)
    found = codes(tmp_path, Time(test=0.25, valid=0.25), {"when": when})["holdout"]
    for moment in np.unique(when):
        assert len(set(found[when == moment])) == 1
    assert when[found == TRAIN].max() < when[found == VALID].min() < when[found == TEST].min()


def test_time_may_be_iso_text_numbers_or_unsorted(tmp_path: Path) -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 31)]
    expected = codes(tmp_path, Time(), {"when": hours(30)})["holdout"]
    assert (codes(tmp_path, Time(), {"when": days})["holdout"] == expected).all()
    assert (codes(tmp_path, Time(column="n"), {"n": np.arange(30)})["holdout"] == expected).all()
    assert (codes(tmp_path, Time(), {"when": hours(30)[::-1]})["holdout"] == expected[::-1]).all()


def test_an_official_split_is_kept(tmp_path: Path) -> None:
    part = ["train"] * 60 + ["dev"] * 20 + ["test"] * 20 + ["odd"] * 5
    values: Any = {"train": "train", "dev": "valid", "test": "test", "odd": "unused"}
    found = codes(tmp_path, Column(values=values, valid=0.5), {"part": part})["holdout"]
    assert set(found[:60]) == {TRAIN, VALID}
    assert (found[:60] == VALID).sum() == 30
    assert (found[60:80] == VALID).all()
    assert (found[80:100] == TEST).all()
    assert (found[100:] == UNUSED).all()


@pytest.mark.parametrize(
    ("splitter", "columns", "expected"),
    [
        (Random(test=0.1), {"x": [1, 2]}, "leaves no test row"),
        (Random(test=0.5, valid=0.01), {"x": [1, 2, 3, 4]}, "leaves no validation row"),
        (KFold(folds=5), {"x": [1, 2]}, "2 rows cannot make 5 folds"),
        (Stratified(), {"y": ["a"] * 30 + ["b"]}, "'b' (1)"),
        (StratifiedKFold(), {"y": ["a"] * 30 + ["b"] * 4}, "'b' (4)"),
        (Stratified(), {"y": ["a"] * 30 + [None]}, "missing in 1 rows (row 30)"),
        (Stratified(column="z"), {"y": ["a"] * 30}, "'z', which the table does not have"),
        (Stratified(column="x"), {"x": np.arange(50.0)}, "is the column a number"),
        (Group(), {"x": [1, 2, 3]}, "role: group"),
        (Group(column="wo"), {"who": ["a", "b"]}, "Did you mean 'who'"),
        (Group(), {"who": ["a"] * 9}, "2 phases need 2 groups"),
        (Group(valid=0.5), {"who": ["a", "b"] * 9}, "3 phases need 3 groups"),
        (GroupKFold(folds=2, valid=0.5), {"who": ["a", "b"] * 9}, "2 phases need 2 groups"),
        (GroupKFold(folds=4), {"who": ["a", "b", "c"]}, "3 groups cannot make 4 folds"),
        (Time(), {"x": [1, 2, 3]}, "role: time"),
        (Time(), {"when": np.asarray(["2024", "NaT", "2025"], "M8[us]")}, "missing in 1 rows (row 1)"),
        (Time(), {"when": ["Monday", "Tuesday"] * 9}, "'Monday'"),
        (Time(test=0.5), {"when": np.repeat(hours(1), 9)}, "first moment"),
        (Time(gap="a while"), {"when": hours(9)}, "no duration"),
        (Time(gap="2d", column="n"), {"n": np.arange(9)}, "holds numbers"),
        (Time(gap=100), {"when": hours(9)}, "leaves no training row"),
        (Time(gap=-1), {"when": hours(9)}, "not negative"),
        (Time(gap=3, valid=0.5), {"when": hours(9)}, "leave no training row"),
        (Rolling(folds=5), {"when": hours(4)}, "4 rows cannot make 5 folds"),
        (Rolling(folds=2, test_size=4, gap=2), {"when": hours(10)}, "no training row"),
        (Column(), {"part": ["train", "test", "tset"]}, "'tset'"),
        (Column(), {"part": ["train", "train"]}, "No row is there to test"),
        (Column(), {"part": ["test", "test"]}, "No row is there to train"),
        (ColumnKFold(values=("n", "s")), {"part": ["n", "s", "w"]}, "'w'"),
        (ColumnKFold(values=("n", "s", "w")), {"part": ["n", "s"]}, "'w'"),
        (ColumnKFold(values=("n",)), {"part": ["n", "n"]}, "at least two"),
    ],
)
def test_what_cannot_be_split_is_explained(
    tmp_path: Path, splitter: Any, columns: dict[str, Any], expected: str
) -> None:
    assert expected in refused(tmp_path, splitter, columns)


def test_a_column_that_the_schema_lacks_is_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="role: fold"):
        codes(tmp_path, Column(), {"x": [1, 2, 3]})
