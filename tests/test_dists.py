"""Third-party distributions: a good one is found and passes the suite, others harm nobody but themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DISTS = Path(__file__).parent / "dists"

_LIST = """
import json, sys
from modelway.plugins import Plugins
plugins = Plugins(only=sys.argv[1].split(","))
loaded = {name: [p.distribution, p.version, p.broken] for name, p in plugins.loaded.items()}
print(json.dumps({"loaded": loaded, "trainers": plugins.names("train")}))
"""

_GET = """
import sys
from modelway.errors import ModelwayError
from modelway.plugins import Plugins
try:
    print(Plugins(only=sys.argv[1].split(",")).get("train", "majority"))
except ModelwayError as error:
    print(type(error).__name__, error)
"""


def test_a_third_party_plugin_is_found_by_its_entry_point(installed: Callable[..., Path], python: Any) -> None:
    done = python(_LIST, "majority", site=installed("good"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["loaded"]["majority"] == ["modelway-majority", "0.1.0", ""]
    assert found["trainers"] == ["majority"]


def test_a_third_party_trainer_passes_the_conformance_suite(installed: Callable[..., Path], python: Any) -> None:
    site = installed("good")
    test = site / "test_majority.py"
    test.write_text(
        "from modelway.testing import TrainerSuite\n"
        "from modelway_majority.trainer import Majority\n"
        "class TestMajority(TrainerSuite):\n"
        "    component = Majority(smoothing=0.5)\n"
    )
    script = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    done = python(script, str(test), "-q", "-p", "no:cacheprovider", "--rootdir", str(site), site=site)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_a_plugin_that_cannot_be_imported_is_listed_and_stops_nobody_else(
    installed: Callable[..., Path], python: Any
) -> None:
    site = installed("good", "broken")
    found = json.loads(python(_LIST, "majority,broken", site=site).stdout)
    assert found["trainers"] == ["majority"]
    assert "libabsent.so.3" in found["loaded"]["broken"][2]


def test_two_plugins_of_one_name_are_an_error_that_names_both(installed: Callable[..., Path], python: Any) -> None:
    site = installed("good", "rude")
    said = python(_GET, "majority,rude", site=site).stdout
    assert said.startswith("PluginError")
    assert "modelway-majority" in said
    assert "modelway-rude" in said
    assert "Majority" in python(_GET, "majority", site=site).stdout


def test_an_observer_that_raises_is_a_warning(installed: Callable[..., Path], python: Any) -> None:
    script = """
from modelway import Event
from modelway.plugins import Plugins
Plugins(only=["rude"]).notify(Event("run_started", "r1", "test", "2024-01-01T00:00:00Z"))
print("went on")
"""
    done = python(script, site=installed("rude"))
    assert done.stdout.strip() == "went on", done.stderr
    assert "rude failed at run_started: the observer has had enough" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["good", "broken", "rude"])
def test_a_distribution_builds_into_what_the_tests_lay_down(
    installed: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    wheel = tmp_path / "wheel"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--quiet", "--no-index"]
    done = subprocess.run([*command, "--target", wheel, DISTS / name], capture_output=True, text=True, check=False)
    if "No module named pip" in done.stderr:
        pytest.skip("This environment has no pip")
    assert done.returncode == 0, done.stderr
    laid = installed(name)
    for pattern in ("*.py", "entry_points.txt"):
        built = {path.relative_to(wheel): path.read_text().split() for path in wheel.rglob(pattern)}
        assert built == {path.relative_to(laid): path.read_text().split() for path in laid.rglob(pattern)}
