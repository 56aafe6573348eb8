"""Every feature compiled for the edge makes, of any column, what it makes in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_models import FEATURES, run_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from modelway_prepare.derive import Derive as DerivedStep
from modelway_prepare.fill import Fill

from modelway import Category, Columns, ConfigError, DataError, Expression, build, length, take

WORDS = ["", "a", "b", "ä", "1", "other", "missing"]
_NUMBERS = st.one_of(
    st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1e-9, -1e-12, 2.5])
)
_TEXTS = st.one_of(st.none(), st.sampled_from(WORDS))
_TIMES = st.one_of(st.none(), st.integers(-(10**16), 10**16), st.sampled_from([0, -1, 951_782_399_999_999]))


def _columns(draw: Any, seen: bool) -> Columns:
    rows = draw(st.integers(1, 12))

    def items(each: Any) -> list[Any]:
        return draw(st.lists(each, min_size=rows, max_size=rows))  # type: ignore[no-any-return]  # draw() is of any type

    texts = _TEXTS if seen else st.one_of(_TEXTS, st.just("never seen"))
    times = [np.datetime64("NaT") if item is None else np.datetime64(item, "us") for item in items(_TIMES)]
    return {
        "x": np.array([np.nan if item is None else item for item in items(_NUMBERS)]),
        "y": np.array([np.nan if item is None else item for item in items(_NUMBERS)]),
        "c": Category.of(items(texts)),
        "d": Category.of(items(texts)),
        "t": np.array(times, dtype="M8[us]"),
        "u": np.array(times[::-1], dtype="M8[us]"),
    }


columns = st.composite(lambda draw: (_columns(draw, True), _columns(draw, False)))

ALL_PARTS = ["year", "month", "day", "weekday", "hour", "dayofyear", "is_weekend"]
CASES: list[dict[str, Any]] = [
    {"use": "impute", "columns": ["x", "y"], "strategy": "median", "indicator": True},
    {"use": "impute", "columns": ["x"], "strategy": "mean"},
    {"use": "impute", "columns": ["c", "x"], "strategy": "most_frequent", "indicator": True},
    {"use": "impute", "columns": ["c"], "strategy": "constant", "value": "none"},
    *({"use": "scale", "columns": ["x", "y"], "method": method} for method in ("standard", "minmax", "robust")),
    {"use": "onehot", "columns": ["c", "x"]},
    {"use": "onehot", "columns": ["c", "d"], "unseen": "other", "missing": "column", "min_count": 2},
    {"use": "onehot", "columns": ["c"], "unseen": "error"},
    {"use": "ordinal", "columns": ["c", "x"], "unseen": "missing"},
    {"use": "ordinal", "columns": ["c"], "unseen": -7.0, "values": ["b", "a"]},
    {"use": "ordinal", "columns": ["c", "d"], "unseen": "error"},
    {"use": "category", "columns": ["c", "x"]},
    {"use": "category", "columns": ["c"], "unseen": "other", "max_categories": 2},
    {"use": "category", "columns": ["c"], "unseen": "error"},
    {"use": "dateparts", "columns": ["t", "u"], "parts": ALL_PARTS},
    {"use": "dateparts", "columns": ["t", "u"], "parts": ALL_PARTS, "cyclic": True},
    *({"use": "log", "columns": ["x", "y"], "negative": each} for each in ("missing", "error", "zero", "signed")),
    {"use": "clip", "columns": ["x", "y"], "low": -2.0, "high": 3.0},
    {"use": "clip", "columns": ["x", "y"], "low_quantile": 0.2},
    {"use": "bins", "columns": ["x", "y"], "count": 3},
    {"use": "bins", "columns": ["x"], "method": "width"},
    {"use": "bins", "columns": ["x"], "method": "edges", "edges": [-1.0, 0.0, 2.5]},
    *({"use": "ratio", "numerator": "x", "denominator": "y", "zero": each} for each in ("missing", "error", -1.0)),
    {"use": "derive", "columns": {"a": "x / y", "b": "a + log(x)", "c2": "x > y"}, "non_finite": "missing"},
    {"use": "derive", "columns": {"a": "x / y"}, "non_finite": "error"},
]  # fmt: skip

FORMULAS = [
    "x + y * 2 - 1", "x // y", "x % y", "-x ** 2", "abs(x) ** 0.5", "minimum(x, y, 3)", "maximum(x, y)", "round(x)",
    "round(x, 2)", "round(x, -1)", "floor(x) + ceil(y)", "sin(x) + cos(y)", "exp(x / 1e6)", "sqrt(abs(x))",
    "log1p(abs(x))", "log(abs(x) + 1)", "x < y <= 3", "x == y or not (x != 2.5)", "(x > 0) & (y > 0)",
    "(x > 0) + (y > 0)", "(x > 0) * 3 + (y > 0)", "where(x > y, x, y)", "where(isnull(x), y, x)", "c == 'a'",
    "c != 'a'", "c == d", "c in ['a', '1']", "c not in ['a', 'b']", "x in [1, 2.5]", "x not in (0, 3)", "isnull(c)",
    "isnull(t) or isnull(x)", "hour(t) + weekday(t) * 24", "t > u", "t != u", "t - u", "t >= '1999-05-01T12:00'",
    "where(c == 'a', 1, where(x > 0, 2, 3))", "where(x > 0, c, 'z') == 'z'", "2 * 3 + x", "x and y",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, [case["use"], *list(case.values())[2:]])))
@given(data=columns())
@settings(max_examples=8, deadline=None)
def test_a_compiled_feature_makes_what_it_makes_in_training(case: dict[str, Any], data: Any) -> None:
    fitted_on, given_columns = data
    feature = build(FEATURES[case["use"]], {key: value for key, value in case.items() if key != "use"})
    names = feature.inputs(fitted_on)
    try:
        state = feature.finish(feature.summarise({name: fitted_on[name] for name in names})) if feature.fitted else {}
    except DataError:
        return  # cannot be fitted on these rows
    same(
        lambda held: feature.apply(state, held), lambda wires, graph: feature.to_onnx(state, wires, graph),
        {name: given_columns[name] for name in names},
    )  # fmt: skip


@given(data=columns())
@settings(max_examples=30, deadline=None)
def test_compiled_expressions_compute_what_numpy_computes(data: Any) -> None:
    expressions = {text: Expression(text) for text in FORMULAS}

    def plain(read: Columns) -> Columns:
        made = {}
        for text, expression in expressions.items():
            found = np.broadcast_to(np.asarray(expression(read)), (length(read),))
            made[text] = found / np.timedelta64(1, "s") if found.dtype.kind == "m" else found.astype(float)
        return made

    def write(wires: Any, graph: Any) -> Any:
        return {text: graph.formula(expression, wires) for text, expression in expressions.items()}

    same(plain, write, data[1])


@given(data=columns())
@settings(max_examples=25, deadline=None)
def test_a_compiled_step_derives_what_it_derives_in_training(data: Any) -> None:
    step = DerivedStep(columns={
        "part": "where(hour(t) < 12, 'am', 'pm')", "span": "t - u", "both": "(x > 0) + (y > 0)", "rate": "x / y",
        "late": "part == 'pm'", "sum": "both + late",
    })  # fmt: skip
    same(step.apply, step.to_onnx, data[1], only=("part", "span", "both", "rate", "late", "sum"))


@given(data=columns())
@settings(max_examples=15, deadline=None)
def test_a_compiled_step_fills_what_it_fills_in_training(data: Any) -> None:
    step = Fill(columns={"x": -1, "c": "none"})
    same(step.apply, step.to_onnx, data[1], only=("x", "y", "c"))


@pytest.mark.parametrize("text", [
    "c < d", "x == 'a'", "(t - u) > 3", "where(x > 0, c, 1)", "-(x > 0)", "c + 1", "t > 'soon'",
    "hour('2020-01-01') > x",
])  # fmt: skip
def test_an_expression_that_cannot_be_written_is_refused(text: str) -> None:
    from modelway import Graph

    graph = Graph()
    wires = graph.wires("numbers", ["x"]) | graph.wires("texts", ["c", "d"], "text")
    wires |= graph.wires("times", ["t", "u"], "time")
    with pytest.raises(ConfigError, match="cannot be written as ONNX"):
        graph.formula(Expression(text), wires)


def same(plain: Any, write: Any, held: Columns, only: tuple[str, ...] = ()) -> None:
    """Compare a feature with what it writes: equal refusals, and equal outputs of the rows that are not refused."""

    def refusing(row: int) -> bool:
        try:
            plain(take(held, slice(row, row + 1)))
        except DataError:
            return True
        return False

    def written(wires: Any, graph: Any) -> Any:
        made = write(wires, graph)
        return {name: made[name] for name in only} if only else made

    expected_refusals = np.array([refusing(row) for row in range(length(held))])
    kept = take(held, ~expected_refusals)
    expected = plain(kept) if length(kept) else {}
    texts = sorted({str(value) for column in expected.values() if isinstance(column, Category)
                    for value in column.values if isinstance(value, str)})  # fmt: skip
    numbers = {value for column in expected.values() if isinstance(column, Category) for value in column.values
               if not isinstance(value, str)}  # fmt: skip
    vocabulary: list[Any] = [*texts, *sorted(numbers)]
    found = run_graph(written, held, vocabulary)
    if not found:
        return
    refused = found.pop("refused")
    assert refused.tolist() == expected_refusals.tolist()
    for name in only or expected:
        column, made = expected.get(name), found[name][~refused]
        if column is None:
            continue
        if isinstance(column, Category):
            wanted = [np.nan if item is None else vocabulary.index(item) for item in column.objects()]
        else:
            wanted = np.asarray(column, dtype=np.float64)
        with np.errstate(over="ignore"):
            wanted = np.asarray(wanted).astype(np.float32)
        np.testing.assert_allclose(made, wanted, rtol=3e-6, atol=1e-12, err_msg=name)
