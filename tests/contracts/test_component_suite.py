"""Rules of every component: a tidy gate passes, and gates that break one rule each are caught."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from modelway import Gate, Reason, Scores, knob, param, secret
from modelway.stages import STAGES
from modelway.testing import SUITES, ComponentSuite


@dataclass(frozen=True, kw_only=True)
class Tidy(Gate, name="tidy"):
    """Passes everything."""

    words: tuple[str, ...] = param(("a",), "Words.")
    table: dict[str, float] = param({}, "Numbers by word.")
    threads: int = knob(0, "Threads.")
    token: str = secret("Token of the other end.", default="env:TOKEN")

    def decide(self, scores: Scores, champion: Scores | None, run: Any) -> Reason:
        return Reason(self.name, True, "Passes.")


class TestTidy(ComponentSuite):
    component = Tidy(words=["a", "b"], table={"x": 1.0})  # type: ignore[arg-type] # as YAML would give them


@dataclass
class Loose(Gate, name="loose"):
    """Can be changed."""

    def decide(self, scores: Scores, champion: Scores | None, run: Any) -> Reason:
        return Reason(self.name, True, "Passes.")


class Bare(Tidy, name="bare"):
    """Is no dataclass itself."""


@dataclass(frozen=True, kw_only=True)
class Nameless(Tidy):
    """Has no name."""


@dataclass(frozen=True, kw_only=True)
class Silent(Tidy, name="silent"):
    words: tuple[str, ...] = param(("a",), "Words.")


@dataclass(frozen=True, kw_only=True)
class Helpless(Tidy, name="helpless"):
    """Has a field without a word of help."""

    words: tuple[str, ...] = ("a",)


@dataclass(frozen=True, kw_only=True)
class Unkeepable(Tidy, name="unkeepable"):
    """Has a field that is not JSON."""

    place: Path = param(Path("a"), "Place.")


@dataclass(frozen=True, kw_only=True)
class Tattler(Tidy, name="tattler"):
    """Holds a secret's value."""

    token: str = secret("Token of the other end.", default="hunter2")


@dataclass(frozen=True, kw_only=True)
class Unequal(Tidy, name="unequal"):
    """Never equals another."""

    identity: Any = field(default_factory=object, init=False, metadata={"role": "param", "help": "Object."})

    def config(self) -> dict[str, Any]:
        return {k: v for k, v in super().config().items() if k != "identity"}


@dataclass(frozen=True, kw_only=True)
class Stuck(Tidy, name="stuck"):
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise AssertionError(pickle.PicklingError("It holds a lock"))


@dataclass(frozen=True, kw_only=True)
class Longer(Tidy, name="longer"):
    """Takes one argument more."""

    def decide(self, scores: Scores, champion: Scores | None, run: Any, extra: int = 0) -> Reason:
        return Reason(self.name, True, "Passes.")


@dataclass(frozen=True, kw_only=True)
class Lost(Tidy, name="lost"):
    """Names a file that is not there."""

    data_files = ("absent.json",)


@pytest.mark.parametrize(
    ("component", "rule"),
    [
        (Loose(), "test_is_a_frozen_dataclass_with_keyword_fields"),
        (Bare(), "test_is_a_frozen_dataclass_with_keyword_fields"),
        (Nameless(), "test_has_a_name_and_a_docstring"),
        (Silent(), "test_has_a_name_and_a_docstring"),
        (Helpless(), "test_explains_every_field"),
        (Unkeepable(), "test_configuration_comes_back_from_json"),
        (Tattler(), "test_configuration_comes_back_from_json"),
        (Unequal(), "test_equal_configurations_are_equal_and_hash_alike"),
        (Stuck(), "test_can_be_sent_to_a_worker"),
        (Longer(), "test_methods_take_what_the_stage_gives"),
        (Lost(), "test_names_libraries_and_files_that_are_there"),
    ],
)
def test_a_component_that_breaks_a_rule_is_caught(caught: Any, component: Any, rule: str) -> None:
    assert caught(ComponentSuite, rule, component=component) == {rule}


def test_a_heavy_import_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caught: Any) -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    start, end = source.index("@dataclass"), source.index("class TestTidy")
    head = "import numpy\nfrom dataclasses import dataclass\nfrom typing import Any\n"
    head += "from modelway import Gate, Reason, Scores, knob, param, secret\n"
    (tmp_path / "heavy_plugin.py").write_text(head + source[start:end])
    monkeypatch.syspath_prepend(tmp_path)
    import heavy_plugin  # type: ignore[import-not-found]

    assert caught(ComponentSuite, component=heavy_plugin.Tidy()) == {"test_importing_it_is_cheap"}


def test_every_stage_has_a_suite() -> None:
    assert set(SUITES) == set(STAGES)
