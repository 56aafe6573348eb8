"""Declared arithmetic: expressions over columns that can be read, checked and run without running code.

Used for rules across columns, derived columns and features. An expression knows the columns it needs, works on
numpy arrays of any length, and admits only arithmetic, comparison, and the functions listed in ``FUNCTIONS``; ``hour``
and ``weekday`` (Monday is 0) are of a time, and a time compares with ISO text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

from modelway.errors import ConfigError, DataError, nearest

_BINARY = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder", ast.Pow: "power", ast.BitAnd: "logical_and", ast.BitOr: "logical_or",
}  # fmt: skip
_COMPARE = {
    ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal",
    ast.Gt: "greater", ast.GtE: "greater_equal",
}  # fmt: skip
_UNARY = {ast.USub: "negative", ast.Not: "logical_not", ast.Invert: "logical_not"}
#: Functions an expression may call, by the numpy function that computes each.
FUNCTIONS = {
    "abs": "abs", "minimum": "minimum", "maximum": "maximum", "log": "log", "log1p": "log1p", "exp": "exp",
    "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "round": "round", "sin": "sin", "cos": "cos",
    "where": "where", "isnull": "isnan", "hour": "hour", "weekday": "weekday",
}  # fmt: skip
# numpy takes one operand more as the array to write into: a wrong count would overwrite a column
_OPERANDS = {"minimum": (2, 99), "maximum": (2, 99), "where": (3, 3), "round": (1, 2)}


@dataclass(frozen=True)
class Term:
    """A step of an expression, for whoever writes it in another language.

    Attributes:
        what: ``column``, whose part is the name; ``value``, whose part is the value; ``in`` and ``not in``, whose parts
            are a term and a list of values; otherwise the numpy function that computes it (``isnan`` of any column,
            ``hour`` and ``weekday`` of a time), whose parts are terms.
        parts: What it is computed from.
    """

    what: str
    parts: tuple[Any, ...]


class Expression:
    """A parsed expression.

    Column names that are not Python names are written in backticks: ``\\`mean radius\\` / 2``.

    Raises:
        ConfigError: the text does not parse, or uses something other than declared arithmetic.
    """

    def __init__(self, text: str, *, where: str = "") -> None:
        self.text, self.where = text, where
        self._columns: list[str] = []
        self._asks_missing = False
        source, self._quoted = _unquote(text)
        try:
            self._tree = ast.parse(source.strip(), mode="eval").body
            self._run = self._compile(self._tree)
        except SyntaxError as error:
            raise ConfigError(f"The expression '{text}' does not parse: {error.msg}", where=where) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(f"The expression '{text[:60]}...' does not parse: {error}", where=where) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (self.text, self.where))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that the expression reads, in order of first use."""
        return tuple(dict.fromkeys(self._columns))

    @property
    def asks_missing(self) -> bool:
        """Whether it calls ``isnull``: such a rule says itself what a missing value means, which breaks no other."""
        return self._asks_missing

    @property
    def tree(self) -> Term:
        """The expression as steps, the last one outermost."""
        return self._term(self._tree)

    def __call__(self, columns: Mapping[str, Any]) -> Any:
        """Evaluate over columns: a mapping of names to numpy arrays of one length.

        Raises:
            DataError: a column is absent, or a category column is used as a number.
        """
        import numpy as np

        for name in self.columns:
            if name not in columns:
                raise DataError(
                    f"The expression '{self.text}' needs column '{name}', which the table does not have",
                    where=self.where,
                    mend=nearest(name, columns),
                )
        with np.errstate(all="ignore"):
            try:
                return self._run(columns)
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f"The expression '{self.text}' cannot be computed: {error}", where=self.where) from None

    def _compile(self, node: ast.expr) -> Callable[[Mapping[str, Any]], Any]:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str, bool)):
            constant = node.value
            return lambda columns: constant
        if isinstance(node, ast.Name):
            name = self._quoted.get(node.id, node.id)
            self._columns.append(name)
            return lambda columns: _operand(columns[name])
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self._call(_BINARY[type(node.op)], node.left, node.right)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            return self._call(_UNARY[type(node.op)], node.operand)
        if isinstance(node, ast.BoolOp):
            word = "logical_and" if isinstance(node.op, ast.And) else "logical_or"
            parts = [self._compile(value) for value in node.values]

            def fold(columns: Mapping[str, Any]) -> Any:
                result = parts[0](columns)
                for part in parts[1:]:
                    result = _numpy(word)(result, part(columns))
                return result

            return fold
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id not in FUNCTIONS:
                raise ConfigError(
                    f"The expression '{self.text}' calls '{node.func.id}', which is not a function here",
                    where=self.where,
                    mend=nearest(node.func.id, FUNCTIONS),
                )
            fewest, most = _OPERANDS.get(node.func.id, (1, 1))
            if not fewest <= len(node.args) <= most:
                raise ConfigError(
                    f"The expression '{self.text}' gives '{node.func.id}' {len(node.args)} operands,"
                    f" and it takes {fewest if fewest == most else f'{fewest} or more'}",
                    where=self.where,
                )
            return self._call(FUNCTIONS[node.func.id], *node.args)
        raise ConfigError(
            f"The expression '{self.text}' uses {type(node).__name__.lower()}, which is not arithmetic",
            where=self.where,
        )

    def _term(self, node: ast.expr) -> Term:
        match node:  # what _compile has admitted
            case ast.Constant(value):
                return Term("value", (value,))
            case ast.Name(name):
                return Term("column", (self._quoted.get(name, name),))
            case ast.BinOp(left, op, right):
                return Term(_BINARY[type(op)], (self._term(left), self._term(right)))
            case ast.UnaryOp(op, operand):
                return Term(_UNARY[type(op)], (self._term(operand),))
            case ast.BoolOp(op, values):
                return _joined("logical_and" if isinstance(op, ast.And) else "logical_or", map(self._term, values))
            case ast.Call(ast.Name(name), operands):
                parts = [self._term(operand) for operand in operands]
                function = FUNCTIONS[name]
                return _joined(function, parts) if name in ("minimum", "maximum") else Term(function, tuple(parts))
            case ast.Compare(left, ops, comparators):
                lefts = [left, *comparators]
                return _joined("logical_and", map(self._compared, lefts, ops, comparators))
        raise AssertionError(node)

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Term:
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, (ast.Tuple, ast.List)):
            values = [self._literal(item) for item in right.elts]
            return Term("in" if isinstance(op, ast.In) else "not in", (self._term(left), values))
        return Term(_COMPARE[type(op)], (self._term(left), self._term(right)))

    def _literal(self, node: ast.expr) -> Any:
        try:
            value = ast.literal_eval(node)
        except ValueError:
            value = None
        if isinstance(value, (int, float, str, bool)):
            return value
        raise ConfigError(f"The expression '{self.text}' lists something other than plain values", where=self.where)

    def _call(self, function: str, *operands: ast.expr) -> Callable[[Mapping[str, Any]], Any]:
        parts = [self._compile(operand) for operand in operands]
        self._asks_missing |= function == "isnan"
        if function in ("minimum", "maximum"):
            return lambda columns: reduce(_numpy(function), (part(columns) for part in parts))
        own = {"isnan": _null, "hour": _hour, "weekday": _weekday}.get(function)
        if own is not None:
            return lambda columns: own(parts[0](columns))
        return lambda columns: _numpy(function)(*(part(columns) for part in parts))

    def _compare(self, node: ast.Compare) -> Callable[[Mapping[str, Any]], Any]:
        left = self._compile(node.left)
        steps: list[tuple[str, Callable[[Mapping[str, Any]], Any]]] = []
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, (ast.Tuple, ast.List)):
                values = [self._literal(item) for item in right.elts]
                word = "in" if isinstance(op, ast.In) else "not in"
                steps.append((word, lambda columns, values=values: values))  # type: ignore[misc]
            elif type(op) in _COMPARE:
                steps.append((_COMPARE[type(op)], self._compile(right)))
            else:
                raise ConfigError(f"The expression '{self.text}' compares in a way that is not known", where=self.where)

        def compare(columns: Mapping[str, Any]) -> Any:
            a, result = left(columns), None
            for word, step in steps:
                b = step(columns)
                if word in ("in", "not in"):
                    held = _numpy("isin")(a, b, invert=word == "not in")
                else:
                    held = _numpy(word)(*_comparable(a, b))
                result = held if result is None else _numpy("logical_and")(result, held)
                a = b
            return result

        return compare


def _joined(function: str, parts: Iterable[Term]) -> Term:
    return reduce(lambda a, b: Term(function, (a, b)), parts)


def _again(text: str, where: str) -> Expression:
    return Expression(text, where=where)


def _null(values: Any) -> Any:
    import numpy as np

    array: Any = np.asarray(values)
    return array == np.array(None) if array.dtype == object else array != array


def _comparable(a: Any, b: Any) -> tuple[Any, Any]:
    """Read a text that is compared with times as one: ``time >= '2026-01-31'``."""
    import numpy as np

    if isinstance(b, str) and getattr(getattr(a, "dtype", None), "kind", "") == "M":
        return a, np.datetime64(b)
    if isinstance(a, str) and getattr(getattr(b, "dtype", None), "kind", "") == "M":
        return np.datetime64(a), b
    return a, b


def _hour(times: Any) -> Any:
    return (_times(times).astype("M8[h]").astype("int64") % 24).astype("float64") + _gap(times)


def _weekday(times: Any) -> Any:  # Monday is 0; 1970-01-01 was a Thursday
    return ((_times(times).astype("M8[D]").astype("int64") + 3) % 7).astype("float64") + _gap(times)


def _times(values: Any) -> Any:
    if getattr(getattr(values, "dtype", None), "kind", "") != "M":
        raise TypeError("hour and weekday are of a time")
    return values


def _gap(times: Any) -> Any:
    import numpy as np

    return np.where(np.isnat(times), np.nan, 0.0)


@cache
def _numpy(name: str) -> Callable[..., Any]:
    import numpy as np

    return getattr(np, name)  # type: ignore[no-any-return]


def _operand(column: Any) -> Any:
    return column.objects() if hasattr(column, "objects") else column


def _unquote(text: str) -> tuple[str, dict[str, str]]:
    pieces, quoted = text.split("`"), {}
    for i in range(1, len(pieces), 2):
        alias = f"column_{i}_"
        quoted[alias], pieces[i] = pieces[i], alias
    return "".join(pieces), quoted
