"""The declared schema is read, checked, and expanded as its users expect."""

from __future__ import annotations

from typing import Any

import pytest

from modelway import ConfigError, Schema


def schema(columns: dict[str, Any], **more: Any) -> Schema:
    return Schema.of({"columns": columns, **more})


TARGET = {"type": "category", "role": "target", "values": ["no", "yes"]}


def test_a_schema_comes_back_from_its_plain_form() -> None:
    made = schema(
        {"a": {"type": "number", "min": 0}, "y": {**TARGET, "positive": "no"}},
        rules={"r": {"expression": "a > 1", "severity": "warn"}},
        unique=[["a", "y"]],
        ordered_by="a",
        rows_at_most=10,
    )
    assert Schema.of(made.plain()) == made


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"columns": {"a": {"type": "numbr"}}}, r"'schema\.columns\.a\.type' is 'numbr'.*Did you mean 'number'"),
        ({"columns": {"a": {}}}, r"'schema\.columns\.a\.type' is required"),
        (
            {"columns": {"a": {"type": "number", "nulable": True}}},
            r"schema\.columns\.a\.nulable.*Did you mean 'nullable'",
        ),
        ({"columns": {"a": {"type": "number", "min": "x"}}}, r"'schema\.columns\.a\.min' is 'x'"),
        ({"column": {}}, r"Unknown key 'schema\.column'.*Did you mean 'columns'"),
        ({"columns": {"a": {"type": "number"}}, "rows_at_least": -1}, "must be at least 0"),
    ],
)
def test_a_wrong_declaration_is_named_by_its_key(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Schema.of(config)


def test_a_pattern_stands_for_the_columns_that_it_matches_and_exact_names_win() -> None:
    made = schema({"pixel_*": {"type": "number"}, "pixel_9": {"type": "integer", "role": "id"}, "y": TARGET})
    expanded = made.expand(["pixel_0", "pixel_9", "pixel_1", "y", "extra"])
    assert list(expanded.columns) == ["pixel_0", "pixel_1", "pixel_9", "y"]
    assert expanded.columns["pixel_9"].role == "id"
    assert expanded.with_role("feature") == ("pixel_0", "pixel_1")


def test_a_column_whose_name_looks_like_a_pattern_is_found_by_its_name() -> None:
    assert list(schema({"x[1]": {"type": "number"}}).expand(["x[1]", "x1"]).columns) == ["x[1]"]


@pytest.mark.parametrize("key", ["heigth", "heigth_*"])
def test_a_declared_column_that_the_table_lacks_is_refused_with_the_nearest(key: str) -> None:
    with pytest.raises(ConfigError, match=f"declares column '{key[:6]}.*the table does not have.*height"):
        schema({key: {"type": "number"}}).expand(["height_a", "height"])


def test_the_positive_class_comes_last() -> None:
    assert schema({"y": TARGET}).classes("binary") == ("no", "yes")
    assert schema({"y": {**TARGET, "positive": "no"}}).classes("binary") == ("yes", "no")
    assert schema({"y": {"type": "boolean", "role": "target"}}).classes("binary") == (False, True)
    assert schema({"y": {"type": "number", "role": "target"}}).classes("regression") == ()


@pytest.mark.parametrize(
    ("column", "task", "message"),
    [
        ({"type": "integer", "role": "target"}, "binary", "declares 0 values and needs exactly two"),
        ({"type": "integer", "role": "target", "values": [0, 1, 2]}, "binary", "declares 3 values"),
        ({"type": "integer", "role": "target", "values": [0]}, "multiclass", "needs at least two"),
        ({**TARGET, "positive": "yess"}, "binary", "not among the target's values.*Did you mean 'yes'"),
        ({"type": "number"}, "binary", "No column of the schema is the target.*role: target"),
    ],
)
def test_a_target_that_does_not_fit_the_task_is_refused(column: dict[str, Any], task: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        schema({"y": column}).classes(task)


def test_two_targets_are_refused() -> None:
    with pytest.raises(ConfigError, match="y, z all have the role 'target'"):
        _ = schema({"y": TARGET, "z": TARGET}).target


def test_a_request_is_held_to_the_features_and_to_the_rules_of_features_alone() -> None:
    made = schema(
        {"a": {"type": "number"}, "b": {"type": "number"}, "key": {"type": "string", "role": "id"}, "y": TARGET},
        rules={"ab": {"expression": "a < b"}, "ay": {"expression": "isnull(a) or y == 'yes'"}},
        unique=[["key"]],
        ordered_by="key",
        rows_at_least=1000,
        rows_at_most=2000,
    )
    request = made.features()
    assert (list(request.columns), list(request.rules)) == (["a", "b"], ["ab"])
    assert (request.unique, request.ordered_by) == ((), None)
    assert (request.rows_at_least, request.rows_at_most) == (0, None), "a request has one row"
