from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_prepare.derive import Derive
from modelway_prepare.filter import Filter

from modelway import Category, ConfigError, DataError, Table, from_records, to_records
from modelway.testing import PreparerSuite, make_run, make_table


def sample() -> dict[str, Any]:
    return {
        "a": pa.array([1, None, 3, 4, 5, 6], pa.int64()),
        "b": pa.array([0.5, 1.0, None, 2.0, 4.0, -1.0]),
        "place": ["x", "y", None, "x", "y", "x"],
        "flag": pa.array([True, False, None, True, False, True]),
    }


class TestDeriveContract(PreparerSuite):
    component = Derive(
        columns={"sum": "a + b", "big": "sum > 4", "here": "place == 'x'", "word": "where(b > 1, 'hi', 'lo')",
                 "none": "not flag"}
    )  # fmt: skip

    def sample(self) -> Mapping[str, Any]:
        return sample()


class TestFilterContract(PreparerSuite):
    component = Filter(keep="a > 2 and place == 'x'")

    def sample(self) -> Mapping[str, Any]:
        return sample()


def derived(folder: Path, columns: Mapping[str, Any], parts: int = 1, **expressions: str) -> Table:
    run = make_run(folder)
    return Derive(columns=expressions).prepare({"table": make_table(run, columns, parts)}, run)


def test_results_are_booleans_float64_and_text(tmp_path: Path) -> None:
    table = derived(tmp_path, sample(), 3, twice="a * 2", big="a > 3", word="where(a > 3, 'hi', 'lo')", copy="place")
    assert dict(table.columns)["twice"] == "double"
    assert dict(table.columns)["big"] == "bool"
    assert dict(table.columns)["word"] == dict(table.columns)["copy"] == "string"
    assert table.arrow(["word", "copy"]).to_pydict() == {
        "word": ["lo", "lo", "lo", "hi", "hi", "hi"], "copy": sample()["place"]}  # fmt: skip


def test_other_columns_pass_untouched(tmp_path: Path) -> None:
    before = make_table(make_run(tmp_path), sample(), 2)
    after = derived(tmp_path, sample(), 2, c="a + b")
    assert after.arrow(list(before.names)) == before.arrow()


def test_later_columns_use_earlier_ones_and_may_replace_columns(tmp_path: Path) -> None:
    table = derived(tmp_path, {"x": [1.0, 2.0], "my col": [3, 4]}, y="x * 10", z="y + `my col`", x="x - 1")
    assert table.arrow().to_pydict() == {"x": [0, 1], "my col": [3, 4], "y": [10, 20], "z": [13, 24]}


def test_small_whole_numbers_do_not_overflow_in_training_alone(tmp_path: Path) -> None:
    table = derived(tmp_path, {"a": np.asarray([100, 127], np.int8), "t": np.asarray([True, False])},
                    square="a * a", less="t - 1")  # fmt: skip
    assert table.arrow(["square", "less"]).to_pydict() == {"square": [10000, 16129], "less": [0, -1]}


def test_a_difference_of_times_is_in_seconds(tmp_path: Path) -> None:
    start = np.asarray(["2024-01-01T00:00:00", "2024-01-01T00:00:00"], "M8[ns]")
    end = np.asarray(["2024-01-01T00:01:30.5", "NaT"], "M8[us]")
    found = derived(tmp_path, {"start": start, "end": end}, took="end - start").read()["took"]
    assert np.asarray(found).tolist()[0] == 90.5
    assert np.isnan(np.asarray(found)[1])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "a": st.none() | st.integers(-(2**40), 2**40),
                "b": st.none() | st.floats(-1e6, 1e6),
                "s": st.none() | st.sampled_from(["x", "y"]),
                "k": st.none() | st.sampled_from([1, 2, 3]),
                "f": st.none() | st.booleans(),
            }
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_request_gets_what_training_saw(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Training reads arrow columns; a service reads JSON by the declared types."""
    step = Derive(columns={"m": "a * b - k", "n": "where(s == 'x', a, b) // 3", "c": "f or b > 0", "d": "-f",
                           "i": "isnull(a) and s in ('x', 'z')", "t": "where(k == 2, 'two', s)"})  # fmt: skip
    kinds = {"a": pa.int64(), "b": pa.float64(), "s": pa.string(), "k": pa.int64(), "f": pa.bool_()}
    run = make_run(tmp_path)
    table = make_table(run, {name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})
    trained = to_records(step.prepare({"table": table}, run).read(list(step.columns)))
    types = {"a": "integer", "b": "number", "s": "category", "k": "category", "f": "boolean"}
    for row, expected in zip(rows, trained, strict=True):
        served = to_records(step.apply(from_records([row], types)))[0]
        assert {name: served[name] for name in step.columns} == expected


def test_a_service_without_the_target_skips_what_is_made_from_it(tmp_path: Path) -> None:
    step = Derive(columns={"y": "cnt / 10", "z": "y + 1", "w": "x * 2"})
    assert set(step.apply({"x": np.asarray([1.0])})) == {"x", "w"}
    run = make_run(tmp_path)
    with pytest.raises(DataError, match=r"'y' needs column 'cnt'.*Did you mean 'cnd'"):
        step.prepare({"table": make_table(run, {"x": [1.0], "cnd": [1.0]})}, run)


def test_dividing_by_zero_is_explained_in_training_and_missing_in_a_service(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'r' is infinite in 1 of 3 rows, for example where a = 2, b = 0\.0"):
        derived(tmp_path, {"a": [1, 2, 0], "b": [1.0, 0.0, 0.0]}, r="a / b")
    assert np.isnan(Derive(columns={"r": "a / b"}).apply({"a": np.asarray([2]), "b": np.asarray([0])})["r"]).all()
    table = derived(tmp_path, {"a": [1, 2], "b": [1.0, 0.0]}, r="where(b == 0, 0, a / b)")
    assert table.arrow(["r"]).to_pydict() == {"r": [1, 0]}


def test_text_used_as_a_number_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="place"):
        derived(tmp_path, sample(), bad="place * b")


@pytest.mark.parametrize("text", ["a +", "open('x')", "__import__('os')", "1 + 1", "a.b"])
def test_what_is_no_expression_is_refused_before_anything_runs(text: str) -> None:
    with pytest.raises(ConfigError):
        Derive(columns={"x": text})
    with pytest.raises(ConfigError):
        Filter(keep=text)


def filtered(
    folder: Path, keep: str, columns: Mapping[str, Any], parts: int = 1
) -> tuple[Table, Table, dict[str, Any]]:
    logged: dict[str, Any] = {}
    run = make_run(folder, on_log=logged.__setitem__)
    table = make_table(run, columns, parts)
    return table, Filter(keep=keep).prepare({"table": table}, run), logged


@pytest.mark.parametrize("parts", [1, 3])
def test_only_true_rows_are_kept_and_every_drop_is_logged(tmp_path: Path, parts: int) -> None:
    before, after, logged = filtered(tmp_path, "b > 0", sample(), parts)
    assert after.arrow() == before.arrow().filter(pa.array([True, True, False, True, True, False]))
    assert after.columns == before.columns
    assert logged == {"rows": {"in": 6, "out": 4, "dropped": {"b > 0": 2}}}


def test_parts_without_a_drop_are_not_written_again(tmp_path: Path) -> None:
    before, after, _ = filtered(tmp_path, "n != 5", {"n": np.arange(9)}, 3)
    assert [part in before.parts for part in after.parts] == [True, False, True]
    before, after, _ = filtered(tmp_path, "n < 3", {"n": np.arange(9)}, 3)
    assert after.parts == before.parts[:1]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [("b > 100", "keeps none of 6 rows"), ("c > 0", "'c'"), ("a + b", "neither true nor false"), ("place", "neither")],
)
def test_a_filter_that_makes_no_sense_is_explained(tmp_path: Path, keep: str, expected: str) -> None:
    with pytest.raises((DataError, ConfigError), match=expected):
        filtered(tmp_path, keep, sample())


def test_categories_of_numbers_count_as_numbers() -> None:
    made = Derive(columns={"x": "k * 2"}).apply({"k": Category.of([3, None, 5])})
    assert np.asarray(made["x"])[[0, 2]].tolist() == [6, 10]


def test_a_missing_category_of_numbers_does_not_turn_numbers_into_text() -> None:
    made = Derive(columns={"x": "where(a > 0, 0, k)"}).apply({"a": np.asarray([1.0]), "k": Category.of([None])})
    assert np.asarray(made["x"]).dtype == np.float64
