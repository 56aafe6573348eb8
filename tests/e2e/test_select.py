"""``--from``, ``--to``, ``--only``, ``--force``: which steps a run is made of, and what is said if it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

ALL = [
    "source",
    "prepare",
    "checks",
    "split",
    "features",
    "model",
    "predictions",
    "metrics",
    "gates",
    "scoring",
    "package",
]


def steps(bench: Any, *words: str) -> dict[str, str]:
    """Run, and return each step's status."""
    return {name: step["status"] for name, step in bench.run(*words)["steps"].items()}


def test_to_stops_after_a_step_and_the_next_run_goes_on_from_there(bench: Any) -> None:
    assert steps(bench, "shop", "--to", "split") == dict.fromkeys(ALL[:4], "ran")
    assert bench("models", "--json").json == []
    rest = steps(bench, "shop")
    assert [name for name in ALL if rest[name] == "ran"] == ALL[4:]


def test_from_takes_what_comes_before_from_the_store(bench: Any) -> None:
    bench.run("shop")
    assert steps(bench, "shop", "--from", "model", "--force") == {
        **dict.fromkeys(ALL[5:], "ran"),
        **{n: "cached" for n in ALL[:5] if n in steps(bench, "shop", "--from", "model")},
    }
    assert set(steps(bench, "shop", "--from", "model")) >= set(ALL[5:])


def test_a_stage_is_as_good_a_word_as_its_key(bench: Any) -> None:
    bench.run("shop")
    assert bench.marks("shop", "--only", "train") == bench.marks("shop", "--only", "model")


def test_only_runs_one_step(bench: Any) -> None:
    bench.run("shop")
    found = bench.run("shop", "--only", "metrics", "--force")
    assert found["ran"] == {"metrics"}
    assert found["version"] is None


def test_force_computes_anew_what_is_there_and_comes_to_the_same(bench: Any) -> None:
    first = bench.run("shop")
    forced = bench.run("shop", "--force")
    assert forced["ran"] == set(ALL)
    assert {n: s["digest"] for n, s in forced["steps"].items()} == {n: s["digest"] for n, s in first["steps"].items()}
    assert forced["version"] == first["version"]
    assert bench.run("shop")["ran"] == set()


@pytest.mark.parametrize("words", [("--from", "model"), ("--only", "metrics"), ("--from", "split", "--to", "features")])
def test_what_must_be_there_and_is_not_is_named(bench: Any, words: tuple[str, ...]) -> None:
    done = bench("run", "shop", *words)
    assert done.code == 2
    assert "comes before what was asked for" in done.err
    assert bench("run", "shop").code == 0


def test_what_comes_before_and_has_changed_is_not_taken_stale(bench: Any) -> None:
    bench.run("shop")
    done = bench("run", "shop", "--from", "model", "features.centre.times=5")
    assert done.code == 2
    assert "'features'" in done.err
    assert "features.centre.times 1.0 -> 5.0" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "modl"), "Did you mean 'model'"),
        (("--only", "model", "--to", "model"), "--only goes with neither"),
        (("--from", "gates", "--to", "split"), "gates"),
    ],
)  # fmt: skip
def test_a_selection_that_means_nothing_is_refused(bench: Any, words: tuple[str, ...], said: str) -> None:
    bench.run("shop")
    done = bench("run", "shop", *words)
    assert done.code == 2, done.out
    assert said in done.err
