"""explain-change: each kind of change between two runs is told for what it is, and where it began."""

from __future__ import annotations

from typing import Any

PLUGIN = "projects/shop/plugin.py"


def explained(bench: Any, before: str, after: str) -> dict[str, Any]:
    return dict(bench("explain-change", before, after, "--json").json)


def run(bench: Any, *words: str) -> str:
    return str(bench("run", "shop", "--to", "metrics", *words, "--json").json["run"])


def test_changed_data_are_the_cause_and_the_column_that_moved_comes_first(bench: Any) -> None:
    before = run(bench)
    place = bench.root / "data/visits.csv"
    lines = place.read_text().splitlines()
    at = lines[0].split(",").index("minutes")
    rows = [line.split(",") for line in lines[1:]]
    for row in rows:
        row[at] = str(float(row[at]) + 5) if row[at] else row[at]
    bench.write("data/visits.csv", "\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n")
    found = explained(bench, before, run(bench))
    assert [cause["kind"] for cause in found["causes"]] == ["data"]
    assert found["causes"][0]["columns"][0]["column"] == "minutes"
    assert found["verdict"] in ("data", "nothing")


def test_a_changed_key_is_the_cause(bench: Any) -> None:
    found = explained(bench, run(bench), run(bench, "features.centre.times=0.2"))
    assert [(c["kind"], c["step"]) for c in found["causes"]] == [("config", "features")]
    assert found["causes"][0]["what"].startswith("features.centre.times")
    assert found["verdict"] in ("config", "nothing")


def test_changed_code_is_the_cause(bench: Any) -> None:
    before = run(bench)
    bench.edit(PLUGIN, "1e-3", "1e-1")
    found = explained(bench, before, run(bench))
    assert {cause["kind"] for cause in found["causes"]} == {"code"}
    reached = [cause["step"] for cause in found["causes"] if cause["reached"]]
    assert "model" in reached
    assert found["verdict"] in ("code", "nothing")


def test_another_seed_is_chance(bench: Any) -> None:
    found = explained(bench, run(bench), run(bench, "seed=11"))
    assert {cause["kind"] for cause in found["causes"]} == {"chance"}
    assert found["verdict"] == "chance"


def test_nothing_moves_between_equal_runs(bench: Any) -> None:
    found = explained(bench, run(bench), run(bench))
    assert (found["verdict"], found["causes"]) == ("nothing", [])
