"""Plugins: one that is broken stops nobody else, and a user is told which distribution to mend or install."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelway import plugins as module
from modelway.context import Event
from modelway.errors import PluginError
from modelway.plugins import Plugins
from modelway.stages import CONTRACT

METRIC = """
from dataclasses import dataclass
from modelway import Metric, Scores, hookimpl, param

@dataclass(frozen=True, kw_only=True)
class Mean(Metric, name="{name}"):
    def measure(self, predictions, run):
        return Scores.of(1.0)

@hookimpl
def metrics():
    return [Mean]
"""

Site = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Lay distributions down in a folder that this process finds: ``site(name, source, entry="name")``."""
    monkeypatch.delenv("MODELWAY_PLUGINS", raising=False)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def lay(name: str, source: str = "", *, entry: str = "", version: str = "1.0", target: str = "") -> None:
        importable = f"unittested_{name.replace('-', '_')}"
        (folder / f"{importable}.py").write_text(source or METRIC.format(name=name))
        facts = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        facts.mkdir()
        points = f"[console_scripts]\nx = y\n[modelway]\n{entry or name} = {target or importable}\n"
        (facts / "entry_points.txt").write_text(points)
        module.installed.cache_clear()

    yield lay
    module.installed.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("unittested_"):
            del sys.modules[name]


def loaded(*only: str) -> Plugins:
    return Plugins(only=only)


def test_a_plugin_is_known_with_its_distribution_and_version(site: Site) -> None:
    site("card-fraud", entry="fraud", version="2.1")
    found = loaded("fraud").loaded["fraud"]
    assert (found.distribution, found.version, found.broken) == ("card-fraud", "2.1", "")
    assert [component.distribution for component in found.components] == ["card-fraud"]
    assert loaded("fraud").get("evaluate", "card-fraud").__name__ == "Mean"


BROKEN = {
    "an import that fails": ("import libabsent", "its import failed: ModuleNotFoundError: No module named 'libabsent'"),
    "a syntax error": ("def (", "its import failed: SyntaxError"),
    "an exit": ("import sys; sys.exit(3)", "its import failed: SystemExit: 3"),
    "a hook that raises": (
        METRIC.format(name="x").replace("return [Mean]", "raise RuntimeError('no licence')"),
        "its hook 'metrics' failed: RuntimeError: no licence",
    ),
    "a hook that returns nothing": (
        METRIC.format(name="x").replace("return [Mean]", "return None"),
        "its hook 'metrics' failed: TypeError",
    ),
    "a hook of a misspelt name": (
        METRIC.format(name="x").replace("def metrics", "def metricss"),
        "implements a hook 'metricss' that does not exist. Did you mean 'metrics'",
    ),
    "a later contract": (f"CONTRACT = {CONTRACT + 1}\n" + METRIC.format(name="x"), f"made for contract {CONTRACT + 1}"),
    "an instance": (METRIC.format(name="x").replace("return [Mean]", "return [Mean()]"), "is not a component class"),
    "a class without name": (METRIC.format(name=""), "Mean has no name"),
    "a class that misses its method": (
        METRIC.format(name="x").replace("def measure", "def mesure"),
        "Mean does not implement measure",
    ),
    "a class that can change": (METRIC.format(name="x").replace("frozen=True, ", ""), "Mean is not a frozen dataclass"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_says_why_and_stops_nobody_else(site: Site, kind: str) -> None:
    source, why = BROKEN[kind]
    site("bad", source)
    site("good")
    found = loaded("bad", "good")
    assert why in found.loaded["bad"].broken
    assert found.names("evaluate") == ["good"]
    with pytest.raises(PluginError, match="may offer it: bad") as caught:
        found.get("evaluate", "x", "conf/config.yaml:3")
    assert caught.value.where == "conf/config.yaml:3"


def test_an_equal_contract_is_taken(site: Site) -> None:
    site("good", f"CONTRACT = {CONTRACT}\n" + METRIC.format(name="x"))
    assert loaded("good").names("evaluate") == ["x"]


def test_one_name_of_two_distributions_is_an_error_that_names_both(site: Site) -> None:
    site("one", METRIC.format(name="mean"))
    site("two", METRIC.format(name="mean"))
    with pytest.raises(PluginError, match=r"Two plugins offer the metric 'mean': one \(one\) and two \(two\)"):
        loaded("one", "two").get("evaluate", "mean")
    assert loaded("one").get("evaluate", "mean").distribution == "one"


@pytest.mark.parametrize("entry", ["same", "builtin"])
def test_one_entry_point_of_two_distributions_breaks_the_second_only(site: Site, entry: str) -> None:
    site("one", entry=entry)
    site("two", entry=entry)
    found = loaded(entry)
    broken = [plugin for plugin in found.loaded.values() if plugin.broken]
    assert found.names("compute") == ["inline"]
    assert all(f"has an entry point '{entry}' too" in plugin.broken for plugin in broken)
    assert [plugin.distribution for plugin in broken] == (["two"] if entry == "same" else ["one", "two"])


def test_two_entry_points_of_one_module_do_not_stop_everything(site: Site) -> None:
    site("one")
    site("two", target="unittested_one")
    found = loaded("one", "two")
    assert found.names("evaluate") == ["one"]
    assert "another entry point loads its module" in found.loaded["two"].broken


def test_the_environment_narrows_what_is_loaded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        site(name)
    monkeypatch.setenv("MODELWAY_PLUGINS", "one, three")
    assert Plugins().names("evaluate") == ["one", "three"]
    assert set(Plugins().loaded) == {"builtin", "one", "three"}
    assert set(Plugins(disabled=["one"]).loaded) == {"builtin", "three"}


def test_a_plugin_that_is_left_out_is_not_imported(site: Site) -> None:
    site("one")
    site("two")
    loaded("one")
    assert "unittested_one" in sys.modules
    assert "unittested_two" not in sys.modules


def test_a_misspelt_name_is_told_with_the_nearest(site: Site) -> None:
    site("accuracy")
    with pytest.raises(PluginError, match=r"No metric is named 'acuracy' \(a.yaml:1\). Did you mean 'accuracy'"):
        loaded("accuracy").get("evaluate", "acuracy", "a.yaml:1")


def test_what_a_distribution_would_offer_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "installed", dict)
    with pytest.raises(PluginError, match="No trainer is named 'xgboost'. Install modelway-xgboost"):
        Plugins(only=[]).get("train", "xgboost")


OBSERVER = """
from modelway import hookimpl
TOLD = []

@hookimpl
def run_started(event):
    TOLD.append(event)
    ORDER.append(__name__)
    {then}
"""


def test_observers_are_told_in_the_order_of_their_names_and_a_failure_is_a_warning(site: Site) -> None:
    order: list[str] = []
    sys.modules["unittested_order"] = type(sys)("unittested_order")
    sys.modules["unittested_order"].ORDER = order  # type: ignore[attr-defined]
    head = "from unittested_order import ORDER\n"
    site("zeta", head + OBSERVER.format(then=""))
    site("alpha", head + OBSERVER.format(then="raise RuntimeError('had enough')"))
    site("mid", head + OBSERVER.format(then="return 'nothing of mine counts'"))
    found = loaded("zeta", "alpha", "mid")
    event = Event("run_started", "r1", "shop", "2026-01-01T00:00:00Z")
    with pytest.warns(RuntimeWarning, match="The observer alpha failed at run_started: had enough"):
        found.notify(event)
    assert order == ["unittested_alpha", "unittested_mid", "unittested_zeta"]
    assert [event] == sys.modules["unittested_zeta"].TOLD
    assert found.loaded["zeta"].observers == ["run_started"]
    with warnings.catch_warnings():
        found.notify(Event("run_finished", "r1", "shop", "2026-01-01T00:00:00Z"))
    assert len(order) == 3


def test_hook_calls_are_printed_on_request(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELWAY_TRACE", "1")
    site("zeta", "ORDER = []\n" + OBSERVER.format(then=""))
    found = loaded("zeta")
    found.notify(Event("run_started", "r1", "shop", "2026-01-01T00:00:00Z"))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "hook computes builtin"
    assert said[-1] == "hook run_started zeta"


def test_the_first_of_two_copies_on_the_path_counts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for Python's own imports."""
    site("one", version="1.0")
    nearer = tmp_path / "nearer" / "one-2.0.dist-info"
    nearer.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "nearer")
    module.installed.cache_clear()
    assert module.installed()["one"].version == "2.0"


def test_a_projects_plugin_that_is_broken_is_told_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plugin.py"
    path.write_text("import libabsent\n")
    found = Plugins(only=[], inline=path)
    assert "libabsent" in found.loaded["project"].broken
    with pytest.raises(PluginError, match="plugin.py"):
        found.get("train", "means")
