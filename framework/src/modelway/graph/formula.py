"""Expressions as ONNX operators: the same arithmetic as numpy's, on float64, for every kind of column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from modelway.errors import ConfigError
from modelway.expression import Expression, Term
from modelway.graph import Graph, Wire

_PLAIN = {
    "negative": "Neg", "abs": "Abs", "log": "Log", "exp": "Exp", "sqrt": "Sqrt", "floor": "Floor", "ceil": "Ceil",
    "sin": "Sin", "cos": "Cos",
}  # fmt: skip
_ARITHMETIC = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow", "minimum": "Min",
    "maximum": "Max",
}  # fmt: skip
_COMPARE = {
    "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual",
    "equal": "Equal", "not_equal": "Equal",
}  # fmt: skip
#: What numpy does with two booleans.
_TRUTHS = {"add": "Or", "maximum": "Or", "multiply": "And", "minimum": "And"}

#: A column of shape (rows, 1), or a plain value.
_Operand: TypeAlias = "Wire | str | int | float | bool"


def written(expression: Expression, columns: Mapping[str, Wire], graph: Graph) -> Wire:
    """Write an expression into a graph.

    Raises:
        ConfigError: it does what cannot be written: orders text, joins text and numbers, or counts with durations.
    """
    writer = _Writer(columns, graph)
    try:
        found = writer.write(expression.tree)
        return found if isinstance(found, Wire) else writer.wire(found)
    except ConfigError as error:
        raise ConfigError(f"The expression '{expression.text}' cannot be written as ONNX: {error.what}") from None


class _Writer:
    def __init__(self, columns: Mapping[str, Wire], graph: Graph) -> None:
        self.columns, self.graph, self.arithmetic = columns, graph, graph.arithmetic
        self.durations: set[str] = set()

    def write(self, term: Term) -> _Operand:
        graph = self.graph
        if term.what == "value":
            return term.parts[0]  # type: ignore[no-any-return]  # the value of an expression's text
        if term.what == "column":
            wire = self.columns[term.parts[0]]
            if wire.kind == "code":
                return Wire(graph.text(wire), kind="text")
            return Wire(graph.block([wire]), kind=wire.kind)
        if term.what in ("in", "not in"):
            return self._member(self.write(term.parts[0]), term.parts[1], term.what == "not in")
        parts = [self.write(part) for part in term.parts]
        if term.what in ("hour", "weekday"):
            time = self.wire(parts[0])
            if time.kind != "time":
                raise ConfigError("hour and weekday are of a time")
            return Wire(self.arithmetic.if_known(time.tensor, self.arithmetic.part(time.tensor, term.what)))
        if not any(isinstance(part, Wire) for part in parts):
            folded: _Operand = _folded(term.what, parts)
            return folded
        if any(isinstance(part, Wire) and part.tensor in self.durations for part in parts):
            raise ConfigError("the difference of two times is used in arithmetic; derive it as a column first")
        if term.what in _COMPARE:
            return self._compared(term.what, *parts)
        if term.what in ("logical_and", "logical_or"):
            op = "And" if term.what == "logical_and" else "Or"
            return self._truth(graph.add(op, *(self.truth(part) for part in parts)))
        if term.what == "logical_not":
            return self._truth(graph.add("Not", self.truth(parts[0])))
        if term.what == "where":
            return self._where(*parts)
        if term.what == "isnan":
            return self._truth(graph.missing(self.wire(parts[0])))
        return self._counted(term.what, parts)

    def wire(self, operand: _Operand) -> Wire:
        if isinstance(operand, Wire):
            return operand
        if isinstance(operand, str):
            return Wire(self.graph.constant([operand], "text"), kind="text")
        if isinstance(operand, bool):
            return Wire(self.graph.constant([operand], "bool"), kind="truth")
        return Wire(self.arithmetic.number(operand))

    def number(self, operand: _Operand) -> str:
        wire = self.wire(operand)
        if wire.kind == "truth":
            return self.graph.add("Cast", wire.tensor, to="float64")
        if wire.kind != "number":
            raise ConfigError(f"it counts with {'a time' if wire.kind == 'time' else 'text'}")
        return wire.tensor

    def truth(self, operand: _Operand) -> str:
        wire = self.wire(operand)
        if wire.kind == "truth":
            return wire.tensor
        return self.graph.add("Not", self.graph.add("Equal", self.number(wire), self.arithmetic.number(0)))

    def _truth(self, tensor: str) -> Wire:
        return Wire(tensor, kind="truth")

    def _member(self, operand: _Operand, values: list[Any], inverted: bool) -> Wire:
        wire = self.wire(operand)
        if wire.kind != "text" and any(isinstance(value, str) for value in values):
            raise ConfigError("it looks for text among numbers or times")
        found = self.graph.look_up(wire, dict.fromkeys(values, 1.0), unseen=0.0, missing=0.0)
        held = self.graph.add("Greater", found, self.arithmetic.number(0.5))
        return self._truth(self.graph.add("Not", held) if inverted else held)

    def _compared(self, what: str, left: _Operand, right: _Operand) -> Wire:
        graph, kinds = self.graph, {self.wire(left).kind, self.wire(right).kind}
        if "time" in kinds:
            found = self._compared_times(what, left, right)
        elif "text" in kinds:
            if what not in ("equal", "not_equal"):
                raise ConfigError("it orders text")
            texts = [self._as_text(operand) for operand in (left, right)]
            found = graph.add("Equal", *texts)
        else:
            found = graph.add(_COMPARE[what], self.number(left), self.number(right))
        return self._truth(graph.add("Not", found) if what == "not_equal" else found)

    def _as_text(self, operand: _Operand) -> str:
        if not isinstance(operand, Wire):
            return self.graph.constant([operand], "text")
        if operand.kind != "text":
            raise ConfigError("it compares text with numbers")
        return operand.tensor

    def _compared_times(self, what: str, left: _Operand, right: _Operand) -> str:
        """Compare times, of which a missing one equals nothing; ``not_equal`` is turned by the caller."""
        import numpy as np

        graph, times, known = self.graph, [], []
        for operand in (left, right):
            if isinstance(operand, str):
                try:
                    times.append(self.arithmetic.whole(int(np.datetime64(operand, "us").astype("int64"))))
                except ValueError:
                    raise ConfigError(f"it compares a time with '{operand}', which is none") from None
            elif isinstance(operand, Wire) and operand.kind == "time":
                times.append(operand.tensor)
                known.append(graph.add("Not", graph.missing(operand)))
            else:
                raise ConfigError("it compares a time with a number")
        found = graph.add(_COMPARE[what], *times)
        for each in known:
            found = graph.add("And", found, each)
        return found

    def _where(self, condition: _Operand, yes: _Operand, no: _Operand) -> Wire:
        wires = [self.wire(yes), self.wire(no)]
        kinds = {wire.kind for wire in wires}
        if kinds == {"number", "truth"}:
            wires, kinds = [Wire(self.number(wire)) for wire in wires], {"number"}
        if len(kinds) > 1:
            raise ConfigError(f"it chooses between {' and '.join(sorted(kinds))}")
        truth = self.truth(condition)
        (kind,) = kinds
        if kind == "truth":  # where() is not offered for booleans by every runtime
            a, b = (wire.tensor for wire in wires)
            turned = self.graph.add("And", self.graph.add("Not", truth), b)
            return self._truth(self.graph.add("Or", self.graph.add("And", truth, a), turned))
        return Wire(self.graph.add("Where", truth, *(wire.tensor for wire in wires)), kind=kind)

    def _counted(self, what: str, parts: list[_Operand]) -> Wire:
        graph, wires = self.graph, [self.wire(part) for part in parts]
        kinds = [wire.kind for wire in wires]
        if what == "subtract" and kinds == ["time", "time"]:
            return self._duration(*wires)
        if set(kinds) == {"truth"} and all(isinstance(part, (Wire, bool)) for part in parts):
            if what == "abs":
                return wires[0]
            if what in _TRUTHS:
                return self._truth(graph.add(_TRUTHS[what], *(wire.tensor for wire in wires)))
            if what != "divide":
                raise ConfigError(f"it computes '{what}' of truths; write where(..., 1, 0)")
        if what == "round":
            decimals = parts[1] if len(parts) > 1 else 0
            if not isinstance(decimals, int):
                raise ConfigError("it rounds to decimals that are not fixed")
            return Wire(self.arithmetic.rounded(self.number(parts[0]), decimals))
        numbers = [self.number(part) for part in parts]
        mended: dict[str, Callable[..., str]] = {
            "log1p": self.arithmetic.log1p, "remainder": self.arithmetic.remainder,
            "floor_divide": self.arithmetic.floor_divide,
        }  # fmt: skip
        own = mended.get(what)
        if own is not None:
            return Wire(own(*numbers))
        return Wire(graph.add({**_PLAIN, **_ARITHMETIC}[what], *numbers))

    def _duration(self, left: Wire, right: Wire) -> Wire:
        graph = self.graph
        micro = graph.add("Cast", graph.add("Sub", left.tensor, right.tensor), to="float64")
        gone = graph.add("Or", graph.missing(left), graph.missing(right))
        seconds = graph.add("Div", micro, self.arithmetic.number(1e6))
        found = graph.add("Where", gone, self.arithmetic.number(float("nan")), seconds)
        self.durations.add(found)
        return Wire(found)


def _folded(what: str, parts: list[Any]) -> Any:
    """Compute what holds no column, as numpy does."""
    import numpy as np

    with np.errstate(all="ignore"):
        try:
            found = np.asarray(getattr(np, what)(*parts))
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ConfigError(f"it cannot be computed: {error}") from None
    return found.item()
