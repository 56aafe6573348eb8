"""Boosted trees as one ONNX operator, ``TreeEnsembleRegressor``, read from the booster's own JSON.

A branch of numbers goes to its left where ``value < threshold``. A branch of categories is a chain of comparisons with
one category each, which runtimes turn into sets. Missing values go where the booster learnt that they go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING, Any

from modelway import ConfigError, Graph, Wire, nearest

if TYPE_CHECKING:
    from modelway_xgboost.model import XGBoostModel

#: By objective: the link of its first guess, and the operator that turns a margin into a score.
_LINKS = {
    "binary:logistic": ("logit", "Sigmoid"),
    "reg:logistic": ("logit", "Sigmoid"),
    "multi:softprob": ("", "Softmax"),
    "count:poisson": ("log", "Exp"),
    "reg:gamma": ("log", "Exp"),
    "reg:tweedie": ("log", "Exp"),
    "reg:squarederror": ("", ""),
    "reg:squaredlogerror": ("", ""),
    "reg:absoluteerror": ("", ""),
    "reg:pseudohubererror": ("", ""),
    "reg:quantileerror": ("", ""),
}


def write(model: XGBoostModel, columns: Mapping[str, Wire], graph: Graph) -> str:
    """Write a model into a graph.

    Returns:
        The scores: float32, of shape (rows, 1) or (rows, classes).

    Raises:
        ConfigError: a kind of booster or an objective that is not known, or a column of the wrong kind.
    """
    learner = json.loads(bytes(model.booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    if objective not in _LINKS:
        raise ConfigError(
            f"Trees of the objective '{objective}' cannot be written as ONNX", mend=f"Use one of {', '.join(_LINKS)}"
        )
    link, turned = _LINKS[objective]
    width = max(model.classes, 1) if model.task == "multiclass" else 1
    ensemble = _ensemble(learner["gradient_booster"], model.layout.categories, model.layout.names, width)
    guess = _guess(learner["learner_model_param"]["base_score"], link, width)
    scores = graph.add(
        "TreeEnsembleRegressor", _matrix(model, columns, graph), domain="ai.onnx.ml", width=width, n_targets=width,
        base_values=guess, aggregate_function="SUM", **ensemble.attributes(),
    )  # fmt: skip
    axis = {"axis": 1} if turned == "Softmax" else {}
    return graph.add(turned, scores, width=width, **axis) if turned else scores


def _matrix(model: XGBoostModel, columns: Mapping[str, Wire], graph: Graph) -> str:
    layout, wires = model.layout, []
    for name in layout.names:
        if name not in columns:
            raise ConfigError(f"The model reads column '{name}', which is not there", mend=nearest(name, columns))
        wire = columns[name]
        if name in layout.categories:
            values = layout.categories[name]
            if wire.kind != "code" or wire.values != tuple(values):
                places = {value: float(place) for place, value in enumerate(values)}
                wire = Wire(graph.look_up(wire, places, unseen=float("nan"), missing=float("nan")))
        elif wire.kind not in ("number", "truth"):
            raise ConfigError(
                f"The model reads column '{name}' as a number, and it holds {wire.kind}",
                mend="Let a feature turn it into a number, or train without it",
            )
        wires.append(Wire(wire.tensor, wire.place, "truth" if wire.kind == "truth" else "number"))
    width = len(wires)
    matrix = graph.add("Cast", graph.numbers(wires), width=width, to="float32")
    too_large = (f"'{name}' is infinite, or larger than a 32-bit number can be" for name in layout.names)
    graph.refuse(graph.add("IsInf", matrix, width=width), *too_large)
    return matrix


def _guess(said: str, link: str, width: int) -> list[float]:
    found = json.loads(said) if said.startswith("[") else [float(said)]
    first = [float(value) for value in found]
    if link == "logit":
        first = [-log(1 / value - 1) for value in first]
    elif link == "log":
        first = [log(value) for value in first]
    return first * width if len(first) == 1 else first


@dataclass
class _Ensemble:
    """Branches and leaves of all trees, in the operator's form: one list per attribute."""

    nodes: list[tuple[int, int, int, str, float, int, int, int]] = field(default_factory=list)
    leaves: list[tuple[int, int, int, float]] = field(default_factory=list)

    def attributes(self) -> dict[str, Any]:
        """Return the operator's attributes."""
        nodes = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids",
                 "missing_value_tracks_true")  # fmt: skip
        found = {f"nodes_{name}": list(held) for name, held in zip(nodes, zip(*self.nodes, strict=True), strict=True)}
        leaves = ("treeids", "nodeids", "ids", "weights")
        for name, held in zip(leaves, zip(*self.leaves, strict=True), strict=True):
            found[f"target_{name}"] = list(held)
        return found


def _ensemble(
    booster: Mapping[str, Any], categories: Mapping[str, Sequence[Any]], names: Sequence[str], width: int
) -> _Ensemble:
    weights = booster.get("weight_drop")
    kind, model = booster["name"], booster["gbtree"]["model"] if booster["name"] == "dart" else booster.get("model", {})
    if kind not in ("gbtree", "dart") or any(
        int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in model["trees"]
    ):
        raise ConfigError(f"A booster of kind '{kind}' cannot be written as ONNX", mend="Use trees of one score each")
    made = _Ensemble()
    for number, (tree, target) in enumerate(zip(model["trees"], model["tree_info"], strict=True)):
        sizes = [len(categories[name]) if name in categories else 0 for name in names]
        _Tree(tree, number, target if width > 1 else 0, weights[number] if weights else 1.0, sizes, made).write()
    return made


class _Tree:
    """One tree of a booster's JSON, and the ensemble that it is written into."""

    def __init__(
        self, tree: Mapping[str, Any], number: int, target: int, weight: float, sizes: list[int], made: _Ensemble
    ) -> None:
        self.tree, self.number, self.target, self.weight = tree, number, target, weight
        self.sizes, self.made, self.next = sizes, made, len(tree["left_children"])
        self.sets = {
            node: tree["categories"][start : start + size]
            for node, start, size in zip(
                tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
            )
        }

    def write(self) -> None:
        """Write every node that is reached from the root."""
        tree, waiting = self.tree, [0]
        while waiting:
            node = waiting.pop()
            left, right = tree["left_children"][node], tree["right_children"][node]
            if left < 0:
                self._node(node, 0, "LEAF", 0.0, 0, 0, 0)
                value = float(tree["split_conditions"][node]) * self.weight
                self.made.leaves.append((self.number, node, self.target, value))
                continue
            waiting += [right, left]
            if node in self.sets:
                self._chain(node, left, right)
            else:
                place, least = tree["split_indices"][node], float(tree["split_conditions"][node])
                self._node(node, place, "BRANCH_LT", least, left, right, int(tree["default_left"][node]))

    def _chain(self, node: int, left: int, right: int) -> None:
        """Send the categories of a set to the right, or those outside it to the left, whichever are fewer."""
        place, missing_left = self.tree["split_indices"][node], bool(self.tree["default_left"][node])
        held = sorted(set(self.sets[node]))
        outside = sorted(set(range(self.sizes[place])) - set(held))
        listed, yes, no = (held, right, left) if len(held) <= len(outside) else (outside, left, right)
        missing_yes = int(missing_left == (yes == left))
        if not listed:  # every category goes the same way
            self._node(node, place, "BRANCH_EQ", -1.0, yes, no, missing_yes)
            return
        at = node
        for i, code in enumerate(listed):
            last = i == len(listed) - 1
            after = no if last else self.next
            self._node(at, place, "BRANCH_EQ", float(code), yes, after, missing_yes)
            if not last:
                at, self.next = self.next, self.next + 1

    def _node(self, node: int, place: int, mode: str, value: float, yes: int, no: int, missing: int) -> None:
        self.made.nodes.append((self.number, node, place, mode, value, yes, no, missing))
