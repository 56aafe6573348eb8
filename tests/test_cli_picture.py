"""A sweep's picture: what it must never say wrongly, nor break over."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway.cli import charts, picture

BOTH = {"test.auc": False, "test.cost": True}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 900),
    st.floats(1e-9, 1e9),
    st.sampled_from(["x", "a long name of a choice"]),
)
ROWS = st.lists(
    st.builds(
        lambda values, auc, cost, status: {
            "values": values, "status": status,
            "objectives": {"test.auc": auc, "test.cost": cost} if status in ("done", "kept") else {},
        },
        st.fixed_dictionaries({"model.max_depth": VALUES, "features.scale.max_depth": VALUES, "a": VALUES}),
        st.one_of(st.none(), st.floats(-5, 5)), st.floats(0, 3),
        st.sampled_from(["done", "kept", "pruned", "failed", "running"]),
    ),
    max_size=30,
).map(lambda rows: [{"name": f"{place:012x}", **row} for place, row in enumerate(rows)])  # fmt: skip


def row(name: str, auc: float | None, cost: float | None = 1.0, status: str = "done", **values: Any) -> dict[str, Any]:
    return {"name": name, "values": values, "objectives": {"test.auc": auc, "test.cost": cost}, "status": status}


@given(ROWS, st.booleans())
def test_any_sweep_can_be_drawn(rows: list[dict[str, Any]], several: bool) -> None:
    objectives = BOTH if several else {"test.auc": False}
    shares = {"model.max_depth": 0.7, "features.scale.max_depth": 0.3}
    told = picture.text(rows, objectives, shares)
    assert max(map(len, told.splitlines())) <= 80
    made = json.loads(json.dumps(charts.drawn(rows, objectives, shares), allow_nan=False))
    drawn = [found for found in rows if found["status"] != "running"]
    assert len(made["trials"]) == len(rows)
    for axis in made["parallel"]["axes"]:
        low, high = axis["range"]
        assert low < high
        assert len(axis["values"]) == len(drawn)
        assert all(low <= value <= high for value in axis["values"])
        assert len(axis["tickvals"]) == len(axis["ticktext"])


def test_the_best_trial_is_first_whichever_way_is_better() -> None:
    rows = [row("a", 0.8, 3.0), row("b", 0.9, 2.0), row("c", 0.7, 1.0)]
    assert [one["name"] for one in picture.ranked(rows, {"test.auc": False})] == ["b", "a", "c"]
    assert [one["name"] for one in picture.ranked(rows, {"test.cost": True})] == ["c", "b", "a"]
    assert picture.front(rows, BOTH) == {"b", "c"}


def test_a_trial_without_a_whole_result_is_never_the_best() -> None:
    rows = [row("a", 0.8), row("b", 0.99, status="pruned"), row("c", 0.99, status="failed"), row("d", None)]
    assert picture.front(rows, BOTH) == {"a"}
    assert picture.counts(rows, BOTH) == "4 trials: 1 done, 1 pruned, 1 failed, 1 without a value"
    axis = charts.drawn(rows, BOTH, {})["parallel"]["axes"][0]
    names = charts.drawn(rows, BOTH, {})["parallel"]["names"]
    heights = dict(zip(names, axis["values"], strict=True))
    assert max(heights[name] for name in "bcd") < heights["a"]
    assert names[-1] == "a"


def test_equal_trials_share_the_front() -> None:
    assert picture.front([row("a", 0.8), row("b", 0.8), row("c", 0.8, 2.0)], BOTH) == {"a", "b"}


def test_keys_are_told_apart() -> None:
    assert picture.short(["model.depth", "scale.depth", "model.rate"]) == {
        "model.depth": "model.depth", "scale.depth": "scale.depth", "model.rate": "rate",
    }  # fmt: skip


def test_the_page_needs_nothing_else_and_names_are_text() -> None:
    pytest.importorskip("plotly", reason="Pages of sweeps need it: modelway[pages]")
    made = picture.page([row("</script><b>x", 0.8, rate=0.1)], BOTH, {}, title="fraud <1>: <!--DATA-->")
    assert "<title>fraud &lt;1&gt;: &lt;!--DATA--&gt;</title>" in made
    head, _, rest = made.partition('<script type="application/json" id="data">')
    data, _, rest = rest.partition("</script>")
    assert json.loads(data)["trials"][0]["name"] == "</script><b>x"
    own = head + rest[rest.rindex("<script>") :]
    assert not re.search(r"(src|href)\s*=|https?://|@import|url\(", own)


def test_without_plotly_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ImportError):
        picture.page([row("a", 0.8)], BOTH, {}, title="x")
