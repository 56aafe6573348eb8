"""Errors say what, where and how to mend it, also after crossing processes."""

from __future__ import annotations

import errno
import inspect
import pickle

import pytest

from modelway import errors
from modelway.errors import ConfigError, ModelwayError, StoreError, explained, nearest

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ModelwayError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_keeps_its_words_between_processes(kind: type[ModelwayError]) -> None:
    error = pickle.loads(pickle.dumps(kind("What", where="where", mend="Mend it")))
    assert type(error) is kind
    assert (error.what, error.where, error.mend) == ("What", "where", "Mend it")
    assert str(error) == "What (where). Mend it."


def test_scripts_can_tell_errors_apart_by_exit_code() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes


def test_what_is_not_known_leaves_no_gap_in_the_sentence() -> None:
    assert str(ConfigError("It is wrong")) == "It is wrong."


def test_a_misspelt_word_gets_the_nearest_and_a_strange_one_the_list() -> None:
    assert nearest("max_dept", ["max_depth", "rounds"]) == "Did you mean 'max_depth'"
    assert nearest("zzz", ["max_depth", "rounds"]) == "Known here: max_depth, rounds"
    assert nearest("zzz", []) == ""
    assert nearest("zzz", (f"k{i:02}" for i in range(40))).endswith("k11, ...")


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "rights"),
    ],
)
def test_a_disk_that_refuses_is_a_paragraph_with_a_mend(number: int, mend: str) -> None:
    with pytest.raises(StoreError, match=mend) as told, explained("It cannot be written", "/store"):
        raise OSError(number, "Refused")
    assert told.value.where == "/store"


def test_what_is_no_disk_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), explained("It cannot be written", "/store"):
        raise ZeroDivisionError
