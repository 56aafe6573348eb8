"""Graphs: how features, row preparers and models write themselves down as ONNX operators.

A ``Graph`` collects nodes and constants as plain data; whoever packages turns them into a file, so that no component
needs the onnx library. A column inside a graph is a ``Wire``: one place of a tensor of shape (rows, width). Columns
that are treated alike stay together in one tensor, since a node costs about as much for thirty columns as for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from modelway.errors import ConfigError

if TYPE_CHECKING:
    from modelway.expression import Expression
    from modelway.graph.arithmetic import Arithmetic

#: What a column holds: ``number`` float64, missing as NaN; ``truth`` booleans; ``text``, missing as ``MISSING_TEXT``;
#: ``time`` whole microseconds since 1970, missing as ``MISSING_TIME``; ``code`` places in ``values``, missing as NaN.
Kind: TypeAlias = Literal["number", "truth", "text", "time", "code"]
#: Type of a tensor's elements.
Element: TypeAlias = Literal["float64", "float32", "int64", "bool", "text"]

#: Stands for a missing text; a noncharacter of Unicode, which no text holds.
MISSING_TEXT = "\uffff"
#: Stands for a missing time, as numpy's NaT does.
MISSING_TIME = -(2**63)
#: The domain of the machine-learning operators.
ML = "ai.onnx.ml"


def text_of(value: Any) -> str:
    """Return how a category stands in a tensor of text; numbers are marked, so that 1 and '1' differ."""
    if isinstance(value, str):
        return value
    return "\x1f" + (str(int(value)) if float(value).is_integer() else repr(float(value)))


@dataclass(frozen=True)
class Wire:
    """One column of a graph.

    Attributes:
        tensor: Name of the tensor, of shape (rows, width), that holds it.
        place: Its place among the tensor's columns.
        kind: What it holds.
        values: The vocabulary of a ``code``.
    """

    tensor: str
    place: int = 0
    kind: Kind = "number"
    values: tuple[Any, ...] = ()


Wires: TypeAlias = "dict[str, Wire]"


@dataclass(frozen=True)
class Constant:
    """A tensor that is known: its elements in row-major order."""

    element: Element
    shape: tuple[int, ...]
    items: tuple[Any, ...]


@dataclass(frozen=True)
class Node:
    """One operator; attributes are numbers, text, lists of them, or ``Constant``."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    domain: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Graph:
    """Nodes, constants and guards, in the order in which they were added.

    Attributes:
        nodes: The operators.
        constants: Known tensors by name.
        guards: Boolean tensors of shape (rows, width), each with the reason to refuse a row, by column.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}
        self.guards: list[tuple[str, tuple[str, ...]]] = []
        self._names: dict[Constant, str] = {}
        self._widths: dict[str, int] = {}
        self._made: dict[tuple[Any, ...], str] = {}

    def add(self, op: str, *inputs: str, domain: str = "", width: int = 1, **attributes: Any) -> str:
        """Add an operator with one output; the same operator on the same inputs is added once.

        Args:
            op: ONNX's name of the operator.
            *inputs: Names of tensors.
            domain: ``ML`` for an operator of machine learning.
            width: Columns of the output, where it has any.
            **attributes: The operator's attributes.

        Returns:
            Name of the output.
        """
        same = (op, domain, inputs, repr(sorted(attributes.items())))
        if same not in self._made:
            name = f"t{len(self.nodes)}"
            self.nodes.append(Node(op, inputs, (name,), domain, attributes))
            self._made[same], self._widths[name] = name, width
        return self._made[same]

    def constant(self, items: Sequence[Any], element: Element = "float64", shape: tuple[int, ...] | None = None) -> str:
        """Return the name of a known tensor; by default one row, of shape (1, items)."""
        held = tuple(map(text_of, items)) if element == "text" else tuple(items)
        known = Constant(element, shape if shape is not None else (1, len(items)), held)
        same = Constant(element, known.shape, tuple(map(repr, known.items)))  # -0.0 is not 0.0, and NaN is itself
        if same not in self._names:
            self._names[same] = f"c{len(self.constants)}"
            self.constants[self._names[same]] = known
        return self._names[same]

    def wires(self, tensor: str, names: Sequence[str], kind: Kind = "number", values: Sequence[Any] = ()) -> Wires:
        """Name the columns of a tensor, all of them, in order."""
        self._widths[tensor] = len(names)
        return {name: Wire(tensor, place, kind, tuple(values)) for place, name in enumerate(names)}

    def block(self, wires: Iterable[Wire]) -> str:
        """Return a tensor of shape (rows, columns) that holds columns of one kind, in order."""
        listed = list(wires)
        tensors = list(dict.fromkeys(wire.tensor for wire in listed))
        starts, total = {}, 0
        for tensor in tensors:
            starts[tensor], total = total, total + self._widths[tensor]
        whole = tensors[0] if len(tensors) == 1 else self.add("Concat", *tensors, width=total, axis=1)
        places = [starts[wire.tensor] + wire.place for wire in listed]
        if places == list(range(total)):
            return whole
        return self.add("Gather", whole, self.constant(places, "int64", (len(places),)), width=len(places), axis=1)

    def numbers(self, wires: Iterable[Wire], what: str = "") -> str:
        """Return columns as float64, shape (rows, columns).

        Raises:
            ConfigError: one holds text, codes or times.
        """
        listed = list(wires)
        for wire in listed:
            if wire.kind not in ("number", "truth"):
                raise ConfigError(f"It needs numbers, and {what or 'a column'} holds {wire.kind}")
        if {wire.kind for wire in listed} == {"truth"}:
            return self.add("Cast", self.block(listed), width=len(listed), to="float64")
        return self.block(
            Wire(self.add("Cast", self.block([wire]), to="float64")) if wire.kind == "truth" else wire
            for wire in listed
        )

    def text(self, wire: Wire) -> str:
        """Return a column of text or codes as text, shape (rows, 1).

        Raises:
            ConfigError: it holds numbers or times.
        """
        if wire.kind == "text":
            return self.block([wire])
        if wire.kind != "code":
            raise ConfigError(f"It needs text, and a column holds {wire.kind}")
        keys = Constant("float64", (len(wire.values) + 1,), (*map(float, range(len(wire.values))), float("nan")))
        texts = Constant("text", keys.shape, (*map(text_of, wire.values), MISSING_TEXT))
        return self._encode(self.block([wire]), keys, texts, MISSING_TEXT)

    def missing(self, wire: Wire) -> str:
        """Return where a column is missing: booleans of shape (rows, 1)."""
        held = self.block([wire])
        if wire.kind == "text":
            return self.add("Equal", held, self.constant([MISSING_TEXT], "text"))
        if wire.kind == "time":
            return self.add("Equal", held, self.constant([MISSING_TIME], "int64"))
        return self.add("IsNaN", self.add("Cast", held, to="float64") if wire.kind == "truth" else held)

    def look_up(self, wire: Wire, table: Mapping[Any, float], *, unseen: float, missing: float) -> str:
        """Return the number that a table holds for each row's category: float64, shape (rows, 1).

        Args:
            wire: A column of text, codes, numbers or truths.
            table: Numbers by category.
            unseen: For a category that is not in it.
            missing: For a missing value.

        Raises:
            ConfigError: the column holds times.
        """
        if wire.kind == "time":
            raise ConfigError("It needs categories, and a column holds times")
        held = self.block([wire])
        if wire.kind == "text":
            names = {text_of(value): number for value, number in table.items()} | {MISSING_TEXT: missing}
            keys = Constant("text", (len(names),), tuple(names))
            numbers = tuple(names.values())
        else:
            if wire.kind == "code":
                found = {float(i): table.get(value, unseen) for i, value in enumerate(wire.values)}
            else:
                found = {float(value): number for value, number in table.items() if not isinstance(value, str)}
                held = self.add("Cast", held, to="float64") if wire.kind == "truth" else held
            keys = Constant("float64", (len(found) + 1,), (*found, float("nan")))
            numbers = (*found.values(), missing)
        return self._encode(held, keys, Constant("float64", keys.shape, tuple(map(float, numbers))), float(unseen))

    def _encode(self, held: str, keys: Constant, values: Constant, default: Any) -> str:
        answer = Constant(values.element, (1,), (default,))
        return self.add("LabelEncoder", held, domain=ML, keys_tensor=keys, values_tensor=values, default_tensor=answer)

    def refuse(self, where: str, *reasons: str) -> None:
        """Refuse rows for which a boolean tensor of shape (rows, reasons) holds: the reason is that of the column."""
        self.guards.append((where, reasons))

    @property
    def arithmetic(self) -> Arithmetic:
        """Operations that ONNX has no operator for."""
        from modelway.graph.arithmetic import Arithmetic

        return Arithmetic(self)

    def formula(self, expression: Expression, columns: Mapping[str, Wire]) -> Wire:
        """Write an expression over columns; see ``modelway.graph.formula``.

        Returns:
            A column of numbers, truths or text; the difference of two times is in seconds.

        Raises:
            ConfigError: it does what cannot be written.
        """
        from modelway.graph.formula import written

        return written(expression, columns, self)
