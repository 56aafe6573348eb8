"""Names of what is written follow one convention, and a bad one is told with a good one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelway import naming
from modelway.errors import ConfigError


@pytest.mark.parametrize("word", ["fraud", "card-fraud", "card_fraud2", "a1-b2"])
def test_a_good_word_is_taken(word: str) -> None:
    assert naming.check(word, "project") == word


@pytest.mark.parametrize(
    "word", ["", "Fraud", "1st", "card fraud", "card--fraud", "-a", "a-", "../etc", "é", "a\n", "a/b"]
)
def test_a_bad_word_is_refused_with_place_and_proposal(word: str) -> None:
    with pytest.raises(ConfigError, match=r"breaks the naming convention.*\(conf.yaml:3\).*Call it") as caught:
        naming.check(word, "project", "conf.yaml:3")
    assert "project" in caught.value.what


@given(st.text(max_size=12))
def test_every_proposal_follows_the_convention(word: str) -> None:
    proposal = naming.suggest(word)
    assert naming.check(proposal, "project") == proposal


@pytest.mark.parametrize(
    ("word", "proposal"), [("CardFraud", "card-fraud"), ("Card Fraud", "card-fraud"), ("2nd", "x-2nd")]
)
def test_a_proposal_is_what_the_user_meant(word: str, proposal: str) -> None:
    assert naming.suggest(word) == proposal


def test_a_name_is_made_by_the_pattern() -> None:
    assert naming.name("{project}/{kind}/{version}", project="fraud", kind="bundle", version="v3") == "fraud/bundle/v3"
    assert naming.name("{project}-{version}", project="fraud", kind="bundle", version="v3") == "fraud-v3"


@pytest.mark.parametrize("pattern", ["{project}", "{version}", "{project}/{version}/{user}", "fixed"])
def test_a_pattern_that_would_mix_versions_up_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="must hold {project} and {version}"):
        naming.name(pattern, project="fraud", kind="bundle", version="v1")


def test_words_are_checked_when_a_name_is_made() -> None:
    with pytest.raises(ConfigError, match="project 'Fraud'"):
        naming.name("{project}/{version}", project="Fraud", kind="bundle", version="v1")
