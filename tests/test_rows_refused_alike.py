"""A row is refused for the same reasons, and read as the same values, wherever its model runs.

The runtimes of both bundles travel alone, one of them without Modelway, so that each reads rows by code of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_bentoml.serving.validation import Validator
from modelway_edge.compiling import entrance
from modelway_edge_runtime import RefusedError
from modelway_edge_runtime.entering import Entrance
from modelway_edge_runtime.fields import Field

from modelway import Columns, Schema, plain
from modelway.graph import MISSING_TEXT, text_of

_TEXTS = [
    "", "a", "ab", "7", "1e3", "now", "2020-02-29", "2021-02-29", "20200229", "2020-02-29T10:00",
    "2020-02-29t10:00:00z", "2020-02-29 10:00:00.123456789+02:00", "2020-02-29T24:00", "0001-01-01T00:00+01:00",
    "9999-12-31T23:59-0100",
]  # fmt: skip
_NUMBERS = [0, 1, 2, 3, -1, 0.5, 1.0, 1.5, -0.0, 1e300, 2**53 + 1, 2**63 - 1, 2**63, 2.0**63, -(2**63), -(2**64)]
#: Left out are what the edge has no room for, and says so: a category of 309 digits, and the text U+FFFF.
_ITEMS = st.sampled_from([None, True, False, math.inf, math.nan, [1], {"a": 1}, *_NUMBERS, *_TEXTS])
_SETS: dict[str, list[Any]] = {
    "integer": [[1, 2]], "number": [[0.5, 1]], "boolean": [[True]], "string": [["a", "7"]],
    "category": [["a", "7"], [1, 2], [0.5, 1], [True, False], [True]],
}  # fmt: skip
_SUITED: dict[str, list[Any]] = {
    **dict.fromkeys(("integer", "number"), _NUMBERS), "boolean": [True, False], "string": _TEXTS,
    "category": [*_TEXTS, 0, 1, 2, 1.0, 0.5, True, False], "timestamp": _TEXTS, "date": _TEXTS,
}  # fmt: skip


@st.composite
def _columns(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(list(_SUITED)))
    column: dict[str, Any] = {"type": kind, "nullable": draw(st.booleans())}
    column["severity"] = draw(st.sampled_from(["stop", "warn"]))
    if kind in ("integer", "number"):
        column |= {"min": draw(st.sampled_from([None, -1.0, 0.5])), "max": draw(st.sampled_from([None, 1.0, 2.0]))}
    if kind in ("string", "category"):
        column["pattern"] = draw(st.sampled_from([None, "[a-z]*", "[0-9]"]))
    return column | {"values": draw(st.none() | st.sampled_from(_SETS[kind])) if kind in _SETS else None}


@settings(max_examples=250, deadline=None)
@given(st.lists(_columns(), min_size=1, max_size=3), st.sampled_from(["drop", "refuse"]), st.data())
def test_a_bundle_for_the_edge_and_a_service_refuse_and_read_rows_alike(
    declared: list[dict[str, Any]], extra: str, data: st.DataObject
) -> None:
    schema = Schema.of({"columns": {f"c{i}": column for i, column in enumerate(declared)}, "extra": extra})
    most = data.draw(st.sampled_from([1, 2, 9]))  # of few values all may be fine, of many some are not
    pools = {
        f"c{i}": data.draw(st.lists(st.sampled_from(_SUITED[column["type"]]) | _ITEMS, min_size=1, max_size=most))
        for i, column in enumerate(declared)
    }
    size = data.draw(st.sampled_from([1, 3, 12]))  # few rows are checked otherwise than many
    rows = [{name: data.draw(st.sampled_from(pool)) for name, pool in pools.items()} for _ in range(size)]
    if data.draw(st.integers(0, 5)) == 0:
        rows[-1]["new"] = 1
    fields = {
        name: Field(name, {**plain(column), "enters": entrance(column)}) for name, column in schema.columns.items()
    }

    served = Validator(schema).records(rows)
    entering = Entrance(fields, schema.extra)
    if served.problems:
        with pytest.raises(RefusedError) as caught:
            entering.tensors(rows)
        assert _reasons(caught.value.problems) == _reasons(served.problems)
        assert caught.value.count == served.count
        return
    for group, tensor in entering.tensors(rows).items():
        names = [field.name for field in entering.groups[group].fields]
        for name, found in zip(names, tensor.T, strict=True):
            np.testing.assert_array_equal(found, _entered(group, name, served.columns), strict=True)


def _reasons(problems: Any) -> list[tuple[Any, ...]]:
    """Return problems without the words for a field that is not declared, to which a service adds the nearest name."""
    return sorted((p.row, p.field, p.rule, "" if p.rule == "extra" else p.message) for p in problems)


def _entered(group: str, name: str, columns: Columns) -> np.ndarray[Any, Any]:
    """Return a column as the graph takes it."""
    column: Any = columns[name]
    if group == "times":
        return column.astype("M8[us]").astype(np.int64)
    if group == "texts":
        return np.array([MISSING_TEXT if item is None else text_of(item) for item in column.objects()], dtype=object)
    return np.array(column.objects() if hasattr(column, "codes") else column, dtype=np.float64)
