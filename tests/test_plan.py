"""The plan says what would run and which change is the reason, from what is declared and recorded alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from modelway import (
    Check,
    Feature,
    Gate,
    Metric,
    Packager,
    Preparer,
    Reason,
    RowPreparer,
    Schema,
    Source,
    Splitter,
    Trainer,
    knob,
    param,
)
from modelway.errors import ConfigError
from modelway.experiment import Experiment, Settings
from modelway.fingerprint import StatCache, digest
from modelway.plan import History, Plan, Select, fingerprint_of, identity, make
from modelway.store import Manifest


def never(*arguments: Any) -> Any:
    raise AssertionError("a plan computes nothing")


@dataclass(frozen=True, kw_only=True)
class Data(Source, name="data"):
    path: str = param("a.csv", "Path.")
    version = load = never


@dataclass(frozen=True, kw_only=True)
class Join(Preparer, name="join"):
    by: str = param("id", "Key.")
    prepare = never


@dataclass(frozen=True, kw_only=True)
class Row(RowPreparer, name="row"):
    apply = never


@dataclass(frozen=True, kw_only=True)
class Rules(Check, name="rules"):
    check = never


@dataclass(frozen=True, kw_only=True)
class Cut(Splitter, name="cut"):
    folds: int = param(0, "Folds.")
    split = never

    def fold_names(self) -> tuple[str, ...]:
        return (*(f"cv{i + 1}" for i in range(self.folds)), "final") if self.folds else ("holdout",)


@dataclass(frozen=True, kw_only=True)
class Scale(Feature, name="scale"):
    by: float = param(1.0, "Factor.")
    apply = never


@dataclass(frozen=True, kw_only=True)
class Trees(Trainer, name="trees"):
    libraries: ClassVar[tuple[str, ...]] = ("forestry",)
    depth: int = param(6, "Depth.")
    threads: int = knob(0, "Threads.")
    fit = never


@dataclass(frozen=True, kw_only=True)
class Hits(Metric, name="hits"):
    cut: float = param(0.5, "Cut.")
    measure = never


@dataclass(frozen=True, kw_only=True)
class Better(Gate, name="better"):
    needs_champion: ClassVar[bool] = True
    by: float = param(0.0, "Margin.")

    def decide(self, scores: Any, champion: Any, run: Any) -> Reason:
        return never()


@dataclass(frozen=True, kw_only=True)
class Box(Packager, name="box"):
    title: str = param("", "Title.")
    package = never


COLUMNS: dict[str, Any] = {
    "a": {"type": "number"},
    "y": {"type": "category", "role": "target", "values": ["n", "p"], "positive": "p"},
}
WHOLE: dict[str, dict[str, Any]] = {
    "acquire": {"data": Data()},
    "prepare": {"row": Row()},
    "validate": {"rules": Rules()},
    "split": {"cut": Cut()},
    "features": {"one": Scale(), "two": Scale(by=2.0)},
    "train": {"trees": Trees()},
    "evaluate": {"hits": Hits()},
    "gate": {"better": Better()},
    "package": {"box": Box()},
}
KEYS = {
    "source": {"use": "data"},
    "prepare": {"row": {"use": "row"}},
    "checks": {"rules": {"use": "rules"}},
    "split": {"use": "cut"},
    "features": {"one": {"use": "scale"}, "two": {"use": "scale"}},
    "model": {"use": "trees"},
    "metrics": {"hits": {"use": "hits"}},
    "gates": {"better": {"use": "better"}},
    "package": {"use": "box"},
}
STEPS = [
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


def declared(
    columns: Mapping[str, Any] = COLUMNS, settings: Mapping[str, Any] | None = None, **change: Any
) -> Experiment:
    made = Settings(**{"project": "shop", "task": "binary", **(settings or {})})
    return Experiment(made, Schema.of({"columns": columns}), {**WHOLE, **change}, KEYS, {}, Path())


class Code(StatCache):
    """Tells the code of every module to be what a test wants."""

    now = "c1"

    def get(self, what: str, path: Path, compute: Any) -> Any:
        return {"digest": self.now, "imports": []}


@dataclass
class World:
    """What is on record, and a run that computes a plan's outputs from its inputs, with no engine."""

    store: dict[str, Manifest] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=lambda: {"source": "v1"})
    versions: dict[str, str] = field(default_factory=lambda: {"forestry": "1.0"})
    code: Code = field(default_factory=Code)
    champion: dict[str, Any] | None = None
    predecessor: dict[str, Any] | None = None
    constant: set[str] = field(default_factory=set)  # steps whose output stays the same whatever goes in

    def plan(self, experiment: Experiment, **more: Any) -> Plan:
        history = History(
            self.store.get,
            dict(self.last),
            self.data,
            lambda name: self.versions[name],
            self.code,
            self.champion,
            self.predecessor,
        )
        return make(experiment, history, **more)

    def run(self, experiment: Experiment, **more: Any) -> Plan:
        plan, known = self.plan(experiment, **more), dict[str, str | None]()
        for planned in plan.steps:
            step = planned.step
            inputs = {name: known[name] for name in step.inputs}
            fingerprint = fingerprint_of(planned.ingredients, inputs)
            if fingerprint not in self.store:
                content = digest([step.name] if step.name in self.constant else [planned.ingredients, inputs])
                facts = {"ingredients": {**planned.ingredients, "inputs": inputs}, "cost": {"wall": 1.5}}
                self.store[fingerprint] = Manifest(fingerprint, step.stage, {"x": (content, 1)}, facts)
            known[step.name] = identity(step, self.store[fingerprint])
            self.last[step.name] = fingerprint
        return plan

    def marks(self, experiment: Experiment, **more: Any) -> dict[str, str]:
        return {p.step.name: p.mark for p in self.plan(experiment, **more).steps}

    def reasons(self, experiment: Experiment) -> dict[str, str]:
        return {p.step.name: p.reason for p in self.plan(experiment).steps if p.mark != "="}

    def output(self, name: str) -> str:
        return self.store[self.last[name]].digest


@pytest.fixture
def world() -> World:
    made = World()
    made.run(declared())
    return made


def test_a_first_plan_is_all_new_and_a_second_all_there() -> None:
    world = World()
    assert world.marks(declared()) == dict.fromkeys(STEPS, "+")
    assert not world.plan(declared()).idle
    world.run(declared())
    again = world.plan(declared())
    assert again.idle
    assert again.effects == ()
    assert [p.seconds for p in again.steps] == [1.5] * len(STEPS)


CHANGES: dict[str, tuple[dict[str, Any], str, str, set[str]]] = {
    "a source": ({"acquire": {"data": Data(path="b.csv")}}, "source", "source.path a.csv -> b.csv", set()),
    "a split": (
        {"split": {"cut": Cut(folds=0)}, "settings": {"seed": 1}},
        "split",
        "seed 0 -> 1",
        {"source", "prepare", "checks"},
    ),
    "a parameter": (
        {"train": {"trees": Trees(depth=8)}},
        "model",
        "model.depth 6 -> 8",
        {"source", "split", "features"},
    ),
    "one of several": (
        {"features": {"one": Scale(), "two": Scale(by=3.0)}},
        "features",
        "features.two.by 2.0 -> 3.0",
        {"source", "split"},
    ),
    "a component more": (
        {"features": {**WHOLE["features"], "three": Scale()}},
        "features",
        "features.three added",
        {"source", "split"},
    ),
    "a component less": ({"features": {"one": Scale()}}, "features", "features.two removed", {"source", "split"}),
    "a metric": (
        {"evaluate": {"hits": Hits(cut=0.7)}},
        "metrics",
        "metrics.hits.cut 0.5 -> 0.7",
        {"model", "predictions", "scoring"},
    ),
    "a gate": (
        {"gate": {"better": Better(by=0.1)}},
        "gates",
        "gates.better.by 0.0 -> 0.1",
        {"model", "metrics", "scoring"},
    ),
    "a packager": ({"package": {"box": Box(title="x")}}, "package", "package.title  -> x", {"scoring", "gates"}),
    "a bound": (
        {"columns": {**COLUMNS, "a": {"type": "number", "max": 5}}},
        "checks",
        "max",
        {"source", "split", "model"},
    ),
    "a type": ({"columns": {**COLUMNS, "a": {"type": "integer"}}}, "source", "types.a number -> integer", set()),
    "the phases": (
        {"settings": {"phases": ("test",)}},
        "predictions",
        "phases ['valid', 'test'] -> ['test']",
        {"model", "scoring"},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_the_reason_where_it_counts_and_nowhere_else(world: World, what: str) -> None:
    change, step, reason, spared = CHANGES[what]
    plan = {p.step.name: p for p in world.plan(declared(**change)).steps}
    assert plan[step].mark == "~"
    assert reason in plan[step].reason
    assert {name for name in spared if plan[name].mark != "="} == set()
    later = STEPS[STEPS.index(step) + 1 :]
    assert all(plan[name].mark in "=?~" for name in later)


def test_new_data_code_and_libraries_are_reasons_too(world: World) -> None:
    world.data = {"source": "v2"}
    assert world.reasons(declared())["source"] == "data"
    world.data = {"source": "v1"}
    world.versions = {"forestry": "2.0"}
    assert world.reasons(declared())["model"] == "library forestry 1.0 -> 2.0"
    assert "features" not in world.reasons(declared())
    world.versions = {"forestry": "1.0"}
    world.code.now = "c2"
    assert {reason.partition(" ")[0] for reason in world.reasons(declared()).values()} <= {"code", "if"}


def test_what_cannot_change_a_result_is_no_reason(world: World) -> None:
    assert world.plan(declared(train={"trees": Trees(threads=4)})).idle
    described = {**COLUMNS, "a": {"type": "number", "description": "Of the visits."}}
    assert set(world.reasons(declared(described))) <= {"package"}
    assert world.plan(declared(settings={"tags": {"a": 1}, "owners": ("me",)})).idle


def test_features_in_another_order_are_other_features(world: World) -> None:
    turned = declared(features={"two": Scale(by=2.0), "one": Scale()})
    plan = {p.step.name: p for p in world.plan(turned).steps}
    assert plan["features"].mark == "~"
    assert "order" in plan["features"].reason
    assert plan["split"].mark == "="


def test_a_step_after_a_changed_one_waits_for_what_comes_out(world: World) -> None:
    changed = declared(split={"cut": Cut()}, settings={"seed": 1})
    marks = world.marks(changed)
    assert marks["split"] == "~"
    assert marks["features"] == "?"
    plan = {p.step.name: p for p in world.plan(changed).steps}
    assert plan["predictions"].reason.startswith("if split or ")
    assert plan["predictions"].fingerprint is None


def test_an_equal_output_lets_everything_after_it_be(world: World) -> None:
    constant = World(constant={"prepare"})
    constant.run(declared())
    constant.data = {"source": "v2"}
    assert constant.marks(declared())["split"] == "?"
    before = dict(constant.last)
    constant.run(declared())
    assert {name for name in before if before[name] != constant.last[name]} == {"source", "prepare"}
    assert constant.plan(declared()).idle


def test_code_counts_after_an_equal_output_where_the_output_is_applied_by_it() -> None:
    """A fitted state may stay the same while the code that applies it does not."""
    world = World(constant={"features", "model"})
    world.run(declared())
    before = dict(world.last)
    world.code.now = "c2"
    world.run(declared())
    assert before["predictions"] != world.last["predictions"]


def test_what_was_deleted_from_the_store_runs_again(world: World) -> None:
    del world.store[world.last["model"]]
    assert world.marks(declared())["model"] == "+"
    assert world.marks(declared())["features"] == "="


def test_going_back_finds_what_was_there_before(world: World) -> None:
    world.run(declared(train={"trees": Trees(depth=8)}))
    assert world.plan(declared()).idle


def test_many_changes_are_told_in_short(world: World) -> None:
    columns = {**COLUMNS, **{f"b{i}": {"type": "number"} for i in range(6)}}
    reason = world.reasons(declared(columns))["source"]
    assert reason.endswith("and 3 more")
    assert reason.startswith("types.b0 unset -> number, ")


def test_force_runs_what_is_selected_though_it_is_there(world: World) -> None:
    marks = {
        p.step.name: (p.mark, p.reason)
        for p in world.plan(declared(), force=True, select=Select("model", "model")).steps
    }
    assert marks["model"] == ("~", "forced")
    assert marks["features"] == ("=", "")
    assert "predictions" not in marks


# Folds


def test_each_fold_has_steps_of_its_own_and_the_last_is_kept_unscored() -> None:
    plan = World().plan(declared(split={"cut": Cut(folds=2)}))
    names = [p.step.name for p in plan.steps]
    assert names[4:] == [
        "features[cv1]", "model[cv1]", "predictions[cv1]", "features[cv2]", "model[cv2]", "predictions[cv2]",
        "features[final]", "model[final]", "metrics", "gates", "scoring", "package",
    ]  # fmt: skip
    steps = {p.step.name: p.step for p in plan.steps}
    assert steps["metrics"].inputs == ("predictions[cv1]", "predictions[cv2]")
    assert steps["scoring"].inputs == ("split", "features[final]", "model[final]", "prepare")
    assert steps["model[cv2]"].fold == "cv2"


def test_two_folds_never_share_a_step() -> None:
    world = World(constant={"split"})
    world.run(declared(split={"cut": Cut(folds=2)}))
    found = [world.last[f"model[{fold}]"] for fold in ("cv1", "cv2", "final")]
    assert len(set(found)) == 3


# The champion


def champion(world: World, number: int = 1) -> dict[str, Any]:
    return {"number": number, "model": world.output("scoring"), "metrics": "scores of it"}


def test_a_challenger_is_compared_with_the_champion_on_its_own_rows(world: World) -> None:
    world.champion = champion(world)
    plan = {p.step.name: p for p in world.plan(declared(train={"trees": Trees(depth=8)})).steps}
    assert plan["champion"].step.own["model"] == world.champion["model"]
    assert plan["gates"].step.inputs == ("metrics", "champion")


def test_the_champion_is_not_judged_against_itself(world: World) -> None:
    world.champion = champion(world)
    assert world.plan(declared()).idle
    assert "champion" not in world.marks(declared())


def test_a_champion_is_compared_with_whom_it_took_over_from(world: World) -> None:
    first = champion(world)
    better = declared(train={"trees": Trees(depth=8)})
    world.champion = first
    world.run(better)
    world.champion, world.predecessor = champion(world, 2), first
    plan = world.plan(better)
    assert plan.idle
    assert next(p.step for p in plan.steps if p.step.name == "champion").own["model"] == first["model"]


def test_gates_that_need_no_champion_compute_none(world: World) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Floor(Better, name="floor"):
        needs_champion: ClassVar[bool] = False

    world.champion = champion(world)
    assert "champion" not in world.marks(declared(gate={"floor": Floor()}, train={"trees": Trees(depth=9)}))


def test_what_a_run_moves_is_told_beforehand(world: World) -> None:
    assert World().plan(declared()).effects == ("shop@champion is set to the new version, if its gates pass",)
    world.champion = champion(world)
    other = declared(train={"trees": Trees(depth=8)})
    assert world.plan(other).effects == ()
    auto = replace(other, settings=replace(other.settings, promote="auto"))
    assert world.plan(auto).effects == ("shop@champion moves from version 1 to the new one, if its gates pass",)


# Selection


def test_a_part_of_the_steps_can_be_selected_by_name_or_stage(world: World) -> None:
    def steps(start: str = "", end: str = "") -> list[str]:
        return [p.step.name for p in world.plan(declared(), select=Select(start, end)).steps]

    assert steps(end="split") == ["source", "prepare", "checks", "split"]
    assert steps(end="train")[-1] == "model"
    assert steps(start="gates") == [*STEPS[:2], *STEPS[3:]]
    assert "checks" not in steps(start="features", end="model")


def test_what_comes_before_a_selection_must_be_there(world: World) -> None:
    with pytest.raises(ConfigError, match=r"Step 'features' comes before.*features.one.by.*start from 'features'"):
        world.plan(declared(features={"one": Scale(by=9.0), "two": Scale(by=2.0)}), select=Select("model", "model"))
    with pytest.raises(ConfigError, match="No step is called 'modle'. Did you mean 'model'"):
        world.plan(declared(), select=Select("modle"))


def test_sources_without_a_join_are_refused() -> None:
    two = {"left": Data(), "right": Data()}
    with pytest.raises(ConfigError, match="several sources and no 'prepare'"):
        World().plan(declared(acquire=two, prepare={}))
    names = [p.step.name for p in World().plan(declared(acquire=two, prepare={"join": Join()})).steps]
    assert names[:3] == ["source.left", "source.right", "prepare"]


def test_a_plan_is_told_as_text_and_as_plain_values(world: World) -> None:
    plan = world.plan(declared(train={"trees": Trees(depth=8)}))
    lines = str(plan).splitlines()
    assert lines[0] == "= source"
    assert "~ model                model.depth 6 -> 8" in lines
    told = {row["step"]: row for row in plan.plain()["steps"]}
    assert told["model"]["use"] == ["trees"]
    assert told["source"]["digest"] == world.output("source")
    assert told["predictions"]["digest"] is None
