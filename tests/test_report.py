"""The report's parts: what is drawn and shown of what metrics keep, and how it is written."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway import Category, Plot, Score
from modelway.report.contributions import LEVELS, _by_value
from modelway.report.facts import chosen_row, operating_points, thinned
from modelway.report.plots import drawings, of_features
from modelway.report.words import column, count, interval, number

ROC: Plot = {"of": "curve", "x": "false", "y": ["true"], "reference": "diagonal"}


def score(metric: str = "auc", fold: str = "", phase: str = "test", value: float | None = 0.5, **detail: Any) -> Score:
    return Score(value, metric=metric, fold=fold, phase=phase, detail=detail)


def curve(**columns: Any) -> Score:
    return score(curve={"false": [0.0, 0.5, 1.0], "true": [0.0, 0.9, 1.0], **columns}, plots=[ROC])


@given(st.integers(1, 3000), st.data())
def test_a_thinned_table_keeps_its_ends_and_marks_the_chosen_row(rows: int, data: st.DataObject) -> None:
    chosen = data.draw(st.none() | st.integers(0, rows - 1))
    found = thinned({"threshold": list(range(rows)), "twice": [2 * i for i in range(rows)]}, chosen)
    assert found is not None
    shown = [row[0] for row in found["rows"]]
    assert shown == sorted(set(shown))
    assert {shown[0], shown[-1]} == {0, rows - 1}
    assert all(row[1] == 2 * row[0] for row in found["rows"])
    assert len(shown) <= 17
    assert (found["chosen"] is None) == (chosen is None)
    if chosen is not None:
        assert shown[found["chosen"]] == chosen


def test_the_chosen_row_is_the_one_that_the_metric_names_and_else_the_nearest() -> None:
    detail = {"table": {"threshold": [0.1, 0.2, 0.9]}, "operating_point": {"threshold": 0.3}}
    assert chosen_row(detail) == 1
    assert chosen_row({**detail, "chosen": 2}) == 2
    assert chosen_row({**detail, "chosen": 99}) == 1
    assert chosen_row({**detail, "operating_point": {"threshold": None}}) is None
    assert chosen_row({"table": detail["table"]}) is None


def test_a_table_of_columns_of_unlike_lengths_is_not_shown() -> None:
    assert thinned({"threshold": [0.1, 0.2], "value": [1.0]}, 0) is None
    assert thinned({}, None) is None


def test_an_operating_point_comes_with_the_values_of_its_metric_money_first() -> None:
    point = {"threshold": 0.2, "rule": "cost", "reason": "The best", "phase": "valid"}
    scores = [
        score("rate.recall", value=0.8, operating_point=point),
        score("money.value", value=-5.0, currency="EUR", operating_point=point),
        score("money.saved", value=7.0, currency="EUR"),
        score("money.saved", value=9.0, currency="EUR", phase="valid"),
        score("other", value=1.0),
    ]
    money, rate = operating_points(scores)
    assert (money["metric"], money["chosen_on"], money["phase"]) == ("money", "valid", "test")
    assert {one["name"]: one["value"] for one in money["values"]} == {"value": -5.0, "saved": 7.0}
    assert [one["name"] for one in rate["values"]] == ["recall"]


def test_a_curve_is_drawn_without_its_missing_points() -> None:
    (drawn,) = drawings([curve(true=[None, 0.9, 1.0])])
    assert (drawn.kind, drawn.reference) == ("line", "diagonal")
    assert drawn.series[0].x == [0.5, 1.0]
    assert "test rows" in drawn.caption


@pytest.mark.parametrize(
    "detail",
    [
        {"plots": [{"of": "curve", "x": "false", "y": ["absent"]}], "curve": {"false": [0.0]}},
        {"plots": [{"of": "curve", "x": "false", "y": ["true"]}]},
        {"plots": [{"of": "table", "x": "false", "y": ["true"]}], "table": {"false": [0.0], "true": [None]}},
        {"plots": [{"x": "false"}], "curve": {"false": [0.0]}},
        {"matrix": [[1.0]]},
        {"groups": {"a": {"value": None}}},
    ],
)
def test_a_detail_that_cannot_be_drawn_is_left_out(detail: dict[str, Any]) -> None:
    assert drawings([score(**detail)]) == []


def test_held_out_rows_are_drawn_each_fold_a_line_and_matrices_summed() -> None:
    curves = [Score(0.5, metric="auc", phase=phase, fold=fold, detail=curve().detail)
              for fold in ("a", "b") for phase in ("valid", "test")]  # fmt: skip
    matrices = [score("confusion", fold, matrix=[[1, 2], [3, 4]], classes=["no", "yes"]) for fold in ("a", "b")]
    roc, matrix = drawings([*curves, *matrices])
    assert [one.name for one in roc.series] == ["a", "b"]
    assert roc.alike
    assert matrix.data["matrix"] == [[2, 4], [6, 8]]


def test_a_plot_with_an_operating_point_shows_what_is_around_it() -> None:
    table = {"threshold": [0.9, 0.5, 0.1], "alerts": [10.0, 20.0, 5000.0], "saved": [1.0, 2.0, -900.0]}
    plots = [{"of": "table", "x": "alerts", "y": ["saved"]}]
    (drawn,) = drawings([score(table=table, plots=plots, operating_point={"threshold": 0.5}, currency="EUR")])
    assert drawn.mark == 20.0
    assert drawn.series[0].x == [10.0, 20.0]
    assert drawn.y == "saved (EUR)"


def test_the_direction_of_a_feature_is_told_by_its_lowest_and_highest_values() -> None:
    values = np.linspace(0, 1, 1000)
    found = _by_value(2 * values - 1, values)
    assert found["low"] == pytest.approx(-0.8, abs=0.01)
    assert found["high"] == pytest.approx(0.8, abs=0.01)
    assert found["points"][0] == (-1.0, 0)
    assert found["points"][-1] == (1.0, LEVELS - 1)
    flag = _by_value(np.array([-1.0, -1.0, 3.0]), np.array([False, False, True]))
    assert (flag["low"], flag["high"]) == (-1.0, 3.0)


def test_what_has_no_order_or_is_missing_has_no_level() -> None:
    kinds = Category(np.array([0, 1, 1], np.int32), ("a", "b"))
    assert {level for _, level in _by_value(np.array([1.0, 2.0, 3.0]), kinds)["points"]} == {None}
    holes = _by_value(np.array([1.0, 2.0, 3.0]), np.array([0.0, np.nan, 9.0]))
    assert [level for _, level in holes["points"]] == [0, None, LEVELS - 1]


def test_plots_carry_any_name_and_need_nothing_from_elsewhere() -> None:
    pytest.importorskip("matplotlib", reason="Plots need it: modelway[pages]")
    from modelway.report.draw import VARIABLES, inline, svg

    odd = "$x$ <script>&\"'_{}"
    points = [(0.5, None), (-0.25, 0)]
    added = {"phase": "test", "rows": 2, "left_out": 0,
             "features": [{"name": odd, "mean": 0.4, "low": None, "high": None, "points": points}]}  # fmt: skip
    groups = score("by", groups={odd: {"value": 0.5, "low": 0.4, "high": 0.6, "rows": 9}})
    matrix = score("confusion", matrix=[[1, 0], [0, 3]], classes=[odd, "b"])
    by_day: Plot = {"of": "table", "x": "day", "y": ["bad", "found"], "kind": "bars", "reference": 1.5}
    table = {"day": ["2026-01-01", "2026-01-02"], "found": [1, 2], "bad": [3, 4]}
    bars = score("cards", table=table, plots=[by_day])
    plots = [*drawings([curve(), groups, matrix, bars]), *of_features({odd: 3.0}, added)]
    assert {plot.kind for plot in plots} == {"line", "groups", "matrix", "bars", "importance", "swarm"}
    ids: list[str] = []
    for plot in plots:
        text = svg(plot)
        assert text == svg(plot)
        assert "<script>" not in text
        assert not re.search(r'(?:href|src)="(?!#)', text)
        shown = inline(text, plot.name, plot.caption)
        assert not [colour for colour in VARIABLES if colour in shown]
        assert plot.kind in ("line", "bars") or "$x$ &lt;script&gt;" in shown
        ids += re.findall(r' id="([^"]+)"', shown)
    assert len(ids) == len(set(ids))


def test_figures_read_as_people_write_them() -> None:
    none, minus = "\N{EN DASH}", "\N{MINUS SIGN}"
    assert [number(v) for v in (None, float("nan"), 0.0, 0.123456, -3.14159, 12345.6, 7, 1.5e-7)] == [
        none, none, "0", "0.1235", f"{minus}3.142", "12,346", "7", f"1.5e{minus}7",
    ]  # fmt: skip
    assert number(-1234.5, "EUR") == f"{minus}EUR\N{NO-BREAK SPACE}1,234"
    assert [number(v) for v in (57.9963, 3.25, 19.0)] == ["58.00", "3.250", "19"]
    assert interval(42455.2, 65948.1, "EUR") == "EUR\N{NO-BREAK SPACE}42,455 to 65,948"
    assert column([1.0, 23.45, 2607.4]) == ["1.0", "23.4", "2,607.4"]
    assert column([0.5, None, 1.0]) == ["0.5000", none, "1.0000"]
    assert (count(1, "row"), count(2000, "row")) == ("1 row", "2,000 rows")
