"""Columns: the same row is the same whether it came from a file or a request; what is missing stays missing."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway import Category, DataError, from_arrow, from_records, length, missing, take, to_arrow, to_records

WORDS = st.lists(st.none() | st.sampled_from(["a", "b", "c", ""]), max_size=30)


@given(WORDS)
def test_words_come_back_as_they_were(words: list[str | None]) -> None:
    column = Category.of(words)
    assert column.objects().tolist() == words
    assert from_arrow(to_arrow({"c": column}))["c"].objects().tolist() == words  # type: ignore[union-attr]
    assert missing(column).tolist() == [word is None for word in words]
    assert column.counts() == {word: words.count(word) for word in dict.fromkeys(words) if word is not None}


@given(WORDS, st.permutations(["a", "b", "zz"]))
def test_another_vocabulary_keeps_the_words_that_it_knows(words: list[str | None], values: list[str]) -> None:
    recoded = Category.of(words).recode(values)
    assert recoded.objects().tolist() == [word if word in values else None for word in words]


def test_nan_in_a_text_column_is_missing() -> None:
    assert Category.of(["a", float("nan"), None]).codes.tolist() == [0, -1, -1]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None], pa.int32()), [1.0, None]),
        (pa.array([True, None]), [1.0, None]),
        (pa.array([None, None], pa.null()), [None, None]),
        (pa.array([1.5, None]), [1.5, None]),
        (pa.array([decimal.Decimal("1.25"), None]), [1.25, None]),
        (pa.array(["a", None]), ["a", None]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", None], pa.string_view()), ["a", None]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.array([], pa.string()), []),
        (pa.array([dt.date(2024, 2, 29), None]), [dt.date(2024, 2, 29), None]),
        (pa.array([dt.datetime(2024, 1, 1), None], pa.timestamp("us")), [dt.datetime(2024, 1, 1), None]),
        (pa.array([1, None], pa.timestamp("us", "Europe/Oslo")), [dt.datetime(1970, 1, 1, 0, 0, 0, 1), None]),
    ],
)
def test_every_type_of_a_file_becomes_a_column_and_keeps_what_is_missing(array: Any, expected: list[Any]) -> None:
    for table in (pa.table({"a": array}), pa.table({"a": pa.chunked_array([array, array[:0]], array.type)})):
        column = from_arrow(table)["a"]
        items = column.objects() if isinstance(column, Category) else column
        found = [None if gone else item for item, gone in zip(items.tolist(), missing(column).tolist(), strict=True)]
        assert found == expected


def test_numbers_without_missing_values_are_not_copied() -> None:
    array = pa.array(np.arange(5.0))
    column = from_arrow(pa.table({"a": array}))["a"]
    assert np.shares_memory(column, array.to_numpy())


def test_rows_are_taken_by_mask_slice_and_position() -> None:
    columns = {"a": np.arange(4), "c": Category.of(["x", "y", None, "x"])}
    assert [length(take(columns, rows)) for rows in (slice(1, 3), np.array([True, False, False, True]), [0])] == [
        2,
        2,
        1,
    ]
    assert take(columns, [2, 3])["c"].objects().tolist() == [None, "x"]  # type: ignore[union-attr]
    assert length({}) == 0


KINDS = {"i": "integer", "n": "number", "c": "category", "s": "string", "b": "boolean", "t": "timestamp", "d": "date"}


def test_a_request_is_the_row_that_the_file_held() -> None:
    columns = from_records(
        [
            {"i": 3, "n": 1.5, "c": "x", "s": "long", "b": True, "t": "2024-01-01T10:00:00", "d": "2024-02-29"},
            {"i": None, "n": None, "c": None},
        ],
        KINDS,
    )
    assert [missing(column).tolist() for column in columns.values()] == [[False, True]] * 7
    assert (columns["i"][0], columns["n"][0], columns["b"][0]) == (3.0, 1.5, 1.0)
    again = from_records(to_records(columns), KINDS)
    for name, column in columns.items():
        np.testing.assert_array_equal(_plain(again[name]), _plain(column))


def _plain(column: Any) -> Any:
    return column.objects() if isinstance(column, Category) else column


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00"),
        ("2024-01-01T10:00:00+02:00", "2024-01-01T08:00:00"),
        ("2024-01-01T10:00:00.250-05:00", "2024-01-01T15:00:00.250"),
        ("2024-01-01T10:00:00", "2024-01-01T10:00:00"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_times_with_an_offset_are_the_same_instant_as_in_the_training_table(text: str, instant: str) -> None:
    assert from_records([{"t": text}], {"t": "timestamp"})["t"][0] == np.datetime64(instant)  # type: ignore[index]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("three", "number"),
        ([1, 2], "number"),
        ({"a": 1}, "number"),
        (10**400, "number"),
        (["x"], "category"),
        ({"x": 1}, "string"),
        ("yesterday", "timestamp"),
        ("2024-13-01T00:00:00Z", "timestamp"),
        ("2024-02-30", "date"),
        (True, "date"),
    ],
)
def test_a_field_of_the_wrong_type_is_named_by_row_and_column(value: Any, kind: str) -> None:
    with pytest.raises(DataError) as told:
        from_records([{"f": None}, {"f": value}], {"f": kind})
    assert told.value.where == "row 1, column f"


@given(
    st.lists(
        st.fixed_dictionaries({
            "n": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "c": st.none() | st.text(),
            "t": st.none() | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)).map(dt.datetime.isoformat),
        }),
        max_size=8,
    )
)  # fmt: skip
def test_golden_rows_survive_json(rows: list[dict[str, Any]]) -> None:
    kinds = {"n": "number", "c": "category", "t": "timestamp"}
    once = to_records(from_records(rows, kinds))
    assert to_records(from_records(once, kinds)) == once
    assert [row["n"] for row in once] == [row["n"] for row in rows]
    assert [row["c"] for row in once] == [row["c"] for row in rows]
