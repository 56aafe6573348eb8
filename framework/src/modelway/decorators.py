"""Small things stay small: a plain typed function becomes a component.

The function's positional parameters are those of the stage's method (``run`` may be left out); its keyword-only
parameters become the component's fields; its name and docstring are the component's.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from modelway import stages
from modelway.component import param
from modelway.errors import PluginError
from modelway.values import Columns, Predictions, Scores


def _component(
    function: Callable[..., Any], base: type, methods: Mapping[str, Callable[..., Any]], **more: Any
) -> type:
    parameters = inspect.signature(function).parameters
    options = {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    # The other parameters' types may name what is imported for a type checker only.
    written = {name: p.annotation for name, p in options.items() if p.annotation is not inspect.Parameter.empty}
    types = typing.get_type_hints(SimpleNamespace(__annotations__=written), function.__globals__)
    fields = []
    for name, parameter in options.items():
        if name not in types:
            raise PluginError(f"The parameter '{name}' of {function.__name__} has no type", mend="Annotate it")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields.append((name, types[name], param(default, f"Parameter {name} of {function.__name__}.")))
    body = {"__doc__": function.__doc__, "__module__": function.__module__, **methods, **more}
    cls = type(base)(function.__name__, (base,), {**body, "__annotations__": {}}, name=function.__name__)
    made: type[Any] = dataclasses.make_dataclass(
        function.__name__, fields, bases=(cls,), frozen=True, kw_only=True, namespace={"__doc__": function.__doc__}
    )
    made.__module__, made.name = function.__module__, function.__name__
    made.__qualname__ = function.__qualname__
    return made


def _call(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(function).parameters
    options = [name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    takes_run = [name for name in parameters if name not in options][-1:] == ["run"]

    def call(self: Any, *values: Any, run: Any) -> Any:
        given = {name: getattr(self, name) for name in options}
        return function(*values, *([run] if takes_run else []), **given)

    return call


def metric(function: Callable[..., Any]) -> type:
    """Make a metric of a function of predictions that returns a number or ``Scores``."""
    call = _call(function)

    def measure(self: Any, predictions: Predictions, run: Any) -> Scores:
        found = call(self, predictions, run=run)
        return found if isinstance(found, Scores) else Scores.of(found, support=len(predictions.label))

    return _component(function, stages.Metric, {"measure": measure})


def feature(function: Callable[..., Any]) -> type:
    """Make a feature of a function of columns that returns columns; nothing is fitted, and inputs stay.

    The component also has ``columns``: names or patterns of the columns that the function is given.
    """
    call = _call(function)

    def apply(self: Any, state: Any, columns: Columns) -> Columns:
        return call(self, columns, run=None)  # type: ignore[no-any-return]

    made = _component(function, stages.Feature, {"apply": apply}, fitted=False, keeps_inputs=True)
    columns = ("columns", tuple[str, ...], param((), "Names or patterns of the input columns."))
    full: type[Any] = dataclasses.make_dataclass(function.__name__, [columns], bases=(made,), frozen=True, kw_only=True)
    full.__module__, full.name, full.__doc__ = function.__module__, function.__name__, function.__doc__
    return full


def _plain(base: type, method: str) -> Callable[[Callable[..., Any]], type]:
    def decorate(function: Callable[..., Any]) -> type:
        call = _call(function)
        arguments = len(inspect.signature(getattr(base, method)).parameters) - 2

        def run_it(self: Any, *values: Any, run: Any = None) -> Any:
            return call(self, *values[:arguments], run=values[-1] if run is None else run)

        return _component(function, base, {method: run_it})

    decorate.__doc__ = f"Make a component of a function with the arguments of ``{base.__name__}.{method}``."
    return decorate


preparer = _plain(stages.Preparer, "prepare")
check = _plain(stages.Check, "check")
splitter = _plain(stages.Splitter, "split")
gate = _plain(stages.Gate, "decide")
