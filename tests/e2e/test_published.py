"""Projects declared on real data reach the figures that others have published for it.

The tables are not part of the repository: they are looked for in ``MODELWAY_SHARED``, else in ``shared`` beside the
repository, and the tests are skipped where there are none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("MODELWAY_SHARED") or Path(__file__).parents[3] / "shared")

ADULT = """
defaults: [base, _self_]
task: binary
schema:
  columns:
    part: {type: category, role: fold}
    income: {type: category, role: target, values: [<=50K, ">50K"]}
    "[wo]*c*": {type: category, nullable: true}  # workclass, occupation
    native_country: {type: category, nullable: true}
    education: {type: category}
    marital_status: {type: category}
    relationship: {type: category}
    race: {type: category}
    sex: {type: category}
    "*": {type: integer, min: 0}
source: {use: files, path: PATH, missing: ["?"]}
checks: {schema: {use: pandera}}
split: {use: column}
features: {categories: {use: category}}
model: {use: xgboost, threads: 2}
metrics: {log_loss: {use: log_loss}, auc: {use: roc_auc}}
gates:
  loss: {use: floor, metric: log_loss, at_most: 0.286}
  auc: {use: floor, metric: auc, at_least: 0.924}
"""

BIKE = """
defaults: [base, _self_]
task: regression
schema:
  columns:
    ts: {type: timestamp, role: time, unique: true}
    share: {type: number, role: target, min: 0, max: 1}
    season: {type: integer, min: 1, max: 4}
    yr: {type: integer, min: 0, max: 1}
    mnth: {type: integer, min: 1, max: 12}
    hr: {type: integer, min: 0, max: 23}
    "[hw]*day": {type: integer, min: 0, max: 6}  # holiday, weekday, workingday
    weathersit: {type: integer, min: 1, max: 4}
    "*temp": {type: number, min: 0, max: 1}  # temp, atemp
    hum: {type: number, min: 0, max: 1}
    windspeed: {type: number, min: 0, max: 1}
source: {use: files, path: PATH}
prepare: {target: {use: derive, columns: {share: cnt / 977}}}
checks: {schema: {use: pandera}}
split: {use: rolling, folds: 5, gap: 48, max_train: 10000, test_size: 1000}
features: {weather: {use: clip, columns: [weathersit], high: 3}}
model: {use: xgboost, threads: 2}
metrics: {mae: {use: mae}, rmse: {use: rmse}}
gates: {mae: {use: floor, metric: mae, at_most: 0.049}}
"""


def declare(folder: Path, text: str, table: str) -> Path:
    """Write a project on a shared table, outside any workspace."""
    path = SHARED / "data" / table
    if not path.is_file():
        pytest.skip(f"{path} is not there: set MODELWAY_SHARED to the folder that holds data/{table}")
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "config.yaml").write_text(text.replace("PATH", str(path)))
    return folder


def test_adult_reaches_the_published_figures_and_scores_an_unknown_country(bench: Any, tmp_path: Path) -> None:
    project = declare(tmp_path / "adult", ADULT, "adult.csv.gz")
    outcome = bench.run(str(project))
    test = {s["metric"]: s for s in outcome["scores"] if s["phase"] == "test"}
    assert test["log_loss"]["support"] == 16_281
    assert test["log_loss"]["value"] <= 0.286
    assert test["auc"]["value"] >= 0.924
    row = "39,State-gov,77516,Bachelors,13,Never-married,Adm-clerical,Not-in-family,White,Male,2174,0,40"
    names = "age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex"
    head = f"{names},capital_gain,capital_loss,hours_per_week,native_country"
    asked = tmp_path / "rows.csv"
    asked.write_text("\n".join([head, *(f"{row},{country}" for country in ("Atlantis", "?", "", "Cuba"))]) + "\n")
    done = bench("score", "adult", str(asked), "--only-scores")
    assert done.code == 0, done.err
    unknown, marked, empty, known = map(float, done.out.splitlines()[1:])
    assert unknown == marked == empty  # an unseen country is a missing one, and '?' is missing here as in training
    assert known != unknown


def test_bike_reaches_the_published_figures_by_rolling_origin_and_keeps_a_final_fit(bench: Any, tmp_path: Path) -> None:
    project = declare(tmp_path / "bike", BIKE, "bike_hour.parquet")
    outcome = bench.run(str(project))
    test = {s["metric"]: s for s in outcome["scores"] if s["phase"] == "test"}
    assert test["mae"]["support"] == 5_000
    assert test["mae"]["value"] <= 0.049
    assert 0.001 < test["mae"]["std"] < 0.01
    assert test["rmse"]["value"] <= 0.075
    assert {"model[cv1]", "model[cv5]", "model[final]"} <= set(outcome["steps"])
    assert outcome["version"] == 1
