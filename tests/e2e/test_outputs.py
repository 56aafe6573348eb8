"""modelway outputs diff: two models on the same rows, in sum and row by row."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Two(NamedTuple):
    """A workspace in which ``shop`` has two versions."""

    bench: Any
    runs: tuple[str, str]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, shop_at: Any) -> Two:
    bench = shop_at(tmp_path_factory.mktemp("two"))
    return Two(bench, tuple(bench("run", "shop", *more, "--json").json["run"] for more in ((), ("model.sharpness=3",))))


def predictions(two: Two, which: int) -> dict[tuple[str, int], tuple[float, float]]:
    patch = pytest.MonkeyPatch()
    patch.setenv("MODELWAY_WORKSPACE", str(two.bench.root))
    import modelway

    found = {}
    for piece in modelway.open_run(two.runs[which])["predictions"].slices():
        for row, label, score in zip(piece.columns["row"], piece.label, piece.score, strict=True):
            found[piece.phase, int(row)] = (float(label), float(score))
    patch.undo()
    return found


def test_the_sums_and_rows_are_those_of_the_recorded_predictions(two: Two, tmp_path: Path) -> None:
    a, b = predictions(two, 0), predictions(two, 1)
    target = tmp_path / "rows.csv"
    told = two.bench("outputs", "diff", "shop@1", "shop@2", "--json", "--out", str(target)).json
    whole = told["sums"][0]
    apart = {key: abs(b[key][1] - a[key][1]) for key in a}
    assert whole["rows"] == len(a) == len(b)
    assert whole["mean_a"] == pytest.approx(sum(score for _, score in a.values()) / len(a))
    assert whole["mean_difference"] == pytest.approx(sum(apart.values()) / len(a))
    assert whole["largest_difference"] == pytest.approx(max(apart.values()))
    assert whole["differ"] == pytest.approx(sum(value > 1e-6 for value in apart.values()) / len(a))
    flips = [key for key in a if (a[key][1] >= 0.5) != (b[key][1] >= 0.5)]
    assert whole["flips"] == len(flips)
    first = told["rows"][0]
    assert (first["phase"], first["row"]) == max(apart, key=lambda key: (apart[key], -key[1]))
    assert {"visits", "device", "bought"} <= set(first)
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["phase"], int(row["row"])) for row in rows} == set(a)
    assert float(rows[-1]["difference"]) == pytest.approx(min(apart.values()), abs=1e-9)


def test_a_model_does_not_differ_from_itself(two: Two) -> None:
    told = two.bench("outputs", "diff", two.runs[0], "shop@1", "--json").json
    whole = told["sums"][0]
    assert (whole["differ"], whole["largest_difference"], whole["flips"]) == (0, 0, 0)
    assert (whole["pearson"], whole["spearman"], whole["psi"]) == (pytest.approx(1), pytest.approx(1), 0)
    assert "furthest apart" not in two.bench("outputs", "diff", two.runs[0], "shop@1").out


def test_both_score_the_rows_of_a_file_as_they_are_and_of_a_prepared_table_as_it_is(two: Two) -> None:
    recorded = two.bench("outputs", "diff", "shop@1", "shop@2", "--json", "--top", "400").json
    prepared = two.bench("outputs", "diff", "shop@1", "shop@2", "--data", "shop", "--json", "--top", "400").json
    assert prepared["sums"][0]["rows"] == 400
    known = {row["row"]: row["score A"] for row in recorded["rows"]}
    found = {row["row"]: row["score A"] for row in prepared["rows"]}
    assert all(found[row] == pytest.approx(score, abs=1e-9) for row, score in known.items())
    bench = two.bench
    file = bench("outputs", "diff", "shop@1", "shop@2", "--data", str(bench.root / "data/visits.csv"), "--json").json
    scored = list(csv.DictReader(bench("score", "shop@1", str(bench.root / "data/visits.csv")).out.splitlines()))
    mean = sum(float(row["score"]) for row in scored) / len(scored)
    assert file["sums"][0]["mean_a"] == pytest.approx(mean)
    assert file["rows"][0]["label"] in ("yes", "no")


def test_other_data_are_refused_unless_both_score_the_same_rows(two: Two, shop_at: Any, tmp_path: Path) -> None:
    bench = shop_at(tmp_path)
    bench.run("shop")
    text = (bench.root / "data/visits.csv").read_text().splitlines()
    bench.write("data/visits.csv", "\n".join(text[:300]) + "\n")
    bench("run", "shop")
    done = bench("outputs", "diff", "shop@1", "shop@2")
    assert done.code == 4
    assert "saw different data" in done.err
    assert "--data WHAT" in done.err
    assert bench("outputs", "diff", "shop@1", "shop@2", "--data", "shop:source").code == 0


def test_another_split_compares_the_rows_that_both_scored(bench: Any) -> None:
    bench.run("shop")
    bench("run", "shop", "split.test=0.4")
    told = bench("outputs", "diff", "shop@1", "shop@2", "--json").json
    whole = told["sums"][0]
    assert 0 < whole["rows"] < 400
    assert sum(told["only"]) > 0
    assert "scored by A only" in bench("outputs", "diff", "shop@1", "shop@2").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shop@9", "shop"], "no version '9'"),
        (["shop", "shop", "--columns", "visitss"], "Did you mean 'visits'"),
        (["shop", "shop", "--out", "rows.txt"], "neither .csv nor .parquet"),
        (["shop", "shop", "--data", "shop:model"], "not a table"),
    ],
)
def test_a_slip_is_answered_in_a_line(two: Two, words: list[str], said: str) -> None:
    done = two.bench("outputs", "diff", *words)
    assert done.code in (2, 4)
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
