"""``modelway report``: what a person reads of a run, whatever became of it."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIG = "projects/shop/conf/config.yaml"
MONEY = (
    "  money: {use: business, currency: EUR, fn: -10, fp: -1, choose: budget, alerts_share: 0.5, bootstrap: 20}\n"
    "  matrix: {use: confusion}\n"
)
CONTRIBUTIONS = '''
    def contributions(self, columns: Columns) -> Columns:
        """Return weight times value."""
        import numpy as np

        found = {n: np.asarray(columns[n], np.float64) * w for n, w in zip(self.names, self.weights, strict=True)}
        return {**found, "bias": np.zeros(len(found[self.names[0]]))}

    def save(self'''

pytest.importorskip("matplotlib", reason="plots need the extra pages")
pytest.importorskip("jinja2", reason="the page needs the extra pages")


@pytest.fixture
def told(bench: Any) -> Any:
    """The shop with money, a rule that drops rows, and a model that explains itself."""
    bench.edit(CONFIG, "\ngates:", f"{MONEY}\ngates:")
    bench.edit(CONFIG, "\nchecks:", '  awake: {use: filter, keep: "minutes > 7"}\n\nchecks:')
    bench.edit("projects/shop/plugin.py", "\n    def save(self", CONTRIBUTIONS)
    return bench


def text_of(path: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8")))


def test_one_page_says_what_came_of_a_run_and_what_each_stage_did(told: Any) -> None:
    run = told("run", "shop", "--json").json["run"]
    done = told("report", "shop")
    page = told.root / ".modelway/reports" / run / "report.html"
    assert done.code == 0
    assert str(page) in done.out
    text = text_of(page)
    assert "Version 1 passed its gate and is the champion." in text
    assert re.search(r"passed good hits is 0\.\d+ of 0\.2", text)
    assert "saved, on test rows EUR" in text
    assert "The highest value on the valid rows with at most 0.5 of the rows alerted" in text
    facts = told("report", run, "--json").json
    rows = next(step for step in facts["steps"] if step["name"] == "prepare")["tables"][0]["rows"]
    assert [row[0] for row in rows] == ["awake"]
    _, came, dropped, left, why = rows[0]
    assert came - dropped == left
    assert dropped > 0
    assert why == f"{dropped} dropped: minutes > 7"
    assert f"{came:,} rows went in, {left:,} rows of 5 columns came out." in text
    for step in facts["steps"]:
        assert step["did"], step["name"]
        assert step["title"] in text


def test_the_page_needs_nothing_else_and_is_the_same_each_time(told: Any) -> None:
    told("run", "shop")
    for name in ("a", "b"):
        assert told("report", "shop", "--out", str(told.root / name / "shop.html")).code == 0
    first, again = (sorted(p for p in (told.root / name).rglob("*") if p.is_file()) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    plots = {path.stem for path in first if path.suffix == ".svg"}
    assert plots == {"auc", "money.value", "matrix", "contributions", "summary"}
    html = (told.root / "a/shop.html").read_text(encoding="utf-8")
    assert html.count("<svg") == len(plots)
    assert not re.search(r'(?:src|href)="(?!#)', html)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_contributions_say_which_way_a_feature_pushes(told: Any) -> None:
    told("run", "shop")
    found = told("report", "shop", "--json").json["contributions"]
    visits = next(one for one in found["features"] if one["name"] == "visits")
    assert visits["low"] < 0 < visits["high"]  # who buys has visited more
    assert found["rows"] > 50


def test_folds_are_told_together_and_drawn_over_each_other(told: Any) -> None:
    told.edit(CONFIG, "split: {use: random, test: 0.25, valid: 0.2}", "split: {use: kfold, folds: 3}")
    assert told("run", "shop").code == 0
    out = told.root / "folds.html"
    assert told("report", "shop", "--out", str(out)).code == 0
    text = text_of(out)
    assert re.findall(r"Train the model (\d) folds", text) == ["4"]
    assert re.findall(r"Score the held-out rows (\d) folds", text) == ["3"]
    assert "a line per fold, test rows" in text
    assert told("report", "shop", "--json").json["contributions"]["phase"] == "test"


def test_a_refused_model_is_told_with_its_numbers(bench: Any) -> None:
    assert bench("run", "shop", "gates.good.at_least=1.5").code == 8
    out = bench.root / "refused.html"
    assert bench("report", "shop", "--out", str(out)).code == 0
    text = text_of(out)
    assert "The run was refused by a gate, and no model version was registered." in text
    assert re.search(r"refused good hits is 0\.\d+ of 1\.5", text)
    assert "gates.good.at_least=1.5" in text


def test_a_run_that_failed_is_told_with_its_error_up_to_where_it_came(bench: Any) -> None:
    bench.edit(CONFIG, "visits: {type: number, min: 0}", "visits: {type: number, min: 5}")
    assert bench("run", "shop").code == 4
    out = bench.root / "failed.html"
    assert bench("report", "shop", "--out", str(out)).code == 0
    text = text_of(out)
    assert "The run failed, and no model version was registered." in text
    assert "1 finding among" in text


def test_a_version_leads_to_the_run_that_made_it_and_a_later_run_to_who_trained(bench: Any) -> None:
    first = bench("run", "shop", "--json").json["run"]
    again = bench("run", "shop", "metrics.hits.cut=0.4", "--json").json["run"]
    assert bench("report", "shop@1", "--json").json["run"] == first
    facts = bench("report", "--json").json
    assert facts["run"] == again
    assert facts["trained_by"]["id"] == first
    steps = {step["name"]: step for step in facts["steps"]}
    assert (steps["model"]["status"], steps["model"]["computed_by"]) == ("cached", first)
    assert steps["model"]["cost"]["peak"] > 0
    assert bench("report", "shop@7").code == 2
    assert bench("report", "nothing").code == 2


def test_what_is_gone_from_the_store_is_named_and_the_rest_is_shown(bench: Any) -> None:
    bench("run", "shop")
    shutil.rmtree(bench.root / ".modelway/objects")
    out = bench.root / "gone.html"
    done = bench("report", "shop", "--out", str(out))
    assert done.code == 0, done.err
    text = text_of(out)
    assert "Nothing is shown of the output of metrics" in text
    assert re.search(r"hits 0\.\d{4}", text)


def test_what_people_wrote_is_shown_and_never_run(bench: Any) -> None:
    bench.edit(CONFIG, "\nseed: 3", '\nseed: 3\ndescription: "</title><script>alert(1)</script>"')
    bench("run", "shop", "--note", "<img src=x onerror=alert(1)>")
    out = bench.root / "page.html"
    assert bench("report", "shop", "--out", str(out)).code == 0
    html = out.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_without_matplotlib_it_says_what_to_install(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench("run", "shop")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = bench("report", "shop")
    assert done.code == 2
    assert "pip install 'modelway[pages]'" in done.err
    assert bench("report", "shop", "--json").json["metrics"]


def test_a_place_that_cannot_be_written_is_said_in_one_paragraph(bench: Any) -> None:
    bench("run", "shop")
    (bench.root / "file").write_text("")
    done = bench("report", "shop", "--out", str(bench.root / "file" / "page.html"))
    assert done.code == 2
    assert "cannot be written" in done.err
