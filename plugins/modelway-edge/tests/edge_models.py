"""Makes scoring models of the plugins' own features and trees, without a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from modelway_edge import compiling, writing
from modelway_edge_runtime.fields import MISSING_TEXT, text_of
from modelway_features import features
from modelway_xgboost.layout import Layout
from modelway_xgboost.model import XGBoostModel
from modelway_xgboost.trainer import XGBoost

from modelway import Columns, Graph, Schema, ScoringModel, Transform, Wire, build, from_records

FEATURES = {feature.name: feature for feature in features()}

SCHEMA = {
    "columns": {
        "age": {"type": "integer", "min": 0, "max": 120},
        "income": {"type": "number", "min": 0, "nullable": True},
        "debt": {"type": "number", "nullable": True},
        "plan": {"type": "category", "values": ["free", "basic", "pro"]},
        "city": {"type": "string", "nullable": True},
        "grade": {"type": "category", "values": [1, 2, 3, 4]},
        "member": {"type": "boolean"},
        "seen": {"type": "timestamp", "nullable": True},
        "born": {"type": "date"},
    },
    "rules": {"sane": {"expression": "debt < 1e9", "description": "a debt of a person"}},
}

CONFIG: dict[str, dict[str, Any]] = {
    "fill": {"use": "impute", "columns": ["income"], "indicator": True},
    "sizes": {"use": "scale", "columns": ["income", "age"]},
    "places": {"use": "category", "columns": ["city"], "min_count": 5},
    "plans": {"use": "onehot", "columns": ["plan", "grade"], "missing": "column"},
    "times": {"use": "dateparts", "columns": ["seen", "born"]},
    "load": {"use": "derive", "columns": {"load": "debt / (income + 3)", "poor": "where(income < 0, 1, 0)"}},
    "debts": {"use": "log", "columns": ["debt"], "negative": "signed"},
}


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows of the schema, missing values among them."""
    rng = np.random.default_rng(seed)

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.1 else value

    return [
        {
            "age": int(rng.integers(18, 90)),
            "income": maybe(float(rng.lognormal(8, 1))),
            "debt": maybe(float(rng.lognormal(6, 1))),
            "plan": ["free", "basic", "pro"][rng.integers(3)],
            "city": maybe(f"c{rng.integers(60)}"),
            "grade": int(rng.integers(1, 5)),
            "member": bool(rng.integers(2)),
            "seen": maybe(str(np.datetime64("2020-01-01T00:00", "s") + int(rng.integers(-(10**9), 10**8)))),
            "born": str(np.datetime64("1980-01-01") + int(rng.integers(-9000, 9000))),
        }
        for _ in range(count)
    ]


def fitted(config: Mapping[str, Mapping[str, Any]], columns: Columns) -> tuple[tuple[Transform, ...], Columns]:
    """Fit features one after the other; returns them, and the columns that they make."""
    made = []
    for label, each in config.items():
        feature = build(FEATURES[each["use"]], {key: value for key, value in each.items() if key != "use"})
        inputs = feature.inputs(columns)
        state = feature.finish(feature.summarise({name: columns[name] for name in inputs})) if feature.fitted else {}
        made.append(Transform(feature, inputs, state, label))
        columns = made[-1](columns)
    return tuple(made), columns


def scoring_model(
    task: Any = "binary", config: Mapping[str, Mapping[str, Any]] = CONFIG, preparers: Sequence[Any] = (),
    schema: Mapping[str, Any] = SCHEMA, given: Sequence[dict[str, Any]] = (), rounds: int = 12, **parameters: Any,
) -> ScoringModel:  # fmt: skip
    """Return a model of a target that numbers, categories and missing values decide."""
    import xgboost

    declared, given = Schema.of(schema), list(given) or rows(800)
    columns = from_records(given, {name: column.type for name, column in declared.columns.items()})
    for _, preparer in preparers:
        columns = preparer.apply(columns)
    transforms, columns = fitted(config, columns)
    categories = {name: column.values for name, column in columns.items() if hasattr(column, "codes")}
    layout = Layout(tuple(columns), categories)
    matrix = layout.matrix(columns)
    shares = np.nan_to_num(matrix.astype(float))
    shares = (shares - shares.mean(0)) / (shares.std(0) + 1e-9)
    target = np.sin(shares[:, ::2].sum(1)) + shares[:, 0] + (np.isnan(matrix).sum(1) > 0)
    target += sum(((matrix[:, layout.names.index(name)] % 3) == 1) * 1.0 for name in categories)
    if str(parameters.get("objective", "")).startswith("count:"):
        target = np.abs(target)
    classes: tuple[Any, ...] = ()
    settings: dict[str, Any] = {"objective": "reg:squarederror"}
    if task == "binary":
        target, classes, settings = target > np.median(target), (0, 1), {"objective": "binary:logistic"}
    elif task == "multiclass":
        target, classes = np.digitize(target, np.quantile(target, [0.3, 0.7])), ("low", "middle", "high")
        settings = {"objective": "multi:softprob", "num_class": 3}
    matrix = xgboost.DMatrix(
        matrix, target, feature_names=layout.labels, feature_types=layout.types, enable_categorical=True
    )
    booster = xgboost.train({"tree_method": "hist", "nthread": 1, **settings, **parameters}, matrix, rounds)
    model = XGBoostModel(booster, layout, task, len(classes))
    return ScoringModel(
        model, XGBoost(), tuple(preparers), transforms, declared, task, classes, about={"data": "d" * 64}
    ).with_golden(given[:20])


def run_graph(write: Any, columns: Columns, texts: Sequence[str] = ()) -> dict[str, Any]:
    """Run what ``write(wires, graph)`` writes on columns.

    Args:
        write: Returns wires by name.
        columns: The columns, as a feature sees them.
        texts: The texts that outputs may hold; a text is returned as its place among them, -1 for another one.

    Returns:
        Each output as float32, missing as NaN; and ``refused``, booleans of shape (rows,).
    """
    import onnxruntime

    graph = Graph()
    feeds: dict[str, list[Any]] = {"numbers": [], "texts": [], "times": []}
    inputs: dict[str, list[str]] = {group: [] for group in feeds}
    for name, column in columns.items():
        if hasattr(column, "codes"):
            group, items = "texts", [MISSING_TEXT if item is None else text_of(item) for item in column.objects()]
        elif column.dtype.kind == "M":
            group, items = "times", column.astype("M8[us]").astype(np.int64)
        else:
            group, items = "numbers", column.astype(np.float64)
        feeds[group].append(items)
        inputs[group].append(name)
    kinds: dict[str, Any] = {"numbers": "number", "texts": "text", "times": "time"}
    wires: dict[str, Wire] = {}
    for group, names in inputs.items():
        wires |= graph.wires(group, names, kinds[group])
    made = write({name: wires[name] for name in columns}, graph)
    if not made:  # no category was seen, so there is no column
        return {}
    places, nan = {text: float(i) for i, text in enumerate(texts)}, float("nan")
    numbers = [
        Wire(graph.look_up(wire, places, unseen=-1.0, missing=nan)) if wire.kind in ("text", "code") else wire
        for wire in made.values()
    ]
    scores = graph.add("Cast", graph.numbers(numbers), width=len(made), to="float32")
    guards = [tensor for tensor, _ in graph.guards]
    refused = graph.add("Concat", *guards, axis=1) if guards else ""
    reasons = tuple(reason for _, each in graph.guards for reason in each)
    held = {group: tuple(names) for group, names in inputs.items() if names}
    data = writing.model_bytes(compiling.Compiled(graph, held, scores, refused, reasons, 0), {})
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    types = {"numbers": np.float64, "texts": object, "times": np.int64}
    found = session.run(
        None,
        {group: np.array(feeds[group], dtype=types[group]).T.reshape(-1, len(names)) for group, names in held.items()},
    )
    outputs = {name: found[0][:, i] for i, name in enumerate(made)}
    return outputs | {"refused": found[1].any(axis=1) if guards else np.zeros(len(found[0]), dtype=bool)}
