"""Writing: a graph as the bytes of an ONNX file, equal for equal graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelway import ConfigError
from modelway_edge.compiling import Compiled

#: Versions of the operator sets; onnxruntime 1.16 and later run them.
OPSETS = {"": 19, "ai.onnx.ml": 4}
_IR = 9


def model_bytes(compiled: Compiled, about: Mapping[str, str]) -> bytes:
    """Return the ONNX file of a compiled model, checked.

    Args:
        compiled: The graph; its outputs are named ``scores`` and, where rows may be refused, ``refused``.
        about: What the file says of itself.

    Raises:
        ConfigError: the graph is not one that ONNX allows.
    """
    import onnx
    from onnx import TensorProto, helper

    graph, outputs = compiled.graph, {compiled.scores: "scores", compiled.refused: "refused"}
    wanted, kept = set(outputs), []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    made = [_node(node, outputs) for node in reversed(kept)]
    types = {"numbers": TensorProto.DOUBLE, "texts": TensorProto.STRING, "times": TensorProto.INT64}
    inputs = [
        helper.make_tensor_value_info(name, types[name], ["rows", len(columns)])
        for name, columns in compiled.inputs.items()
    ]
    results = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", None])]
    if compiled.refused:
        results.append(helper.make_tensor_value_info("refused", TensorProto.BOOL, ["rows", len(compiled.reasons)]))
    known = [_tensor(name, constant) for name, constant in graph.constants.items() if name in wanted]
    built = helper.make_model(
        helper.make_graph(made, "modelway", inputs, results, known),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in OPSETS.items()],
        ir_version=_IR, producer_name="modelway",
    )  # fmt: skip
    helper.set_model_props(built, dict(sorted(about.items())))
    try:
        onnx.checker.check_model(built)
    except onnx.checker.ValidationError as error:
        raise ConfigError(f"The compiled model is not one that ONNX allows: {str(error).splitlines()[0]}") from None
    return bytes(built.SerializeToString(deterministic=True))


def _node(node: Any, outputs: Mapping[str, str]) -> Any:
    from onnx import helper

    held = helper.make_node(
        node.op, [outputs.get(name, name) for name in node.inputs], [outputs.get(name, name) for name in node.outputs],
        domain=node.domain,
    )  # fmt: skip
    for name, value in sorted(node.attributes.items()):
        if hasattr(value, "element"):
            value = _tensor(name, value)
        elif node.op == "Cast":
            value = _element(value)
        held.attribute.append(helper.make_attribute(name, value))
    return held


def _element(name: str) -> int:
    from onnx import TensorProto

    return {
        "float64": TensorProto.DOUBLE, "float32": TensorProto.FLOAT, "int64": TensorProto.INT64,
        "bool": TensorProto.BOOL, "text": TensorProto.STRING,
    }[name]  # fmt: skip


def _tensor(name: str, constant: Any) -> Any:
    from onnx import helper

    items = [item.encode() for item in constant.items] if constant.element == "text" else list(constant.items)
    return helper.make_tensor(name, _element(constant.element), constant.shape, items)
