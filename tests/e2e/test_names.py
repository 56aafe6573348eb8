"""modelway names: what breaks the convention is found with a good name, and bad names are not written."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_tree_that_follows_the_convention_has_no_offenders(bench: Any) -> None:
    bench.run("shop")
    bench("bundle", "shop@1")
    done = bench("names", "lint")
    assert (done.code, done.out) == (0, "Every name follows the convention.\n")


def test_seeded_offenders_are_found_each_with_its_place_and_a_good_name(bench: Any) -> None:
    (bench.root / "projects/shop/Data Sets").mkdir()
    bench.write("projects/shop/Data Sets/Visits May.CSV", "a\n1\n")
    bench.edit("projects/shop/conf/config.yaml", "  busy: {use: shifted", "  Busy Hours: {use: shifted")
    bench.edit("projects/shop/conf/config.yaml", "    pages: {type", "    PageCount: {type")
    (bench.root / ".modelway/bundles/shop/final").mkdir(parents=True)
    done = bench("names", "lint")
    assert done.code == 2
    assert done.out.rstrip().endswith("5 names break the convention.")
    found = bench("names", "lint", "--json")
    assert found.code == 2
    import json

    told = {(one["kind"], one["name"]): (one["proposal"], one["where"]) for one in json.loads(found.out)}
    config = "projects/shop/conf/config.yaml"
    lines = (bench.root / config).read_text().splitlines()
    at = {key: next(i for i, line in enumerate(lines, 1) if key in line) for key in ("PageCount", "Busy Hours")}
    assert told == {
        ("folder", "Data Sets"): ("data-sets", "projects/shop/Data Sets"),
        ("file", "Visits May.CSV"): ("visits-may.csv", "projects/shop/Data Sets/Visits May.CSV"),
        ("label", "Busy Hours"): ("busy-hours", f"{config}:{at['Busy Hours']}"),
        ("column", "PageCount"): ("page_count", f"{config}:{at['PageCount']}"),
        ("bundle", "final"): ("as 'modelway bundle' does", ".modelway/bundles/shop/final"),
    }


def test_a_proposal_that_is_taken_gets_a_number(bench: Any) -> None:
    for name in ("visits-may.csv", "Visits May.csv"):
        bench.write(f"data/{name}", "a\n1\n")
    done = bench("names", "lint", str(bench.root / "data"))
    assert "visits-may-2.csv" in done.out


@pytest.mark.parametrize(
    ("words", "proposal"),
    [
        (["My Project V2"], "my-project-v2"),
        (["Café Crème"], "cafe-creme"),
        (["already-good"], "already-good"),
        (["Monthly Income", "--kind", "column"], "monthly_income"),
        (["Train Data (1).CSV", "--kind", "file"], "train-data-1.csv"),
        (["MyPlugin.py", "--kind", "file"], "my_plugin.py"),
        (["README.md", "--kind", "file"], "README.md"),
        (["day=2026-01-31", "--kind", "folder"], "day=2026-01-31"),
    ],
)
def test_a_name_is_proposed_for_what_it_names(bench: Any, words: list[str], proposal: str) -> None:
    assert bench("names", "propose", *words).out == f"{proposal}\n"


def test_a_bad_name_is_refused_where_it_would_be_written(bench: Any) -> None:
    bench.run("shop")
    done = bench("promote", "shop@1", "--alias", "Best One")
    assert done.code == 2
    assert "Call it 'best-one'" in done.err
    done = bench("run", "shop", "project=My Shop")
    assert done.code == 2
    assert "Call it 'my-shop'" in done.err
