"""Composition: which file wins, where each value came from, and that nothing stale is ever taken from the cache."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelway import plugins as plugins_module
from modelway.config import compose
from modelway.config.trials import Frozen
from modelway.errors import ConfigError, PluginError
from modelway.experiment import Experiment
from modelway.plugins import Plugins
from modelway.search import Choices, Interval
from modelway.workspace import Workspace

OFFERS = """
from dataclasses import dataclass
from modelway import Compute, Feature, Metric, Scores, Trainer, hookimpl, param

@dataclass(frozen=True, kw_only=True)
class Trees(Trainer, name="trees"):
    depth: int = param(6, "Depth.", at_least=1)
    eta: float = param(0.1, "Rate.")
    def fit(self, split, run): ...

@dataclass(frozen=True, kw_only=True)
class Linear(Trainer, name="linear"):
    penalty: float = param(1.0, "Penalty.")
    def fit(self, split, run): ...

@dataclass(frozen=True, kw_only=True)
class Scale(Feature, name="scale"):
    columns: tuple[str, ...] = param((), "Columns.")
    by: float = param(1.0, "Factor.")
    def apply(self, state, columns): return columns

@dataclass(frozen=True, kw_only=True)
class Clip(Feature, name="clip"):
    columns: tuple[str, ...] = param((), "Columns.")
    high: float = param(1.0, "Bound.")
    def apply(self, state, columns): return columns

@dataclass(frozen=True, kw_only=True)
class Hits(Metric, name="hits"):
    cut: float = param(0.5, "Cut.")
    def measure(self, predictions, run): return Scores.of(1.0)
"""

CONFIG = """\
defaults: [base, _self_]

project: shop
task: binary

model:
  use: trees
  depth: 3
features:
  first: {use: scale, columns: [a, b], by: 2.0}
metrics:
  hits: {use: hits}
"""


@dataclass
class Place:
    """A workspace with one project, whose components are in its ``plugin.py``."""

    root: Path

    @property
    def project(self) -> Path:
        return self.root / "projects" / "shop"

    def write(self, path: str, text: str) -> Path:
        """Write a file below the workspace; ``conf/`` is the workspace's, ``shop/`` the project's."""
        target = self.root / path.replace("shop/", "projects/shop/", 1)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def age(self) -> None:
        """Let a minute pass, so that files count as settled."""
        past = time.time() - 60
        for path in [*self.root.rglob("*"), self.root]:
            if ".modelway" not in path.parts:
                os.utime(path, (past, past))

    def __call__(self, *overrides: str, only: tuple[str, ...] = ()) -> Experiment:
        found = Plugins(only=only, inline=self.project / "plugin.py")
        return compose(self.project, overrides, Workspace(self.root), found, check=False)

    def model(self, *overrides: str, **more: Any) -> dict[str, Any]:
        """Return the model's node as composed."""
        return dict(self(*overrides, **more).config["model"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "work")
    made.write("shop/conf/config.yaml", CONFIG)
    made.write("shop/plugin.py", OFFERS)
    return made


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Path]]:
    """Install a plugin that brings configuration of its own, and return its ``conf``."""
    site = tmp_path / "site"
    monkeypatch.delenv("MODELWAY_PLUGINS", raising=False)

    def install() -> Path:
        conf = site / "unittested_conf" / "conf"
        (conf / "model").mkdir(parents=True)
        (conf.parent / "__init__.py").write_text("")
        facts = site / "unittested_conf-1.0.dist-info"
        facts.mkdir()
        (facts / "entry_points.txt").write_text("[modelway]\nconfplug = unittested_conf\n")
        monkeypatch.syspath_prepend(site)
        plugins_module.installed.cache_clear()
        return conf

    yield install
    plugins_module.installed.cache_clear()
    sys.modules.pop("unittested_conf", None)


# Precedence


def test_the_project_wins_over_workspace_plugin_and_framework(place: Place, dist: Callable[[], Path]) -> None:
    conf = dist()
    files = [
        (conf / "model" / "tuned.yaml", 40),
        (place.root / "conf" / "model" / "tuned.yaml", 30),
        (place.project / "conf" / "model" / "tuned.yaml", 20),
    ]
    for path, depth in files:  # each is found only while none of higher precedence is there
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"use: trees\ndepth: {depth}\n")
        assert place.model("model=tuned", only=("confplug",))["depth"] == depth
    assert place("model=tuned", only=("confplug",)).where("model.depth") == f"{files[2][0]}:2"


def test_a_plugins_base_wins_over_the_frameworks(place: Place, dist: Callable[[], Path]) -> None:
    (dist() / "base.yaml").write_text("seed: 5\n")
    assert place("seed=1", only=("confplug",)).settings.seed == 1
    assert place(only=("confplug",)).settings.seed == 5
    assert place().settings.seed == 0


# Provenance


def test_each_value_is_told_by_the_place_where_it_was_set(place: Place) -> None:
    place.write("shop/conf/metrics/strict.yaml", "strict:\n  use: hits\n  cut: 0.9\n")
    place.write("conf/experiment/deep.yaml", "# @package _global_\nmodel:\n  depth: 9\nseed: 4\n")
    body = place.project / "conf" / "config.yaml"
    made = place("experiment=deep", "metrics=strict", "model.eta=0.3", "features.first.by=7")
    assert made.where("project") == f"{body}:3"
    assert made.where("model.use") == f"{body}:7"
    assert made.where("features.first.columns.1") == f"{body}:10"
    assert made.where("model.depth") == f"{place.root}/conf/experiment/deep.yaml:3"
    assert made.where("seed") == f"{place.root}/conf/experiment/deep.yaml:4"
    assert made.where("metrics.strict.cut") == f"{place.project}/conf/metrics/strict.yaml:3"
    assert made.where("model.eta") == "override model.eta=0.3"
    assert made.where("features.first.by") == "override features.first.by=7"
    assert made.where("phases").endswith("conf/base.yaml:4")
    assert made.where("compute.use").endswith("conf/base.yaml:6")
    assert made.config["model"] == {"use": "trees", "depth": 9, "eta": 0.3}


def test_a_choice_made_of_a_component_is_told_as_such(place: Place) -> None:
    made = place("model=linear")
    assert made.where("model.use") == "choice model=linear"
    assert made.config["model"] == {"use": "linear"}


# What is refused, and where


def refused(place: Place, *overrides: str, error: type[Exception] = ConfigError, **more: Any) -> Any:
    with pytest.raises(error) as caught:
        place(*overrides, **more)
    return caught.value


def test_an_unknown_key_is_told_by_file_and_line(place: Place) -> None:
    path = place.write("shop/conf/model/tuned.yaml", "use: trees\n\n# deeper\ndepht: 4\n")
    error = refused(place, "model=tuned")
    assert error.where == f"{path}:4"
    assert "'model.depht'" in error.what
    assert error.mend == "Did you mean 'depth'"


def test_a_value_of_a_wrong_type_is_told_by_file_and_line(place: Place) -> None:
    path = place.write("shop/conf/config.yaml", CONFIG.replace("[a, b], by: 2.0}", "[a,\n    b], by: wide}"))
    error = refused(place)
    assert error.where == f"{path}:11"
    assert "'features.first.by'" in error.what


def test_a_wrong_override_is_told_as_given(place: Place) -> None:
    assert refused(place, "model.depth=0").where == "override model.depth=0"
    assert refused(place, "modle.depth=4").mend == "Did you mean 'model'"
    assert "grammar" in refused(place, "model.depth=[1,").what
    assert "several values" in refused(place, "model.depth=1,2").what


def test_a_file_that_is_no_yaml_is_told_by_line_and_column(place: Place) -> None:
    path = place.write("shop/conf/model/tuned.yaml", "use: trees\ndepth: [1\n")
    assert refused(place).where.startswith(f"{path}:3")  # also while nobody chooses it


def test_a_missing_option_is_told_with_the_nearest(place: Place) -> None:
    error = refused(place, "model=linaer")
    assert error.where == "override model=linaer"
    assert error.mend == "Did you mean 'linear'"


def test_a_component_that_is_not_installed_is_told_with_its_distribution(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins_module, "installed", dict)
    assert refused(place, "model=xgboost").mend == "Install modelway-xgboost"
    error = refused(place, "model.use=xgboost", error=PluginError)
    assert error.mend == "Install modelway-xgboost"
    assert error.where == "override model.use=xgboost"


def test_an_unset_environment_variable_is_told_by_its_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MW_UNIT_DEPTH", raising=False)
    path = place.write("shop/conf/config.yaml", CONFIG.replace("depth: 3", "depth: ${oc.env:MW_UNIT_DEPTH}"))
    error = refused(place)
    assert error.where == f"{path}:8"
    assert "MW_UNIT_DEPTH" in error.what


# ``use`` starts afresh


def test_another_component_takes_over_nothing_of_the_one_before(place: Place) -> None:
    assert place.model("model=linear") == {"use": "linear"}
    assert place.model("model.use=linear") == {"use": "linear"}
    assert place.model("model.use=linear", "model.penalty=2") == {"use": "linear", "penalty": 2}
    assert place.model("model={use: linear, penalty: 3}") == {"use": "linear", "penalty": 3}


def test_the_same_component_keeps_what_was_set(place: Place) -> None:
    assert place.model("model=trees", "model.eta=0.5") == {"use": "trees", "depth": 3, "eta": 0.5}
    assert place.model("model.use=trees") == {"use": "trees", "depth": 3}


def test_the_order_of_overrides_means_nothing_to_use(place: Place) -> None:
    assert place.model("model.penalty=2", "model.use=linear") == {"use": "linear", "penalty": 2}


def test_a_labelled_component_starts_afresh_too_and_its_neighbours_stay(place: Place) -> None:
    place.write("shop/conf/config.yaml", CONFIG.replace("metrics:", "  second: {use: scale, by: 4.0}\nmetrics:"))
    made = place("features.first.use=clip", "features.first.high=3").config["features"]
    assert made == {"first": {"use": "clip", "high": 3}, "second": {"use": "scale", "by": 4.0}}


def test_an_experiment_file_starts_a_component_afresh(place: Place) -> None:
    place.write("shop/conf/experiment/plain.yaml", "# @package _global_\nmodel: {use: linear}\n")
    assert place.model("experiment=plain") == {"use": "linear"}
    assert place.model("experiment=plain", "model.penalty=9") == {"use": "linear", "penalty": 9}


def test_keys_of_a_yaml_merge_stay(place: Place) -> None:
    text = CONFIG.replace(
        "model:\n  use: trees\n", "vars: {common: &common {eta: 0.7}}\nmodel:\n  <<: *common\n  use: trees\n"
    )
    place.write("shop/conf/config.yaml", text)
    assert place.model() == {"use": "trees", "depth": 3, "eta": 0.7}
    assert place.model("model=linear") == {"use": "linear"}


def test_a_component_taken_from_elsewhere_whole_stays_whole(place: Place) -> None:
    text = CONFIG.replace("model:\n  use: trees\n  depth: 3\n", "vars: {m: {use: trees, depth: 8}}\nmodel: ${vars.m}\n")
    place.write("shop/conf/config.yaml", text)
    assert place.model() == {"use": "trees", "depth": 8}


# Leaving out, and groups


def test_a_key_is_left_out_by_a_tilde(place: Place) -> None:
    assert "features" not in place("~features").config
    assert place("~model.depth").config["model"] == {"use": "trees"}
    assert place("~features.first").config["features"] == {}
    error = refused(place, "~feature")
    assert (error.where, error.mend) == ("override ~feature", "Did you mean 'features'")


def test_a_group_that_the_defaults_list_does_not_name_can_be_chosen(place: Place) -> None:
    place.write("conf/compute/quick.yaml", "use: inline\n")
    assert place("compute=quick").where("compute.use") == f"{place.root}/conf/compute/quick.yaml:1"


def test_a_group_of_the_defaults_list_can_be_chosen_anew(place: Place) -> None:
    place.write("shop/conf/model/a.yaml", "use: trees\ndepth: 1\n")
    place.write("shop/conf/model/b.yaml", "use: linear\npenalty: 5\n")
    text = CONFIG.replace("[base, _self_]", "[base, model: a, _self_]").replace(
        "model:\n  use: trees\n  depth: 3\n", ""
    )
    place.write("shop/conf/config.yaml", text)
    assert place.model() == {"use": "trees", "depth": 1}
    assert place.model("model=b") == {"use": "linear", "penalty": 5}


def test_several_options_of_one_group_are_taken_together(place: Place) -> None:
    place.write("shop/conf/metrics/strict.yaml", "strict: {use: hits, cut: 0.9}\n")
    place.write("shop/conf/metrics/loose.yaml", "loose: {use: hits, cut: 0.1}\n")
    assert list(place("metrics=[strict,loose]").config["metrics"]) == ["hits", "strict", "loose"]


def frozen(place: Place, *overrides: str) -> Frozen:
    found = Plugins(only=(), inline=place.project / "plugin.py")
    return Frozen(place.project, overrides, Workspace(place.root), found)


def test_a_sweep_composes_each_trial_as_a_command_of_its_own_would(place: Place) -> None:
    sweep = frozen(place, "seed=5", "model.depth=1,2", "vars.note=x,'a b'")
    assert sweep.space == {"model.depth": Choices((1, 2)), "vars.note": Choices(("x", "a b"))}
    for depth in (1, 2):
        for note in ("x", "a b"):
            trial = sweep.trial({"model.depth": depth, "vars.note": note})
            alone = place("seed=5", f"model.depth={depth}", f"vars.note='{note}'")
            assert trial.config == alone.config
            assert {k: v for k, v in trial.origin.items() if "note" not in k} == {
                k: v for k, v in alone.origin.items() if "note" not in k
            }


def test_a_sweep_is_frozen_when_it_is_submitted(place: Place) -> None:
    place.write("conf/model/deep.yaml", "use: trees\ndepth: 9\n")
    place.write("conf/model/flat.yaml", "use: trees\ndepth: 1\n")
    sweep = frozen(place, "model=deep,flat")
    place.write("conf/model/flat.yaml", "use: trees\ndepth: 5\n")
    assert [sweep.trial({"model": name}).config["model"]["depth"] for name in ("deep", "flat")] == [9, 1]


def test_every_kind_of_space_is_read(place: Place) -> None:
    place.write("conf/model/deep.yaml", "use: trees\ndepth: 9\n")
    sweep = frozen(
        place, "model=glob(d*)", "model.depth=range(2,5)", "vars.a=interval(0.5,2)", "vars.b=tag(log,interval(1.0,8.0))"
    )
    assert sweep.space == {
        "model": Choices(("deep",)), "model.depth": Choices((2, 3, 4), ordered=True),
        "vars.a": Interval(0.5, 2.0), "vars.b": Interval(1.0, 8.0, log=True),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("launcher.width=1,2", "cannot vary 'launcher.width'"),
        ("model=glob(zz*)", "matches no option"),
        ("vars.a=interval(2,1)", "has no room"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(place: Place, override: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        frozen(place, override)


# The cache


def cached(place: Place) -> int:
    """Return the number of kept compositions."""
    folder = Workspace(place.root).cache / "compose"
    return len(list(folder.glob("*.json"))) if folder.is_dir() else 0


def fail(*arguments: Any) -> Any:
    raise AssertionError("composed anew")


@pytest.fixture
def warm(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A project whose composition is cached, with a file of each kind in it."""
    monkeypatch.setenv("MW_UNIT_ETA", "0.2")
    place.write("shop/conf/config.yaml", CONFIG + "description: ${oc.env:MW_UNIT_ETA}\n")
    place.write("conf/model/tuned.yaml", "use: trees\ndepth: 5\n")
    place.age()
    assert place.model("model=tuned")["depth"] == 5
    assert cached(place) == 1
    with monkeypatch.context() as patch:
        patch.setattr("modelway.config.composition.compose_with_hydra", fail)
        assert place.model("model=tuned")["depth"] == 5
    return place


def test_an_edited_file_is_composed_anew(warm: Place) -> None:
    warm.write("conf/model/tuned.yaml", "use: trees\ndepth: 6\n")
    assert warm.model("model=tuned")["depth"] == 6


def test_a_new_file_that_comes_first_is_seen(warm: Place) -> None:
    warm.write("shop/conf/model/tuned.yaml", "use: trees\ndepth: 7\n")
    assert warm.model("model=tuned")["depth"] == 7


def test_a_deleted_file_is_missed(warm: Place) -> None:
    (warm.root / "conf" / "model" / "tuned.yaml").unlink()
    assert "no option 'tuned'" in refused(warm, "model=tuned").what


def test_a_changed_environment_variable_is_seen(warm: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MW_UNIT_ETA", "0.9")
    assert str(warm("model=tuned").settings.description) == "0.9"


def test_another_set_of_plugins_is_another_composition(warm: Place, dist: Callable[[], Path]) -> None:
    """The same distributions are installed all along; MODELWAY_PLUGINS says which are loaded."""
    (dist() / "base.yaml").write_text("seed: 5\n")
    warm.age()
    found = [warm(only=only).settings.seed for only in [(), ("confplug",), (), ("confplug",)]]
    assert found == [0, 5, 0, 5]


def test_a_component_that_the_project_no_longer_offers_is_missed(warm: Place) -> None:
    warm.write("shop/plugin.py", OFFERS.replace('name="trees"', 'name="forest"'))
    assert "'trees'" in refused(warm, "model=tuned", error=PluginError).what


def test_a_broken_cache_file_is_no_cache(warm: Place) -> None:
    for path in (Workspace(warm.root).cache / "compose").glob("*.json"):
        path.write_text("{")
    assert warm.model("model=tuned")["depth"] == 5


@pytest.mark.parametrize(
    "value", ["${oc.decode:${oc.env:MW_UNIT_ETA}}", "${ oc.env:${vars.which} }", "'${oc.create:{a: 1}}'"]
)
def test_what_may_change_unseen_is_not_cached(place: Place, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MW_UNIT_ETA", "0.2")
    place.write("shop/conf/config.yaml", f"{CONFIG}vars:\n  which: MW_UNIT_ETA\n  x: {value}\n")
    place.age()
    place()
    assert cached(place) == 0


@pytest.mark.parametrize(
    "value", ["${oc.env:MW_UNIT_ETA}", "${oc.env:MW_UNIT_ETA,none}", "${vars.which}", "${oc.select:vars.which}"]
)
def test_what_shows_its_changes_is_cached(place: Place, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MW_UNIT_ETA", "0.2")
    place.write("shop/conf/config.yaml", f"{CONFIG}vars:\n  which: MW_UNIT_ETA\n  x: {value}\n")
    place.age()
    place()
    assert cached(place) == 1


def test_a_file_changed_a_moment_ago_is_not_trusted(place: Place) -> None:
    place()
    assert cached(place) == 0


def test_the_order_of_features_survives_the_cache(place: Place) -> None:
    place.write("shop/conf/config.yaml", CONFIG.replace("  first:", "  zz: {use: clip}\n  first:"))
    place.age()
    assert list(place().all("features")) == list(place().all("features")) == ["zz", "first"]


def test_a_second_composition_imports_neither_hydra_nor_yaml(place: Place, python: Any) -> None:
    place.age()
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from modelway.config import compose\nfrom modelway.plugins import Plugins\n"
        "from modelway.workspace import Workspace\nroot, project = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "made = compose(project, [], Workspace(root), Plugins(only=[], inline=project / 'plugin.py'), check=False)\n"
        "print(made.config['model'], *({'hydra', 'omegaconf', 'yaml', 'antlr4'} & set(sys.modules)))"
    )
    first, second = (python(script, str(place.root), str(place.project)) for _ in range(2))
    assert "hydra" in first.stdout, first.stderr
    assert second.stdout.strip() == "{'use': 'trees', 'depth': 3}", second.stderr


def test_a_project_sees_nothing_of_one_composed_before_it_in_the_same_process(place: Place, tmp_path: Path) -> None:
    place("model=linear")
    other = Place(tmp_path / "other")
    other.write("shop/conf/config.yaml", CONFIG)
    other.write("shop/plugin.py", OFFERS.replace('name="linear"', 'name="lasso"'))
    assert refused(other, "model=linear").what == "There is no option 'linear' in group 'model'"
