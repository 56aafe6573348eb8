"""What no component can see alone is checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from modelway import Gate, Metric, Reason, Schema, Source, Splitter, Trainer, param
from modelway.config import resolve
from modelway.errors import ConfigError
from modelway.experiment import Experiment, Settings, locate, locator
from modelway.plugins import Plugins


class Any1:
    """What every stage's method of these tests would do."""

    def version(self, run: Any) -> str:
        return ""

    def load(self, run: Any) -> Any: ...
    def split(self, table: Any, run: Any) -> Any: ...
    def fit(self, split: Any, run: Any) -> Any: ...
    def measure(self, predictions: Any, run: Any) -> Any: ...
    def decide(self, scores: Any, champion: Any, run: Any) -> Reason: ...  # type: ignore[empty-body]


@dataclass(frozen=True, kw_only=True)
class Here(Any1, Source, name="here"): ...


@dataclass(frozen=True, kw_only=True)
class Cut(Any1, Splitter, name="cut"): ...


@dataclass(frozen=True, kw_only=True)
class Two(Any1, Trainer, name="two"):
    tasks: ClassVar[tuple[str, ...]] = ("binary",)


@dataclass(frozen=True, kw_only=True)
class Hits(Any1, Metric, name="hits"): ...


@dataclass(frozen=True, kw_only=True)
class Least(Any1, Gate, name="least"):
    metric: str = param(..., "Metric to look at.")


SCHEMA = {
    "columns": {
        "a": {"type": "number"},
        "y": {"type": "category", "role": "target", "values": ["n", "p"], "positive": "p"},
    }
}


def experiment(
    schema: Mapping[str, Any] = SCHEMA, origin: Mapping[str, str] | None = None, task: Any = "binary", **change: Any
) -> Experiment:
    components: dict[str, Any] = {"acquire": {"here": Here()}, "split": {"cut": Cut()}, "train": {"two": Two()}}
    components |= {"evaluate": {"share": Hits()}, **change}
    config = {"model": {"use": "two"}, "gates": {"good": {"use": "least"}}, "metrics": {"share": {"use": "hits"}}}
    return Experiment(
        Settings(project="shop", task=task), Schema.of(schema), components, config, origin or {}, Path("/shop")
    )


def test_a_whole_experiment_passes() -> None:
    experiment(gate={"good": Least(metric="share")}).check()
    experiment(gate={"good": Least(metric="share.of_all")}).check()


@pytest.mark.parametrize(
    ("stage", "key"), [("acquire", "source"), ("split", "split"), ("train", "model"), ("evaluate", "metrics")]
)
def test_a_stage_that_is_missing_is_told_by_its_key(stage: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"declares no '{key}' \(/shop/conf/config.yaml\).*Add '{key}: "):
        experiment(**{stage: {}}).check()


def test_a_task_that_the_trainer_cannot_do_is_told_where_it_was_chosen() -> None:
    made = experiment(task="regression", origin={"model": "conf/config.yaml:4", "model.use": "conf/config.yaml:5"})
    with pytest.raises(ConfigError, match=r"'two' cannot do a regression task \(conf/config.yaml:4\). It does binary"):
        made.check()


def test_a_gate_on_a_metric_that_nobody_measures_is_told_with_the_nearest() -> None:
    made = experiment(gate={"good": Least(metric="shares")}, origin={"gates.good.metric": "conf/config.yaml:9"})
    with pytest.raises(ConfigError, match=r"Gate 'good' asks for metric 'shares'.*config.yaml:9.*Did you mean 'share'"):
        made.check()


def test_two_columns_of_weights_are_refused() -> None:
    columns = {
        **SCHEMA["columns"],
        "v": {"type": "number", "role": "weight"},
        "w": {"type": "number", "role": "weight"},
    }
    with pytest.raises(ConfigError, match="weight"):
        experiment({"columns": columns}).check()


def test_a_components_key_has_its_label_where_there_are_labels() -> None:
    made = experiment()
    assert made.key("train", "two") == "model"
    assert made.key("gate", "good") == "gates.good"
    assert made.one("train") == Two()
    assert made.one("package") is None
    assert [(stage, label) for stage, label, _ in made.items()] == [
        ("acquire", "here"), ("split", "cut"), ("train", "two"), ("evaluate", "share"),
    ]  # fmt: skip


def test_a_key_without_a_place_of_its_own_is_told_by_what_is_nearest() -> None:
    origin = {"model": "a:1", "model.extra.depth": "a:3", "features.scale.columns.0": "b:2"}
    assert locate(origin, "model.rounds") == "a:1"
    assert locate(origin, "model.extra") == "a:3"
    assert locate(origin, "nothing.here") == ""
    assert locator(origin)("features.scale.columns[0]") == "b:2"


def test_every_wrong_shape_of_a_stage_is_refused(tmp_path: Path) -> None:
    plugins = Plugins(only=[])
    base = {"project": "shop", "task": "binary"}

    def refused(match: str, **config: Any) -> None:
        with pytest.raises(ConfigError, match=match):
            resolve({**base, **config}, {}, tmp_path, [], plugins)

    refused("'compute' is 'inline', and must be a mapping.*Write 'compute: {use: ...}'", compute="inline")
    refused("'compute.big' does not say which component it is.*Known here: inline", compute={"big": {"workers": 2}})
    refused("'compute' has 2 components, and takes one", compute={"a": {"use": "inline"}, "b": {"use": "inline"}})
    refused("'compute.use' is required", compute={"use": "???"})
    refused("Unknown key 'computes'.*Did you mean 'compute'", computes={"use": "inline"})
    refused("must be one of binary, multiclass, regression", task="binry")


def test_a_label_that_is_switched_off_is_left_out(tmp_path: Path) -> None:
    config = {"project": "shop", "task": "binary", "compute": {"a": None, "b": {"use": "inline"}}}
    assert list(resolve(config, {}, tmp_path, [], Plugins(only=[])).all("compute")) == ["b"]
