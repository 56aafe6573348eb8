"""The check says what plain pandera says of the whole frame, however the rows are cut into parts."""

from __future__ import annotations

import itertools
import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from modelway_pandera.check import Pandera
from modelway_pandera.held import Held
from modelway_pandera.suspects import suspects

from modelway import Findings, Run, Schema, Table
from modelway.testing import make_run

QUIET = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

WHOLE = st.none() | st.integers(-3, 3) | st.sampled_from([10**6, -(10**6)])
REAL = st.none() | st.sampled_from([0.0, -0.0, 0.1, -0.5, 2.0, 1e300, math.inf, -math.inf, math.nan])
WORD = st.none() | st.sampled_from(["a", "b", "ab", "", "é", "A1", "a\n", "٣"])
PATTERNS = ["a+", "[ab]*", "(?:a|b).?", "[A-Z]\\d", "\\w", "[^a]", ""]


@st.composite
def cases(draw: st.DrawFn) -> tuple[pyarrow.Table, dict[str, Any]]:
    """Draw a table of four columns, and a schema that some of its rows break."""
    rows = draw(st.integers(1, 12))

    def column(items: st.SearchStrategy[Any], kind: pyarrow.DataType) -> pyarrow.Array:
        return pyarrow.array(draw(st.lists(items, min_size=rows, max_size=rows)), kind)

    numbers = draw(st.sampled_from([pyarrow.float64(), pyarrow.float32()]))
    words = column(WORD, pyarrow.string())
    table = pyarrow.table(
        {
            "n": column(WHOLE, pyarrow.int64()),
            "x": column(REAL if numbers == pyarrow.float64() else REAL.filter(lambda v: v != 1e300), numbers),
            "c": words.dictionary_encode() if draw(st.booleans()) else words,
            "s": column(WORD, pyarrow.string()),
        }
    )
    maybe = st.none() | st.sampled_from([-0.5, 0.0, 0.1, 1.0, 2.0])
    allowed = st.none() | st.lists(st.sampled_from([0, 1, 2, 0.1, 2.0, -3]), min_size=1, max_size=3).map(tuple)
    texts = st.none() | st.lists(st.sampled_from(["a", "b", "é", "1", ""]), min_size=1, max_size=3).map(tuple)
    flags = {name: {"nullable": draw(st.booleans()), "unique": draw(st.booleans())} for name in table.column_names}
    schema: dict[str, Any] = {
        "columns": {
            "n": {"type": "integer", "min": draw(maybe), "max": draw(maybe), "values": draw(allowed), **flags["n"]},
            "x": {"type": "number", "min": draw(maybe), "max": draw(maybe), "values": draw(allowed), **flags["x"]},
            "c": {"type": "category", "values": draw(texts), **flags["c"]},
            "s": {"type": "string", "pattern": draw(st.sampled_from([None, *PATTERNS])), **flags["s"]},
        },
        "rules": {"r": {"expression": "n <= x"}} if draw(st.booleans()) else {},
        "unique": draw(st.sampled_from([(), (("n", "c"),), (("x", "s"),), (("s",),)])),
    }
    return table, schema


def cut(table: pyarrow.Table, edges: Sequence[int], run: Run) -> Table:
    """Cut a table into parts, some of them of no rows."""
    bounds = [0, *sorted(min(edge, table.num_rows) for edge in edges), table.num_rows]
    pieces = [run.table([table.slice(a, b - a)]) for a, b in itertools.pairwise(bounds)]
    return Table(pieces[0].columns, tuple(part for piece in pieces for part in piece.parts), run.blobs)


def found(schema: dict[str, Any], table: pyarrow.Table, edges: Sequence[int], samples: int = 100) -> Findings:
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder), schema=schema)
        return Pandera(samples=samples).check(cut(table, edges, run), run)


#: Rows that break each rule, by rule and column.
Flags = dict[tuple[str, str], set[int]]


def plain_pandera(declared: Schema, frame: pd.DataFrame) -> tuple[Flags, set[tuple[str, str]]]:
    """Write the schema as one does for pandera, and collect the rows that it flags, and the rules that it finds broken.

    Pandera lists no missing values among the repeated ones, so of those the second answer alone tells.
    """

    def column(ask: Any) -> pa.Column:
        checks = []
        if ask.min is not None:
            checks.append(pa.Check.ge(ask.min, name="min"))
        if ask.max is not None:
            checks.append(pa.Check.le(ask.max, name="max"))
        if ask.values is not None:
            checks.append(pa.Check.isin(ask.values, name="values"))
        if ask.pattern is not None:
            checks.append(pa.Check.str_matches(rf"(?:{ask.pattern})\Z", name="pattern"))
        return pa.Column(checks=checks, nullable=ask.nullable, unique=ask.unique)

    def ordered(f: pd.DataFrame) -> pd.Series:
        return (f["n"] <= f["x"]) | f["n"].isna() | f["x"].isna()

    schema = pa.DataFrameSchema(
        {name: column(ask) for name, ask in declared.columns.items()},
        checks=[pa.Check(ordered, name="r")] if declared.rules else [],
        unique=[list(names) for names in declared.unique] or None,
    )
    rows: Flags = {}
    broken = set()
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for error in errors.schema_errors:
            check = getattr(error.check, "name", None) or str(error.check)
            rule = {"not_nullable": "nullable"}.get(check, "unique" if check.endswith("uniqueness") else check)
            name = ", ".join(declared.unique[0]) if check.startswith("multiple") else error.schema.name or "n, x"
            broken.add((rule, name))
            if rule == "r":
                rows[rule, name] = set(np.flatnonzero(~ordered(frame)))
            else:
                rows[rule, name] = rows.get((rule, name), set()) | set(error.failure_cases["index"])
    return rows, broken


@QUIET
@given(cases())
def test_the_same_rows_are_flagged_as_by_plain_pandera_on_the_whole_frame(
    case: tuple[pyarrow.Table, dict[str, Any]],
) -> None:
    table, config = case
    declared = Schema.of(config)
    frame = table.to_pandas()
    frame["s"] = frame["s"].astype(object)  # so that pandas matches with Python's regular expressions
    rows, broken = plain_pandera(declared, frame)
    ours = {(item.rule, item.column): item for item in found(config, table, [3, 7]).items}
    if declared.unique == (("s",),) and ("unique", "s") in ours:
        broken = {*broken, ("unique", "s")}
    assert set(ours) == broken
    for key, item in ours.items():
        assert item.count == len(item.rows) == len(set(item.rows))
        there = [row for row in item.rows if item.rule != "unique" or frame.loc[row, key[1].split(", ")].notna().all()]
        theirs = rows.get(key, set())
        if item.rule == "unique":
            theirs = {row for row in theirs if frame.loc[row, key[1].split(", ")].notna().all()}
        assert set(there) == theirs, key


@QUIET
@given(cases(), st.lists(st.integers(0, 12), max_size=5), st.integers(0, 3))
def test_findings_are_the_same_however_the_rows_are_cut(
    case: tuple[pyarrow.Table, dict[str, Any]], edges: list[int], samples: int
) -> None:
    table, config = case
    config = {**config, "ordered_by": "x"}
    assert found(config, table, edges, samples) == found(config, table, [], samples)


@QUIET
@given(st.lists(REAL, min_size=1, max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_a_fall_is_found_wherever_the_parts_meet(items: list[float | None], edges: list[int]) -> None:
    config = {"columns": {"x": {"type": "number", "nullable": True}}, "ordered_by": "x"}
    known = [(row, value) for row, value in enumerate(items) if value is not None and value == value]
    falls = [row for (_, before), (row, value) in itertools.pairwise(known) if value < before]
    reported = found(config, pyarrow.table({"x": pyarrow.array(items, pyarrow.float64())}), edges).items
    assert [item.rows for item in reported] == ([tuple(falls)] if falls else [])


PIECES = st.sampled_from(
    ["a", "1", "é", "\\d", "\\w", "[a-c]", "[^a]", "[^\\d]", "[[:alpha:]]", ".", "$", "^", "(?:a|b)", "(?i)a", "\\Z"]
)
MARKS = st.sampled_from(["", "*", "+", "?", "{2}", "{,2}", "{1,2}", "*?", "*+"])


@settings(QUIET, max_examples=300)
@given(
    st.lists(st.tuples(PIECES, MARKS).map("".join), max_size=3).map("".join),
    st.lists(st.text(alphabet="ab1é٣A[:lph]\n{,2}", max_size=4), min_size=1),
)
@example("[^\\d]", ["٣"])
@example("a$", ["a\n"])
@example("a{,2}", ["a{,2}"])
@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_no_text_that_breaks_a_pattern_escapes_suspicion(pattern: str, texts: list[str]) -> None:
    try:
        whole = re.compile(pattern).fullmatch
    except re.error:
        return
    suspected = set(suspects("pattern", pattern, Held(pyarrow.chunked_array([texts]))).tolist())
    assert {i for i, text in enumerate(texts) if whole(text) is None} <= suspected
