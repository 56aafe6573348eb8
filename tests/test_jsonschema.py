"""JSON Schemas for editors: they take every project that we write, and mark what composition would refuse."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from modelway.config.jsonschema import documents
from modelway.plugins import Plugins
from modelway.stages import STAGES

PROJECTS = sorted((Path(__file__).parent.parent / "projects").glob("*/conf/config.yaml"))


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MODELWAY_PLUGINS", raising=False)
        return documents(Plugins())


def test_every_group_has_a_document_that_is_a_schema(found: dict[str, dict[str, Any]]) -> None:
    assert set(found) == {"config", "schema", *(key for _, _, key in STAGES.values())}
    for document in found.values():
        Draft202012Validator.check_schema(document)


@pytest.mark.parametrize("path", PROJECTS, ids=[path.parent.parent.name for path in PROJECTS])
def test_our_projects_are_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELWAY_PLUGINS", raising=False)
    found = documents(Plugins(inline=path.parent.parent / "plugin.py"))
    faults = Draft202012Validator(found["config"]).iter_errors(yaml.safe_load(path.read_text()))
    assert [fault.message for fault in faults] == []


WRONG: dict[str, Any] = {
    "a key of the project": lambda config: config.update(projct="x"),
    "a key of a component": lambda config: config["model"].update(max_dept=3),
    "a name of a component": lambda config: config["model"].update(use="xgbost"),
    "a type": lambda config: config["model"].update(max_depth="deep"),
    "a bound": lambda config: config["model"].update(max_depth=-1),
    "a choice": lambda config: config.update(task="binry"),
    "a key of a labelled component": lambda config: config["metrics"]["auc"].update(bootstap=3),
    "a key of the schema": lambda config: config["schema"].update(colums={}),
    "two components where one belongs": lambda config: config.update(
        model={"a": config["model"], "b": config["model"]}
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_slip_is_marked(found: dict[str, dict[str, Any]], what: str) -> None:
    path = next(path for path in PROJECTS if path.parent.parent.name == "cancer")
    config = copy.deepcopy(yaml.safe_load(path.read_text()))
    WRONG[what](config)
    assert not Draft202012Validator(found["config"]).is_valid(config)


def test_a_reference_may_stand_for_any_value(found: dict[str, dict[str, Any]]) -> None:
    check = Draft202012Validator(found["config"])
    base = {"project": "x", "task": "binary"}
    assert check.is_valid({**base, "seed": "${oc.env:SEED}", "model": {"use": "xgboost", "max_depth": "${vars.depth}"}})
    assert not check.is_valid({**base, "seed": "seven"})


def test_an_option_file_is_checked_by_its_groups_document(found: dict[str, dict[str, Any]]) -> None:
    check = Draft202012Validator(found["model"])
    assert check.is_valid({"use": "xgboost", "max_depth": 3})
    assert not check.is_valid({"use": "xgboost", "depth": 3})
    labelled = Draft202012Validator(found["metrics"])
    assert labelled.is_valid({"auc": {"use": "roc_auc"}, "f1": None})
