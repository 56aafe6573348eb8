"""A scoring model made by hand, and its bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from modelway_bentoml.packager import BentoML
from small_model.features import Codes, Ratio
from small_model.trainer import Linear, LinearModel

from modelway import Bundle, Schema, ScoringModel, Transform
from modelway.testing import make_run

SCHEMA: dict[str, Any] = {
    "columns": {
        "age": {"type": "integer", "min": 0, "max": 120},
        "income": {"type": "number", "nullable": True, "min": 0},
        "spent": {"type": "number", "min": 0},
        "city": {"type": "category", "values": ["Oslo", "Turin", "Quito"]},
        "code": {"type": "string", "pattern": "[A-Z]{2}[0-9]+", "nullable": True},
        "member": {"type": "boolean"},
        "since": {"type": "date", "nullable": True},
    },
    "rules": {
        "affordable": {"expression": "spent <= 10 * income", "description": "Nobody spends ten times an income."}
    },
}
ROW: dict[str, Any] = {
    "age": 40, "income": 2.5, "spent": 1.25, "city": "Turin", "code": "AB12", "member": True, "since": "2020-02-29",
}  # fmt: skip


def scoring_model(task: str = "binary", **more: Any) -> ScoringModel:
    names = ("age", "income", "spent", "ratio", "city", "member")
    weights = ((0.03, 0.2, -0.4, 1.0, 0.3, -0.2), (0.01, 0.1, 0.4, 0.0, -0.3, 0.2), (0.02, -0.1, 0.2, 0.5, 0.1, 0.0))
    kept = weights if task == "multiclass" else weights[:1]
    classes = {"binary": ("no", "yes"), "multiclass": ("low", "middle", "high"), "regression": ()}[task]
    model = ScoringModel(
        model=LinearModel(names, kept, task), trainer=Linear(),
        preparers=(("share", Ratio(over=("spent", "income"))),),
        transforms=(Transform(Codes(columns=("city",)), ("city",), {"city": ["Turin", "Oslo", "Quito"]}, "cities"),),
        schema=Schema.of(more.pop("schema", SCHEMA)), task=task, classes=classes, about=more,
    )  # fmt: skip
    golden = [ROW, {**ROW, "age": 7, "city": "Quito"}, {**ROW, "income": None, "member": False, "since": None}]
    return model.with_golden(golden)


def package(folder: Path, model: ScoringModel, **options: Any) -> Bundle:
    return BentoML(**options).package(model, replace(make_run(folder), project="Shop 2"))
