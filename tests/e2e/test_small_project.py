"""What a newcomer need not write, can look up without a manual, and reads on the terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

SMALL = """
task: binary
schema:
  columns:
    bought: {type: category, role: target, values: ["no", "yes"]}
    device: {type: category, nullable: true}
    "*": {type: number}
source: {use: files, path: data/visits.csv, missing: ["?"]}
split: {use: random, test: 0.25}
features: {categories: {use: category}}
model: {use: xgboost, rounds: 2, threads: 1}
metrics: {auc: {use: roc_auc, bootstrap: 0}}
"""


def declare(folder: Path, text: str) -> Path:
    """Write a project's configuration."""
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "config.yaml").write_text(text)
    return folder


@pytest.fixture
def small(bench: Any, tmp_path: Path) -> Path:
    """A project that declares as little as it can, outside the workspace's projects."""
    return declare(tmp_path / "little", SMALL)


def test_name_defaults_list_and_category_columns_need_not_be_written(bench: Any, small: Path) -> None:
    outcome = bench.run(str(small))
    assert outcome["project"] == "little"
    assert outcome["version"] == 1
    assert "the name of the folder" in bench("plan", str(small), "--why", "project").out
    assert bench.marks(str(small), "project=other")["model"] == "="


def test_a_declared_name_wins_over_the_folders(bench: Any, tmp_path: Path) -> None:
    folder = declare(tmp_path / "Folder 1", SMALL + "project: little\n")
    assert bench.run(str(folder))["project"] == "little"


def test_category_features_change_just_the_category_columns(bench: Any, small: Path) -> None:
    chosen = bench.run(str(small))["steps"]["predictions"]["digest"]
    assert bench.run(str(small), "features.categories.columns=[device]")["steps"]["predictions"]["digest"] == chosen


def test_scores_are_printed_and_missing_marks_are_those_of_training(bench: Any, small: Path, tmp_path: Path) -> None:
    bench.run(str(small))
    rows = tmp_path / "new.csv"
    rows.write_text("visits,pages,minutes,device\n3,4,5,phone\n3,4,?,?\n3,4,,\n")
    shown = bench("score", "little", str(rows), "--only-scores")
    assert shown.code == 0, shown.err
    head, *scores = shown.out.splitlines()
    assert head.strip('"') == "score"
    assert len(scores) == 3
    assert scores[1] == scores[2]
    written = bench("score", "little", str(rows), str(tmp_path / "out.csv"), "--only-scores")
    assert written.code == 0, written.err
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == scores


def test_a_projects_path_is_as_good_as_its_name(
    bench: Any, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(str(small))
    rows = tmp_path / "new.csv"
    rows.write_text("visits,pages,minutes,device\n3,4,5,phone\n")
    monkeypatch.chdir(tmp_path)
    by_name = bench("score", "little", str(rows)).out
    assert by_name
    for reference in ("./little", str(small), f"{small}@1", "little@champion"):
        assert bench("score", reference, str(rows)).out == by_name
    assert bench("promote", "./little@1").code == 0


def test_a_project_stands_for_its_newest_run_and_its_champion(bench: Any, small: Path) -> None:
    run = bench.run(str(small))["run"]
    bench.run("shop")
    assert f"run {run} of little" in bench("show", "little").out
    assert bench("trace", "little").out == bench("trace", "little@1").out
    assert bench("show", "nothing").code == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("splits", ("stratified", "rolling")),  # a plugin
        ("schema", ("schema.columns.NAME", "nullable", "role", "schema.rules.NAME")),
        ("project", ("promote", "seed", "task")),
        ("metrics", ("roc_auc", "rmse")),  # a stage
    ],
)
def test_what_may_be_declared_can_be_looked_up(bench: Any, name: str, said: tuple[str, ...]) -> None:
    done = bench("plugins", name)
    assert done.code == 0
    assert all(word in done.out for word in said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task: binary\n", ("no 'source' and no 'split' and no 'model' and no 'metrics'",)),
        (SMALL.replace('["?"]', "[?]"), ("A key is empty", "config.yaml:8:", "quotes around it")),
        (SMALL.replace("{auc: {use: roc_auc, bootstrap: 0}}", "{auc: roc_auc}"), ("Write 'auc: {use: roc_auc}'",)),
    ],
)
def test_a_first_mistake_is_told_what_to_write(bench: Any, tmp_path: Path, text: str, said: tuple[str, ...]) -> None:
    done = bench("plan", str(declare(tmp_path / "first", text)))
    assert done.code == 2
    assert all(word in done.err for word in said), done.err


def test_a_wrong_choice_lists_the_choices_once(bench: Any, small: Path) -> None:
    done = bench("plan", str(small), "schema.columns.device.type=zzz")
    assert done.err.count("timestamp") == 1


def test_a_spread_over_folds_is_not_called_an_interval(bench: Any, small: Path) -> None:
    done = bench("run", str(small), "split={use: kfold, folds: 3}")
    assert done.code == 0, done.err
    assert re.search(r"metric +\w+ \(\d+ rows\) +std over folds", done.out)
    assert "in the last of 3 folds, and a final fit" in done.out
    assert "std over folds" in bench("show").out


def test_the_last_column_of_a_table_fits_into_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelway.cli import display

    words = " ".join(["word"] * 40)
    piped = display.table(["step", "why"], [["model", words], ["gates", "short"]])
    assert max(map(len, piped.splitlines())) > 200  # a pipe is for programs: a row stays a line
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = display.table(["step", "why"], [["model", words], ["gates", "short"]])
    assert max(map(len, shown.splitlines())) <= 60
    assert shown.count("word") == 40
    assert re.search(r"^gates +short$", shown, re.MULTILINE)
