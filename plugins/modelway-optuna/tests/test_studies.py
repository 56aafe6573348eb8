"""Studies that are cut short, shared, added to, or hurt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from modelway_optuna.sweeper import Optuna

from modelway import Choices, ConfigError, Interval, ModelwayError
from modelway.testing import make_run

SPACE = {
    "rate": Interval(0.001, 0.3, log=True),
    "depth": Interval(2, 9, whole=True),
    "kind": Choices(("x", "y", "z")),
}
ERROR = {"test.error": True}


def error_of(values: Any) -> float:
    return abs(values["rate"] - 0.03) * 3 + abs(values["depth"] - 6) / 10 + (values["kind"] == "x") / 5


def sweep(folder: Path, sweeper: Optuna, *, most: int = 999, seed: int = 0, fails: Any = ()) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with sweeper.search(SPACE, ERROR, make_run(folder, seed=seed)) as search:
        while len(found) < most and (points := search.ask(1)):
            found.append(dict(points[0].values))
            search.tell(points[0], None if len(found) - 1 in fails else [error_of(points[0].values)])
    return found


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_studies import *
folder, sampler = Path(sys.argv[2]), sys.argv[3]
with Optuna(trials=20, sampler=sampler).search(SPACE, ERROR, make_run(folder)) as search:
    for _ in range(7):
        (point,) = search.ask(1)
        search.tell(point, [error_of(point.values)])
    search.ask(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_a_killed_sweep_makes_the_trials_of_an_undisturbed_one(tmp_path: Path, sampler: str) -> None:
    whole = sweep(tmp_path / "whole", Optuna(trials=20, sampler=sampler))
    cut = tmp_path / "cut"
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(cut), sampler]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert sweep(cut, Optuna(trials=20, sampler=sampler)) == whole[7:]
    assert len(whole) == 20
    assert sweep(cut, Optuna(trials=20, sampler=sampler)) == []


def test_another_seed_makes_other_trials(tmp_path: Path) -> None:
    one, two = (sweep(tmp_path / str(seed), Optuna(trials=3), seed=seed) for seed in (1, 2))
    assert one != two


def test_a_larger_number_of_trials_adds_the_difference(tmp_path: Path) -> None:
    whole = sweep(tmp_path / "whole", Optuna(trials=9))
    assert sweep(tmp_path / "grown", Optuna(trials=5)) == whole[:5]
    assert sweep(tmp_path / "grown", Optuna(trials=9)) == whole[5:]


def test_a_failed_trial_is_made_again_once_the_sweep_is_repeated(tmp_path: Path) -> None:
    first = sweep(tmp_path, Optuna(trials=6), fails={1, 4})
    assert len(first) == 6
    assert sweep(tmp_path, Optuna(trials=6), fails={0}) == [first[1], first[4]]
    assert sweep(tmp_path, Optuna(trials=7))[0] == first[1]
    assert sweep(tmp_path, Optuna(trials=7)) == []


def test_a_small_space_is_searched_whole_and_each_point_once(tmp_path: Path) -> None:
    space = {"depth": Choices((3, 4, 5), ordered=True), "rate": Choices((0.05, 0.1, 0.3))}
    samplers: tuple[Any, ...] = ("tpe", "random", "nsga2", "grid")
    for sampler in samplers:
        sweeper = Optuna(trials=40, sampler=sampler, startup=3, study=sampler)
        found = []
        with sweeper.search(space, ERROR, make_run(tmp_path)) as search:
            while points := search.ask(2):
                found += [tuple(sorted(point.values.items())) for point in points]
                for point in points:
                    search.tell(point, [point.values["rate"]])
        assert len(found) == len(set(found)) == 9, sampler


def test_tpe_finds_better_than_chance(tmp_path: Path) -> None:
    means = []
    samplers: tuple[Any, ...] = ("tpe", "random")
    for sampler in samplers:
        found = sweep(tmp_path / sampler, Optuna(trials=30, sampler=sampler))
        means.append(sum(map(error_of, found[-10:])) / 10)
    assert means[0] < means[1] * 0.75


def test_what_mattered_is_told(tmp_path: Path) -> None:
    space = {"much": Interval(0.0, 1.0), "little": Interval(0.0, 1.0)}
    with Optuna(trials=20).search(space, {"auc": False}, make_run(tmp_path)) as search:
        while points := search.ask(1):
            if points[0].number == 3:
                assert search.importances() == {}
            search.tell(points[0], [points[0].values["much"] + points[0].values["little"] / 20])
        shares = search.importances()
    assert shares["much"] > 0.8
    assert all(type(share) is float for share in shares.values())


def test_values_come_back_as_they_were_listed(tmp_path: Path) -> None:
    space = {
        "mixed": Choices((1, 1.0, True, "1", None)),
        "lists": Choices((["a", "b"], {"c": 1})),
        "scale": Choices((0.1, 0.2, 0.3, 0.7), ordered=True),
        "even": Choices((0.1, 0.2, 0.3), ordered=True),
        "steps": Choices((2, 5, 8), ordered=True),
    }
    with Optuna(trials=60, sampler="random").search(space, ERROR, make_run(tmp_path)) as search:
        for point in search.ask(60):
            for key, value in point.values.items():
                assert any(type(value) is type(o) and value == o for o in space[key].values), (key, value)


def test_numbers_of_an_interval_can_be_read_and_typed(tmp_path: Path) -> None:
    space = {
        "rate": Interval(0.0001, 0.3, log=True),
        "share": Interval(0.5, 1.0),
        "narrow": Interval(1000.0, 1000.001),
        "fixed": Interval(0.1, 0.1),
    }
    with Optuna(trials=30, sampler="random").search(space, ERROR, make_run(tmp_path)) as search:
        points = search.ask(30)
    for key, most in (("rate", 11), ("share", 8), ("narrow", 14), ("fixed", 3)):
        assert max(len(f"{point.values[key]!r}") for point in points) <= most
        assert all(space[key].low <= point.values[key] <= space[key].high for point in points)
        assert len({point.values[key] for point in points}) == (1 if key == "fixed" else 30)


@pytest.mark.parametrize("what", ["space", "objectives"])
def test_a_study_of_something_else_is_refused(tmp_path: Path, what: str) -> None:
    sweep(tmp_path, Optuna(trials=1, study="mine"))
    space = {**SPACE, "kind": Choices(("x", "y"))} if what == "space" else SPACE
    objectives = {"test.auc": False} if what == "objectives" else ERROR
    with (
        pytest.raises(ConfigError, match="'mine' has another") as told,
        Optuna(study="mine").search(space, objectives, make_run(tmp_path)),
    ):
        pass
    assert ("kind" if what == "space" else "test.auc") in str(told.value)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"a": Interval(0.0, 1.0, log=True)}, "must start above 0"),
        ({"a": Interval(0.2, 0.8, whole=True)}, "holds no whole number"),
        ({"a": Choices(())}, "no values"),
        ({}, "nothing to search"),
    ],
)
def test_a_space_without_values_is_refused(tmp_path: Path, space: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Optuna().search(space, ERROR, make_run(tmp_path))


def test_a_grid_of_fractions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no end of values"):
        Optuna(sampler="grid").search(SPACE, ERROR, make_run(tmp_path))


def test_a_study_is_no_path(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="cannot be named"),
        Optuna(study="../x").search(SPACE, ERROR, make_run(tmp_path)),
    ):
        pass


def test_a_line_that_a_full_disk_tore_costs_that_line_only(tmp_path: Path) -> None:
    whole = sweep(tmp_path / "whole", Optuna(trials=6))
    sweep(tmp_path / "torn", Optuna(trials=4))
    (log,) = (tmp_path / "torn/.modelway/studies").glob("*.log")
    log.write_bytes(log.read_bytes()[:-9])
    from modelway_optuna import studies

    studies._opened.cache_clear()
    assert sweep(tmp_path / "torn", Optuna(trials=6)) == whole[3:]


def test_a_database_keeps_studies_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIES", f"sqlite:///{tmp_path}/studies.db")
    sweeper = Optuna(trials=5, storage="env:STUDIES")
    whole = sweep(tmp_path / "whole", Optuna(trials=5))
    assert sweep(tmp_path, sweeper, most=2) == whole[:2]
    assert sweep(tmp_path, sweeper) == whole[2:]


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    sweeper = Optuna(storage=f"sqlite:///{tmp_path}/absent/studies.db")
    with pytest.raises(ModelwayError, match="does not answer"), sweeper.search(SPACE, ERROR, make_run(tmp_path)):
        pass


def test_what_goes_wrong_beside_the_study_keeps_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match="^no launcher$"), Optuna().search(SPACE, ERROR, make_run(tmp_path)):
        raise ImportError("no launcher")


def test_several_objectives_are_each_taken_in_their_own_direction(tmp_path: Path) -> None:
    space = {"x": Interval(0.0, 1.0), "y": Interval(0.0, 1.0)}
    objectives = {"test.auc": False, "cost": True}
    late = []
    with Optuna(trials=40, pruner="median").search(space, objectives, make_run(tmp_path)) as search:
        while points := search.ask(1):
            (point,) = points
            assert search.watch(point) is None
            # y serves both: the larger, the better
            search.tell(point, [point.values["y"] + point.values["x"], point.values["x"] - point.values["y"]])
            late.append(point.values["y"])
        assert search.importances().keys() == {"x", "y"}
    assert sum(late[-15:]) / 15 > 0.7


def test_a_resumed_process_opens_what_another_one_wrote_meanwhile(tmp_path: Path) -> None:
    with Optuna(trials=4).search(SPACE, ERROR, make_run(tmp_path)) as search:
        (point,) = search.ask(1)
        search.tell(point, [1.0])
        code = "import sys; sys.path.insert(0, sys.argv[1]); from test_studies import *\n"
        code += "print(len(sweep(Path(sys.argv[2]), Optuna(trials=3))))"
        command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
        made = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
        assert made.stdout.strip() == "2"
        assert len(search.ask(5)) == 1
