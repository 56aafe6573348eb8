"""Compiling: a scoring model as one graph from raw columns to scores, with the reasons for which it refuses rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from modelway import ColumnSchema, ConfigError, Expression, Graph, RuleSchema, ScoringModel, Wire, Wires

A = TypeVar("A")

#: How a column of each schema type enters the graph: the input's name, and what a wire of it holds.
_ENTRANCE = {
    "integer": ("numbers", "number"), "number": ("numbers", "number"), "boolean": ("numbers", "number"),
    "category": ("texts", "text"), "string": ("texts", "text"), "timestamp": ("times", "time"),
    "date": ("times", "time"),
}  # fmt: skip


@dataclass(frozen=True)
class Compiled:
    """A graph and how it is fed.

    Attributes:
        graph: The graph.
        inputs: Names of the columns of each input, in order: ``numbers``, ``texts``, ``times``.
        scores: The tensor of scores.
        refused: The boolean tensor of shape (rows, reasons) that says which rows are refused, and why; may be none.
        reasons: The reasons.
        rules: How many of the reasons, the first ones, are rules of the schema.
    """

    graph: Graph
    inputs: Mapping[str, tuple[str, ...]]
    scores: str
    refused: str
    reasons: tuple[str, ...]
    rules: int


def entrance(column: ColumnSchema) -> str:
    """Return the input that a column is part of; a category of declared numbers enters as a number."""
    if column.type == "category" and column.values and not any(isinstance(value, str) for value in column.values):
        return "numbers"
    return _ENTRANCE[column.type][0]


def compiled(model: ScoringModel) -> Compiled:
    """Write a model's row steps, features and trees into one graph.

    Raises:
        ConfigError: a step, feature, rule or model that cannot be written, by name.
    """
    graph = Graph()
    inputs: dict[str, list[str]] = {}
    for name, column in model.schema.columns.items():
        inputs.setdefault(entrance(column), []).append(name)
    kinds: dict[str, Any] = {"numbers": "number", "texts": "text", "times": "time"}
    raw: Wires = {}
    for group, names in inputs.items():
        raw |= graph.wires(group, names, kinds[group])
    rules = 0
    for name, rule in model.schema.rules.items():
        if rule.severity == "stop" and set(Expression(rule.expression).columns) <= set(raw):
            _try("The schema's rule", name, partial(_rule, rule, raw, graph))
            rules += 1
    columns = {name: raw[name] for name in model.schema.columns}
    for label, preparer in model.preparers:
        columns = _try("The step", label, partial(preparer.to_onnx, columns, graph))
    for transform in model.transforms:
        feature, read = transform.feature, {}
        for name in transform.inputs:
            if name not in columns:
                raise ConfigError(f"The feature '{transform.label}' reads column '{name}', which no request has")
            read[name] = columns[name]
        made: Wires = _try("The feature", transform.label, partial(feature.to_onnx, transform.state, read, graph))
        gone = () if feature.keeps_inputs else transform.inputs
        columns = {name: wire for name, wire in columns.items() if name not in gone} | made
    scores = _try("The model", model.trainer.name, partial(model.model.to_onnx, columns, graph))
    reasons = tuple(reason for _, each in graph.guards for reason in each)
    guards = [tensor for tensor, _ in graph.guards]
    refused = graph.add("Concat", *guards, width=len(reasons), axis=1) if guards else ""
    return Compiled(graph, {group: tuple(names) for group, names in inputs.items()}, scores, refused, reasons, rules)


def _try(what: str, name: str, write: Callable[[], A]) -> A:
    try:
        return write()
    except ConfigError as error:
        raise ConfigError(
            f"{what} '{name}' cannot be compiled for the edge: {error.what}",
            mend=error.mend or "Declare it otherwise, or package for another target",
        ) from None


def _rule(rule: RuleSchema, columns: Mapping[str, Wire], graph: Graph) -> None:
    """Refuse rows for which a rule is false; a missing value breaks none, unless the rule asks for missing values."""
    expression = Expression(rule.expression)
    found = graph.formula(expression, columns)
    if found.kind == "truth":
        broken = graph.add("Not", found.tensor)
    elif found.kind == "number":
        broken = graph.add("Equal", found.tensor, graph.constant([0.0]))
    else:
        raise ConfigError("it is no statement that holds or does not")
    if not expression.asks_missing:
        for name in expression.columns:
            broken = graph.add("And", broken, graph.add("Not", graph.missing(columns[name])))
    graph.refuse(broken, f"the row breaks a rule: {rule.description.rstrip('.') or rule.expression}")
