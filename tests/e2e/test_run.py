"""What a run computes, what it leaves alone, and that a plan says so beforehand."""

from __future__ import annotations

from typing import Any

import pytest

PLUGIN = "projects/shop/plugin.py"


def test_the_same_command_again_computes_nothing(bench: Any) -> None:
    first = bench.run("shop")
    assert set(bench.marks("shop").values()) == {"="}
    again = bench.run("shop")
    assert again["ran"] == set()
    assert again["scores"] == first["scores"]
    assert again["version"] == first["version"] == 1
    assert {s: f["digest"] for s, f in again["steps"].items()} == {s: f["digest"] for s, f in first["steps"].items()}


def test_a_changed_parameter_is_named_in_the_plan_with_both_values(bench: Any) -> None:
    bench.run("shop")
    done = bench("plan", "shop", "model.sharpness=2")
    line = next(line for line in done.out.splitlines() if line.startswith("~"))
    assert line.split()[:3] == ["~", "model", "means"]
    assert line.endswith("model.sharpness 1.0 -> 2.0")
    marks = bench.marks("shop", "model.sharpness=2")
    assert {s for s, m in marks.items() if m == "="} == {"source", "prepare", "checks", "split", "features"}
    outcome = bench.run("shop", "model.sharpness=2")
    assert {"model", "predictions", "scoring", "package"} <= outcome["ran"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        found = rows[label == 1]", "        # the heart of it\n        found = rows[label == 1]"),
        ("        \"\"\"Compare the classes, with", "        \"\"\"Set the classes beside each other, with"),
        ("label = np.concatenate([batch.target for batch in batches])",
         "label = np.concatenate(\n            [batch.target for batch in batches]\n        )"),
        ("@metric\ndef hits", "\n\n\n@metric\ndef hits"),
    ],
    ids=["comment", "docstring", "layout", "blank lines"],
)  # fmt: skip
def test_explaining_or_laying_out_code_computes_nothing(bench: Any, old: str, new: str) -> None:
    bench.run("shop")
    bench.edit(PLUGIN, old, new)
    assert set(bench.marks("shop").values()) == {"="}
    assert bench.run("shop")["ran"] == set()


def test_a_changed_line_of_code_runs_what_it_is_part_of(bench: Any) -> None:
    first = bench.run("shop")
    bench.edit(PLUGIN, "scale=1e-3", "scale=1e-1")
    assert bench.reasons("shop")["model"].startswith("code ")
    assert bench.marks("shop")["model"] == "~"
    second = bench.run("shop")
    assert second["steps"]["model"]["digest"] != first["steps"]["model"]["digest"]


def test_the_project_of_the_readme_behaves_as_its_tour_says(bench: Any, cancer: Any) -> None:
    bench.add(cancer)
    bench.run("cancer", "~package")
    assert bench.run("cancer", "~package")["ran"] == set()
    assert bench.reasons("cancer", "~package", "model.max_depth=4")["model"] == "model.max_depth 3 -> 4"
    deeper = bench.run("cancer", "~package", "model.max_depth=4")
    assert {"model", "predictions", "metrics"} <= deeper["ran"]
    assert not {"source", "checks", "split", "features"} & deeper["ran"]
    assert bench.run("cancer", "~package", "model.max_depth=4")["ran"] == set()
    assert bench.run("cancer", "~package")["ran"] == set()


def test_a_released_model_is_not_judged_anew_against_itself(bench: Any, cancer: Any) -> None:
    bench.add(cancer)
    bench.run("cancer", "~package")
    bench.run("cancer", "~package", "model.max_depth=2")
    assert bench("promote", "cancer@2").code == 0
    assert bench.run("cancer", "~package", "model.max_depth=2")["ran"] == set()
    marks = bench.marks("cancer", "~package")  # the version before it would have to beat it now
    assert {step for step, mark in marks.items() if mark != "="} == {"champion", "gates"}


def test_another_order_of_features_is_another_experiment(bench: Any) -> None:
    """Each feature sees what the ones before it made, so their order shapes the result."""
    bench.edit(
        "projects/shop/conf/config.yaml",
        "  centre: {use: centred, columns: [visits, minutes], times: 1.0}\n",
        "  z_first: {use: centred, columns: [visits], times: 3.0}\n  a_then: {use: clip, columns: [visits], high: 1}\n",
    )
    one = bench.run("shop")
    for _ in range(2):  # composed, and from the cache of compositions
        assert bench.run("shop")["ran"] == set()
    bench.edit("projects/shop/conf/config.yaml", "  z_first: {use: centred, columns: [visits], times: 3.0}\n", "")
    bench.edit(
        "projects/shop/conf/config.yaml",
        "high: 1}\n",
        "high: 1}\n  z_first: {use: centred, columns: [visits], times: 3.0}\n",
    )
    assert bench.reasons("shop")["features"] == "order of features"
    other = bench.run("shop")
    assert other["steps"]["model"]["digest"] != one["steps"]["model"]["digest"]


def test_a_cached_composition_keeps_the_order_of_features(bench: Any, settle: Any) -> None:
    settle(bench.root)
    bench.edit(
        "projects/shop/conf/config.yaml",
        "  centre: {use: centred, columns: [visits, minutes], times: 1.0}\n",
        "  z_first: {use: centred, columns: [visits], times: 3.0}\n  a_then: {use: clip, columns: [visits], high: 1}\n",
    )
    settle(bench.root)
    first = bench.run("shop")
    assert list((bench.root / ".modelway" / "cache" / "compose").iterdir())
    assert bench.run("shop")["ran"] == set()
    assert bench.run("shop", "--force")["steps"]["model"]["digest"] == first["steps"]["model"]["digest"]
