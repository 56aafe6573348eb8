"""Answers of each task, as a caller reads them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from modelway_bentoml.serving.app import _read
from modelway_bentoml.serving.body import Refused
from modelway_bentoml.serving.describe import request_schema
from modelway_bentoml.serving.predictor import Predictor, prediction_ids
from modelway_bentoml.serving.scorer import Scorer
from shop import ROW, SCHEMA, scoring_model
from small_model.trainer import LinearModel
from starlette.requests import Request

from modelway import DataError, Schema


def predictor(task: str = "binary", **about: Any) -> Predictor:
    manifest = {"project": "shop", "version": "v", "limits": {"rows": 50}}
    return Predictor(Scorer(scoring_model(task, **about), manifest, 0.0))


def ask(asked: Predictor, body: Any, status: int = 200) -> Any:
    reply = asked.answer(json.dumps(body).encode())
    assert reply.status == status
    return json.loads(reply.body)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_an_answer_holds_the_score_that_offline_scoring_gives(task: str) -> None:
    rows = scoring_model(task).golden["rows"]
    expected = scoring_model(task).score_records(rows)["score"].tolist()
    answers = ask(predictor(task), {"rows": rows})["predictions"]
    if task == "multiclass":
        assert [list(answer["probabilities"].values()) for answer in answers] == expected
        assert [answer["score"] for answer in answers] == [max(row) for row in expected]
        best = [("low", "middle", "high")[int(np.argmax(row))] for row in expected]
        assert [answer["label"] for answer in answers] == best
    else:
        assert [answer["score"] for answer in answers] == expected
        assert all(("label" in answer) == (task == "binary") for answer in answers)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    by_column = ask(predictor(task), {"columns": columns})["predictions"]
    assert [{**a, "id": ""} for a in by_column] == [{**a, "id": ""} for a in answers]


def test_a_decision_is_made_at_the_recorded_operating_point() -> None:
    row = {"row": ROW}
    score = ask(predictor(), row)["predictions"][0]["score"]
    for threshold, label in ((score, "yes"), (score + 1e-9, "no")):
        answer = ask(predictor(threshold=threshold), row)
        assert answer["predictions"][0]["label"] == label
        assert answer["model"]["threshold"] == threshold


def test_what_only_the_model_can_refuse_is_still_the_callers_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, columns: Any) -> Any:
        raise DataError("Column 'income' is infinite", where="row 0")

    asked = predictor()
    monkeypatch.setattr(LinearModel, "predict", refuse)
    answer = ask(asked, {"row": ROW}, 422)
    assert answer["problems"][0]["message"] == "Column 'income' is infinite (row 0)"


def test_a_score_that_is_not_finite_is_null_and_valid_json(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = predictor()
    monkeypatch.setattr(LinearModel, "predict", lambda self, columns: {"score": np.asarray([np.nan, np.inf, 0.5])})
    answers = ask(asked, {"rows": [ROW] * 3})["predictions"]
    assert [(answer["score"], answer["label"]) for answer in answers] == [(None, None), (None, None), (0.5, "yes")]


def test_a_rule_that_only_warns_is_told_beside_the_answer() -> None:
    warns = {"expression": "spent <= income", "severity": "warn"}
    schema = Schema.of({**SCHEMA, "rules": {"modest": warns}})
    model = replace(scoring_model(), schema=schema)
    asked = Predictor(Scorer(model, {"project": "shop", "version": "v", "limits": {"rows": 50}}, 0.0))
    answer = ask(asked, {"row": {**ROW, "spent": 9}})
    assert [warning["rule"] for warning in answer["warnings"]] == ["modest"]
    assert len(answer["predictions"]) == 1


def test_a_caller_that_sends_too_slowly_is_let_go() -> None:
    async def never() -> Any:
        await asyncio.sleep(5)

    request = Request({"type": "http", "headers": []}, never)
    with pytest.raises(Refused, match="did not arrive") as refused:
        asyncio.run(_read(request, 100, 0.05))
    assert refused.value.status == 408


def test_no_two_predictions_share_an_id_and_ids_sort_by_time_and_row() -> None:
    ids = [i for _ in range(50) for i in prediction_ids(100)]
    assert len(set(ids)) == 5000
    one = list(prediction_ids(1000))
    assert one == sorted(one)
    assert all(len(i) == 36 and i[14] == "7" and i[19] in "89ab" for i in one)


def test_the_request_schema_says_what_the_declared_schema_says() -> None:
    body = request_schema(Schema.of({**SCHEMA, "extra": "refuse"}), 50)
    row = body["oneOf"][2]["properties"]["row"]
    assert row["required"] == ["age", "spent", "city", "member"]
    assert row["additionalProperties"] is False
    assert row["properties"] == {
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "income": {"type": ["number", "null"], "minimum": 0},
        "spent": {"type": "number", "minimum": 0},
        "city": {"type": "string", "enum": ["Oslo", "Turin", "Quito"]},
        "code": {"type": ["string", "null"], "pattern": "^(?:[A-Z]{2}[0-9]+)$"},
        "member": {"type": "boolean"},
        "since": {"type": ["string", "null"], "format": "date"},
    }
    assert "affordable: spent <= 10 * income" in row["description"]
    assert body["oneOf"][0]["properties"]["rows"]["maxItems"] == 50
