"""Configuration becomes a component, or the user reads which key is wrong and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway import ConfigError, Gate, Reason, Scores, knob, param, reveal, secret
from modelway.component import build, describe


@dataclass(frozen=True, kw_only=True)
class Part:
    """A nested part."""

    size: int = param(1, "Size.", at_least=0)


@dataclass(frozen=True, kw_only=True)
class Thing(Gate, name="thing"):
    """Takes every kind of field."""

    depth: int = param(6, "Depth of a tree.", at_least=1, at_most=20)
    rate: float = param(0.3, "Rate.", above=0, below=1)
    how: Literal["fast", "exact"] = param("fast", "How.")
    names: tuple[str, ...] = param((), "Names.")
    pair: tuple[float, float] = param((0.0, 1.0), "Two numbers.")
    shares: tuple[float, ...] = param((), "Shares.", at_least=0)
    table: dict[str, float] = param({}, "Numbers by word.")
    part: Part | None = param(None, "A part.")
    either: str | int | None = param(None, "One or the other.")
    anything: Any = param(None, "Anything.")
    threads: int = knob(0, "Threads.", at_least=0)
    token: str = secret("Token.")

    def decide(self, scores: Scores, champion: Scores | None, run: Any) -> Reason:
        return Reason(self.name, True, "Passes.")


@dataclass(frozen=True, kw_only=True)
class Needy:
    """Needs a value."""

    path: str = param(..., "Where the file is.")


def test_plain_values_become_the_fields_types() -> None:
    thing = build(
        Thing,
        {"rate": 0.5, "names": ["a"], "pair": [1, 2], "table": {"x": 1}, "part": {"size": 3}, "either": 4},
    )
    assert thing == Thing(rate=0.5, names=("a",), pair=(1.0, 2.0), table={"x": 1.0}, part=Part(size=3), either=4)
    assert type(thing.pair[0]) is float


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"dept": 3}, r"Unknown key 'model\.dept': thing has no field of that name.* Did you mean 'depth'"),
        ({"part": {"sise": 3}}, r"Unknown key 'model\.part\.sise'.* Did you mean 'size'"),
        ({"part": {"size": -1}}, r"'model\.part\.size' is -1, and must be at least 0"),
        ({"part": 3}, r"'model\.part' is 3"),
        ({"depth": 0}, "must be at least 1"),
        ({"depth": 21}, "must be at most 20"),
        ({"depth": 3.0}, r"'model\.depth' is 3\.0 \(a number\), and must be a whole number"),
        ({"depth": "3"}, r"is '3' \(text\), and must be a whole number"),
        ({"depth": True}, r"is True \(true or false\), and must be a whole number"),
        ({"depth": None}, r"is None \(null\), and must be a whole number"),
        ({"rate": 0}, "must be above 0"),
        ({"rate": 1.0}, "must be below 1"),
        ({"rate": float("nan")}, "must be above 0"),
        ({"how": "exakt"}, "must be one of fast, exact.* Did you mean 'exact'"),
        ({"names": "abc"}, "must be a list of text"),
        ({"names": ["a", 3]}, r"'model\.names\[1\]' is 3"),
        ({"pair": [1.0]}, r"'model\.pair' has 1 items, and must have 2"),
        ({"shares": [0.5, -0.5]}, r"'model\.shares\[1\]' is -0\.5, and must be at least 0"),
        ({"table": {"x": "y"}}, r"'model\.table\.x' is 'y'"),
        ({"table": [1]}, "must be a mapping"),
        ({"either": 2.5}, "must be text or a whole number or null"),
        ({"threads": -1}, "must be at least 0"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_place_and_mend(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as told:
        build(Thing, config, "model", lambda key: f"conf/model.yaml:{len(key)}")
    assert told.value.where.startswith("conf/model.yaml:")


@pytest.mark.parametrize("config", [{}, {"path": "???"}])
def test_a_required_key_without_a_value_is_named_with_its_meaning(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"'source\.path' is required by needy.*Where the file is.* Set source\.path"):
        build(Needy, config, "source")


@given(
    st.builds(
        Thing,
        depth=st.integers(1, 20),
        rate=st.floats(0.01, 0.99),
        how=st.sampled_from(["fast", "exact"]),
        names=st.lists(st.text()).map(tuple),
        table=st.dictionaries(st.text(), st.floats(allow_nan=False)),
        part=st.none() | st.builds(Part, size=st.integers(0)),
        either=st.none() | st.text() | st.integers(),
    )
)
def test_configuration_that_is_kept_builds_the_same_component(thing: Thing) -> None:
    assert build(Thing, thing.config()) == thing


def test_knobs_and_secrets_stay_outside_what_shapes_the_result() -> None:
    one, two = Thing(threads=1, token="env:A"), Thing(threads=8, token="env:B")
    assert one.params() == two.params()
    assert {"threads", "token"}.isdisjoint(one.params())
    assert one.params() != Thing(depth=7).params()


def test_a_default_list_or_mapping_is_not_shared_between_components() -> None:
    Thing().table["x"] = 1.0
    assert Thing().table == {}


def test_types_are_named_in_words() -> None:
    assert describe(tuple[int, ...]) == "a list of whole number"
    assert describe(float | None) == "a number or null"


def test_a_secret_is_read_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWAY_TEST_TOKEN", "hunter2")
    (tmp_path / "token").write_text("hunter3\n")
    assert reveal("env:MODELWAY_TEST_TOKEN") == "hunter2"
    assert reveal(f"file:{tmp_path / 'token'}") == "hunter3"


def test_a_secret_that_is_not_there_or_is_a_value_is_refused_without_showing_the_value() -> None:
    with pytest.raises(ConfigError, match="is not there"):
        reveal("env:MODELWAY_ABSENT")
    with pytest.raises(ConfigError, match="env:NAME or file:PATH") as told:
        reveal("hunter2")
    assert "hunter2" not in str(told.value)
