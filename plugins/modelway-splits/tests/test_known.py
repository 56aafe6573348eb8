from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelway_splits.known import Known
from modelway_splits.time import Time

from modelway import PHASES, ModelwayError
from modelway.testing import make_run, make_table

SCHEMA: Any = {
    "columns": {
        "card": {"type": "category", "role": "entity"},
        "when": {"type": "timestamp", "role": "time"},
        "fraud": {"type": "boolean", "role": "target", "values": [False, True], "positive": True},
    }
}


def split(folder: Path, columns: dict[str, Any], schema: Any = SCHEMA, task: Any = "binary", **more: Any) -> Any:
    run = make_run(folder, schema=schema, task=task)
    return Time(**more).split(make_table(run, columns), run).codes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(0, 200), st.sampled_from("abcde"), st.booleans()), min_size=30, max_size=90),
    delay=st.integers(0, 60),
    within=st.none() | st.integers(0, 60),
)
def test_a_card_is_left_out_exactly_while_its_fraud_is_known(
    tmp_path: Path, rows: list[tuple[int, str, bool]], delay: int, within: int | None
) -> None:
    hour, card, fraud = (np.asarray(column) for column in zip(*rows, strict=True))
    columns = {"card": card, "when": np.datetime64("2026-01-01", "us") + hour.astype("m8[h]"), "fraud": fraud}
    known = Known(delay=f"{delay}h", within=None if within is None else f"{within}h")
    try:
        before = split(tmp_path, columns, test=0.3, valid=0.3)
        after = split(tmp_path, columns, test=0.3, valid=0.3, known=known)
    except ModelwayError:
        return
    for i, (t, c, _) in enumerate(rows):
        out = any(
            c == other and f and s + delay <= t and (within is None or t - s - delay <= within) for s, other, f in rows
        )
        held = before[i] in (PHASES["test"], PHASES["valid"])
        assert after[i] == (PHASES["unused"] if out and held else before[i])


def days(count: int) -> dict[str, Any]:
    return {
        "card": ["a", "b"] * count,
        "when": np.datetime64("2026-01-01", "us") + np.repeat(np.arange(count), 2).astype("m8[D]"),
        "fraud": [True, False] * count,
    }


@pytest.mark.parametrize(
    ("more", "columns", "expected"),
    [
        ({"delay": "soon"}, days(9), "split.known.delay"),
        ({"delay": "1d", "within": "x"}, days(9), "split.known.within"),
        ({"delay": "1d", "entity": "cards"}, days(9), "Did you mean 'card'"),
        ({"delay": "1d"}, {**days(9), "card": ["a"] * 18}, "Every row to test"),
        ({"delay": "1d"}, {**days(9), "when": np.arange(18)}, "holds numbers"),
        ({"delay": "1d"}, {**days(9), "card": ["a"] * 17 + [None]}, "missing in 1 rows"),
    ],
)
def test_known_entities_that_cannot_be_told_are_explained(
    tmp_path: Path, more: Any, columns: Any, expected: str
) -> None:
    with pytest.raises(ModelwayError) as caught:
        split(tmp_path, columns, known=Known(**more))
    assert expected in str(caught.value)


def test_known_entities_need_a_positive_class_and_an_entity(tmp_path: Path) -> None:
    number = {"columns": {**SCHEMA["columns"], "fraud": {"type": "number", "role": "target"}}}
    columns = {**days(9), "fraud": np.arange(18.0)}
    with pytest.raises(ModelwayError, match="a regression task has none"):
        split(tmp_path, columns, number, "regression", known=Known(delay="1d"))
    plain = {"columns": {k: v for k, v in SCHEMA["columns"].items() if k != "card"}}
    with pytest.raises(ModelwayError, match="role: entity"):
        split(tmp_path, days(9), plain, known=Known(delay="1d"))
