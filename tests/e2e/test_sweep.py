"""Sweeps: trials share what they have in common, and one that fails does not take the others with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

FAILED = 3
PLUGIN = "projects/shop/plugin.py"


def ran(bench: Any, run: str) -> set[str]:
    """Return the steps that a run computed."""
    return {step["name"] for step in bench("show", run, "--json").json["steps"] if step["status"] == "ran"}


def test_trials_share_every_step_that_they_have_in_common(bench: Any) -> None:
    sweep = bench("run", "shop", "-m", "model.sharpness=0.5,1,2", "metrics.hits.cut=0.4,0.6", "--json").json
    trials = sweep["trials"]
    assert [t["overrides"] for t in trials[:2]] == [
        ["model.sharpness=0.5", "metrics.hits.cut=0.4"], ["model.sharpness=0.5", "metrics.hits.cut=0.6"],
    ]  # fmt: skip
    computed = [ran(bench, trial["run"]) for trial in trials]
    for step, times in {
        "source": 1,
        "prepare": 1,
        "checks": 1,
        "split": 1,
        "features": 1,
        "model": 3,
        "metrics": 6,
    }.items():
        assert sum(step in found for found in computed) == times, step
    assert len({trial["scores"]["test.hits"] for trial in trials}) > 1
    parent = bench("sweeps", sweep["sweep"], "--json").json
    assert parent["status"] == "done"
    assert [t["run"] for t in parent["trials"]] == [t["run"] for t in trials]
    assert {bench("show", t["run"], "--json").json["parent"] for t in trials} == {sweep["sweep"]}


def test_the_same_sweep_again_computes_nothing(bench: Any) -> None:
    words = ("run", "shop", "-m", "model.sharpness=0.5,1", "--json")
    first, again = bench(*words).json, bench(*words).json
    assert [trial["ran"] for trial in again["trials"]] == [0, 0]
    assert [t["scores"] for t in again["trials"]] == [t["scores"] for t in first["trials"]]


def test_a_point_that_is_named_twice_is_made_once(bench: Any) -> None:
    swept = bench("run", "shop", "-m", "model.sharpness=1,1.0,2,1e0", "--json").json
    assert [trial["overrides"] for trial in swept["trials"]] == [["model.sharpness=1"], ["model.sharpness=2"]]


def test_points_that_are_added_later_are_all_that_is_made(bench: Any) -> None:
    bench("run", "shop", "-m", "model.sharpness=1,2")
    done = bench("run", "shop", "-m", "model.sharpness=1,2,3")
    assert "2 trials were there already" in done.out
    assert done.out.count("✓") == 1


def test_what_a_sweep_advises_next_is_its_best_trial_and_nothing_else(bench: Any) -> None:
    words = ("prepare.busy.by=2", "launcher=basic", "sweeper=basic", "objective=[test.auc]")
    told = bench("run", "shop", "-m", "model.sharpness=0.5,2", *words).out
    advised = told.split("next: modelway run ")[1].splitlines()[0].split()
    assert advised[:2] == ["shop", "prepare.busy.by=2"]
    assert [word.partition("=")[0] for word in advised[2:]] == ["model.sharpness"]
    assert bench("run", *advised, "--to", "metrics", "--json").json["steps"]["metrics"]["status"] == "cached"


def test_a_project_can_declare_what_its_sweeps_search_and_improve(bench: Any) -> None:
    text = (bench.root / "projects/shop/conf/config.yaml").read_text()
    space = "space: {model.sharpness: 'range(1,4)'}\nobjective: [test.auc]\n"
    bench.write("projects/shop/conf/config.yaml", text + space)
    swept = bench("run", "shop", "-m", "--json").json
    assert [trial["overrides"] for trial in swept["trials"]] == [[f"model.sharpness={i}"] for i in (1, 2, 3)]
    assert list(bench("sweeps", "--json").json[0]["body"]["objectives"]) == ["test.auc"]


def test_a_sweep_over_a_group_composes_each_choice(bench: Any) -> None:
    folder = bench.root / "projects/shop/conf/model"
    folder.mkdir()
    (folder / "soft.yaml").write_text("use: means\nsharpness: 0.1\n")
    (folder / "hard.yaml").write_text("use: means\nsharpness: 9\n")
    trials = bench("run", "shop", "-m", "model=soft,hard", "--json").json["trials"]
    configs = [bench("show", trial["run"], "--json").json["config"]["model"] for trial in trials]
    assert [config["sharpness"] for config in configs] == [0.1, 9]


def test_a_trial_that_fails_leaves_the_others_to_go_on(bench: Any) -> None:
    bench.edit(
        PLUGIN,
        "        names = (",
        '        if self.sharpness == 2:\n            raise ValueError("too sharp")\n        names = (',
    )
    done = bench("run", "shop", "-m", "model.sharpness=1,2,3")
    assert done.code == FAILED
    assert "1 of 3 trials failed" in done.err
    assert "too sharp" in done.err
    assert "Traceback" not in done.err
    runs = bench("runs", "--json").json
    assert [run["status"] for run in runs] == ["done", "failed", "done"]
    assert bench("sweeps", "--json").json[0]["status"] == "partial"
    again = bench("run", "shop", "-m", "model.sharpness=1,2,3", "--json")
    statuses = [trial["status"] for trial in json.loads(again.out)["trials"]]
    assert statuses == ["kept", "failed", "kept"], "only the failed one is repeated"
    bench.edit(PLUGIN, "if self.sharpness == 2", "if self.sharpness == 99")
    assert bench("run", "shop", "-m", "model.sharpness=1,2,3").code == 0
    bench.whole()


def test_a_gate_that_refuses_a_trial_is_a_trial_that_failed(bench: Any) -> None:
    done = bench("run", "shop", "-m", "gates.good.at_least=0.1,2", "--to", "gates")
    assert done.code == FAILED
    assert "not released" in done.err
    assert [run["status"] for run in bench("runs", "--json").json][:2] == ["refused", "done"]


def test_fail_fast_stops_at_the_first_failure(bench: Any) -> None:
    done = bench("run", "shop", "-m", "gates.good.at_least=0.1,2,0.2,0.3", "--to", "gates", "--fail-fast")
    assert done.code == FAILED
    assert len(bench("runs", "--json").json) == 2  # the trial that passed, the one that did not


def test_a_trial_that_does_not_compose_stops_the_sweep_before_it_starts(bench: Any) -> None:
    done = bench("run", "shop", "-m", "model.sharpness=1,sharp")
    assert done.code == 2
    assert "'sharp'" in done.err
    assert bench("runs", "--json").json == []


def test_a_search_space_is_not_taken_for_a_grid(bench: Any) -> None:
    done = bench("run", "shop", "-m", "model.sharpness=interval(1,2)")
    assert done.code == 2
    assert "are an interval" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "shop", "--detach"), "--detach goes with a sweep only. Add -m"),
        (("run", "shop", "--fail-fast"), "--fail-fast goes with a sweep only. Add -m"),
        (("run", "shop", "-m", "--cfg", "job"), "Leave -m out"),
        (("run", "shop", "-m", "--detach", "--json"), "Leave --json out"),
        (("sweeps", "--follow"), "--follow goes with one sweep. Name it"),
        (("sweeps", "--page", "a.html"), "--page goes with one sweep. Name it"),
    ],
)
def test_an_option_without_what_it_goes_with_is_refused_and_nothing_runs(
    bench: Any, words: tuple[str, ...], said: str
) -> None:
    done = bench(*words)
    assert (done.code, done.out, said in done.err) == (2, "", True), done.err
    assert bench("runs", "--json").json == bench("sweeps", "--json").json == []


def test_a_page_that_cannot_be_written_is_said_in_one_paragraph(bench: Any) -> None:
    sweep = bench("run", "shop", "-m", "model.sharpness=1", "--to", "metrics", "--json").json["sweep"]
    (bench.root / "file").write_text("")
    done = bench("sweeps", sweep, "--page", str(bench.root / "file" / "page.html"))
    assert (done.code, "The page cannot be written" in done.err) == (4, True), done.err
    page = bench.root / "pages" / "sweep.html"
    assert bench("sweeps", sweep, "--page", str(page), "--json").json["id"] == sweep
    assert page.exists()


def test_code_that_changes_while_a_sweep_goes_on_changes_none_of_its_trials(bench: Any) -> None:
    """The second trial computes with the code that was loaded, so it must be kept under that code's name."""
    path = str(bench.root / PLUGIN)
    edit = f"import pathlib; p = pathlib.Path({path!r}); p.write_text(p.read_text().replace('1e-3', '1e-1'))"
    bench.edit(
        PLUGIN, '        run.log("rows", len(rows))', f"        if self.sharpness == 1:\n            exec({edit!r})"
    )
    swept = bench("run", "shop", "-m", "model.sharpness=1,2", "--json").json["trials"]
    assert "1e-1" in (bench.root / PLUGIN).read_text()
    after = bench.run("shop", "model.sharpness=2")
    assert "model" in after["ran"]
    before = {step["name"]: step["digest"] for step in bench("show", swept[1]["run"], "--json").json["steps"]}
    assert after["steps"]["model"]["digest"] != before["model"]
