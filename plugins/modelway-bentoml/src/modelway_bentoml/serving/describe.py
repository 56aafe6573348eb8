"""What the service takes and gives, made from the declared schema: JSON Schema and OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelway import ColumnSchema, Schema

_TYPES: dict[str, Any] = {
    "integer": "integer", "number": "number", "boolean": "boolean", "string": "string", "timestamp": "string",
    "date": "string",
}  # fmt: skip
_JSON = {str: "string", bool: "boolean", int: "integer", float: "number"}


def field_schema(column: ColumnSchema) -> dict[str, Any]:
    """Return the JSON Schema of a field."""
    kinds = [_TYPES[column.type]] if column.type in _TYPES else ["string", "integer", "boolean"]
    timed = column.type in ("timestamp", "date")
    body: dict[str, Any] = {}
    if column.values is not None and not timed:
        if column.type == "category":
            kinds = sorted({_JSON[type(value)] for value in column.values})
        body["enum"] = [*column.values, *([None] if column.nullable else [])]
    if column.nullable:
        kinds = [*kinds, "null"]
    body["type"] = kinds[0] if len(kinds) == 1 else kinds
    if column.type in ("integer", "number"):
        low, high = (-(2**63), 2**63 - 1) if column.type == "integer" else (None, None)
        for word, bound in (("minimum", low if column.min is None else column.min),
                            ("maximum", high if column.max is None else column.max)):  # fmt: skip
            if bound is not None:
                body[word] = bound
    elif column.pattern and not timed:
        body["pattern"] = f"^(?:{column.pattern})$"
    if timed:
        body["format"] = "date" if column.type == "date" else "date-time"
    if column.description:
        body["description"] = column.description
    return body


def row_schema(schema: Schema) -> dict[str, Any]:
    """Return the JSON Schema of a row; a rule across columns stands in the description."""
    body: dict[str, Any] = {
        "type": "object",
        "properties": {name: field_schema(column) for name, column in schema.columns.items()},
        "required": [name for name, column in schema.columns.items() if not column.nullable],
        "additionalProperties": schema.extra == "drop",
    }
    said = [
        f"{name}: {rule.expression}" + (f" ({rule.description.rstrip('.')})" if rule.description else "")
        for name, rule in schema.rules.items()
        if rule.severity == "stop"
    ]
    return body | ({"description": "Each row also holds to: " + "; ".join(said)} if said else {})


def request_schema(schema: Schema, most: int) -> dict[str, Any]:
    """Return the JSON Schema of a request of at most ``most`` rows."""
    row = row_schema(schema)
    lists = {
        name: {"type": "array", "items": field, "minItems": 1, "maxItems": most}
        for name, field in row["properties"].items()
    }
    columns = {**row, "properties": lists, "description": "Lists of values by field, all of one length"}

    def form(name: str, inner: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Request",
        "oneOf": [
            form("rows", {"type": "array", "items": row, "minItems": 1, "maxItems": most}),
            form("columns", columns),
            form("row", row),
        ],
    }


def openapi(
    about: Mapping[str, Any], schema: Schema, most: int, classes: Sequence[Any], examples: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the service.

    Args:
        about: The model's ``project``, ``version`` and ``task``.
        schema: Declared schema of the features.
        most: Most rows of a request.
        classes: Classes of the target; empty for regression.
        examples: Rows to show.
    """
    score: dict[str, Any] = {"type": ["number", "null"]}
    prediction: dict[str, Any] = {"id": {"type": "string", "format": "uuid"}, "score": score}
    if classes:
        prediction["label"] = {"enum": [*classes, None]}
    if about["task"] == "multiclass":
        named = {str(name): score for name in classes}
        prediction["probabilities"] = {"type": "object", "properties": named}
    model = {"type": "object", "properties": {"project": {"type": "string"}, "version": {"type": "string"}}}
    problem = {
        "type": "object",
        "properties": {
            "row": {"type": ["integer", "null"]}, "field": {"type": "string"},
            "rule": {"type": "string"}, "message": {"type": "string"},
        },
    }  # fmt: skip
    answer = {
        "type": "object",
        "properties": {
            "predictions": {
                "type": "array",
                "items": {"type": "object", "properties": prediction, "required": ["id", "score"]},
            },
            "model": model,
            "warnings": {"type": "array", "items": problem},
        },
        "required": ["predictions", "model"],
    }
    error: dict[str, Any] = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    problems = {"count": {"type": "integer"}, "problems": {"type": "array", "items": problem}}
    listed = {
        "type": "object",
        "properties": {**error["properties"], **problems},
        "required": ["error", "count", "problems"],
    }

    def reply(text: str, body: Any) -> dict[str, Any]:
        return {"description": text, "content": {"application/json": {"schema": body}}}

    request = {key: value for key, value in request_schema(schema, most).items() if key != "$schema"}
    content: dict[str, Any] = {"schema": request}
    if examples:
        content["examples"] = {"golden": {"summary": "Rows of the test set", "value": {"rows": list(examples)}}}
    predict = {
        "operationId": "predict",
        "summary": "Score rows",
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": reply("Scores, in the order of the rows", answer),
            "400": reply("The body is not JSON of the known forms", error),
            "408": reply("The body did not arrive in time", error),
            "413": reply("The body, or the number of rows, is too large", error),
            "415": reply("The body is not JSON by its content type", error),
            "422": reply("Values that the declared schema refuses", listed),
            "503": reply("The service did not pass its own test", error),
        },
    }

    def get(name: str, text: str, **more: Any) -> dict[str, Any]:
        return {"get": {"operationId": name, "summary": text, "responses": {"200": reply(text, {}), **more}}}

    return {
        "openapi": "3.1.0",
        "info": {"title": f"Model of {about['project']}", "version": about["version"]},
        "paths": {
            "/predict": {"post": predict},
            "/schema": get("schema", "The JSON Schema of a request"),
            "/health": get("health", "Whether the golden rows score as in training", **{"503": reply("Not ready", {})}),
            "/openapi.json": get("openapi", "This description"),
        },
    }
