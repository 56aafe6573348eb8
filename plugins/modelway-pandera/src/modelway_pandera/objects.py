"""Pandera's objects, made from the declared schema: the judge of single rows, and a schema for notebooks."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from modelway import ColumnSchema, Expression, RuleSchema, Schema
from modelway_pandera.row_rules import broken

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pandera


def column_checks(ask: ColumnSchema) -> dict[str, pandera.Check]:
    """Make pandera's checks of one column's values, by rule; each leaves missing values to ``nullable``."""
    from pandera.pandas import Check

    checks = {"type": _check("type", partial(of_type, declared=ask.type), f"type {ask.type}")}
    if ask.min is not None:
        checks["min"] = Check.ge(ask.min, name="min")
    if ask.max is not None:
        checks["max"] = Check.le(ask.max, name="max")
    if ask.values is not None:
        checks["values"] = Check.isin(list(ask.values), name="values")
    if ask.pattern is not None:
        checks["pattern"] = _check("pattern", partial(matches, pattern=ask.pattern), f"pattern {ask.pattern}")
    return checks


def dataframe_schema(schema: Schema) -> pandera.DataFrameSchema:
    """Make the pandera schema that a declared schema amounts to, for a whole table held as one pandas frame.

    Column patterns must have been expanded: ``schema.expand(frame.columns)``. Where ``unique`` lists several sets of
    columns, pandera reports the first that is broken; the ``pandera`` check reports all.
    """
    from pandera.pandas import Column, DataFrameSchema

    columns = {
        name: Column(
            checks=list(column_checks(ask).values()),
            nullable=ask.nullable,
            unique=ask.unique,
            name=name,
            description=ask.description or None,
        )
        for name, ask in schema.columns.items()
    }
    checks = [_check(name, partial(follows, rule=rule), rule.expression) for name, rule in schema.rules.items()]
    if schema.ordered_by is not None:
        checks.append(_check("ordered_by", partial(never_falls, column=schema.ordered_by), schema.ordered_by))
    least, most = schema.rows_at_least, schema.rows_at_most
    checks.append(_check("rows_at_least", lambda frame: len(frame) >= least, f"at least {least} rows"))
    if most is not None:
        checks.append(_check("rows_at_most", lambda frame: len(frame) <= most, f"at most {most} rows"))
    return DataFrameSchema(
        columns,
        checks=checks,
        unique=[list(names) for names in schema.unique] or None,
        strict=schema.extra == "refuse",
    )


def _check(name: str, function: Callable[[Any], Any], asks: str) -> pandera.Check:
    from pandera.pandas import Check

    return Check(function, name=name, error=asks)


def of_type(values: pd.Series[Any], declared: str) -> pd.Series[bool]:
    """Tell which values, none of them missing, are of a declared type; ``held.fits`` is its twin for arrow types."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(values)
    if kind == "categorical":
        kind = "string" if pd.api.types.infer_dtype(values.cat.categories) in ("string", "empty") else "codes"
    numbers = ("integer", "floating", "mixed-integer-float", "decimal")
    whole = kind in numbers and declared in ("integer", "category", "boolean")
    if kind == "empty" or (whole and kind == "integer" and declared != "boolean"):
        return pd.Series(True, values.index)
    if whole:
        return values.isin([0, 1]) if declared == "boolean" else values % 1 == 0
    known = {
        "number": numbers,
        "boolean": ("boolean",),
        "category": ("string", "codes", "boolean"),
        "string": ("string",),
        "timestamp": ("datetime64", "datetime"),
        "date": ("date",),
    }
    return pd.Series(kind in known.get(declared, ()), values.index)


def matches(values: pd.Series[Any], pattern: str) -> pd.Series[bool]:
    """Tell which values a regular expression matches from first to last character."""
    whole = re.compile(pattern).fullmatch
    known = {value: whole(str(value)) is not None for value in values.unique()}
    return values.astype(object).map(known).astype(bool)


def follows(frame: pd.DataFrame, rule: RuleSchema) -> pd.Series[bool]:
    """Tell which rows of a frame keep a rule across columns."""
    import pandas as pd
    import pyarrow as pa

    expression = Expression(rule.expression)
    columns = pa.Table.from_pandas(frame[list(expression.columns)], preserve_index=False)
    return pd.Series(~broken(expression, columns), frame.index)


def never_falls(frame: pd.DataFrame, column: str) -> pd.Series[bool]:
    """Tell which rows hold no less than the value before; missing values are passed over."""
    import pandas as pd

    held = frame[column].dropna()
    kept = pd.Series(True, frame.index)
    kept[held.index[1:]] = held.to_numpy()[1:] >= held.to_numpy()[:-1]
    return kept
