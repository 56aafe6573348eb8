"""The declared schema as a list of rules over one table, each with the words that say what it asks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from modelway import ColumnSchema, ConfigError, Expression, Schema, Table, nearest


@dataclass(frozen=True)
class Rule:
    """One rule over the rows of a table.

    Attributes:
        name: ``column``, ``type``, ``nullable``, ``min``, ``max``, ``values``, ``pattern``, ``unique``, ``ordered_by``,
            or the declared name of a rule across columns.
        columns: The columns that it reads.
        text: What it asks for, in words.
        severity: ``stop`` or ``warn``.
        ask: What it asks for, as the schema holds it.
        over: What it looks at: the values of one ``column``, a ``row``, the ``keys`` or the ``order`` of all rows.
    """

    name: str
    columns: tuple[str, ...]
    text: str
    severity: str = "stop"
    ask: Any = None
    over: Literal["column", "row", "keys", "order"] = "column"


@dataclass(frozen=True)
class Rules:
    """What to check of a table.

    Attributes:
        schema: The declared schema, patterns expanded, without columns that the table lacks.
        absent: Declared columns that the table lacks, with their declarations.
        rows: The rules over its rows, in the order in which they are reported.
    """

    schema: Schema
    absent: dict[str, ColumnSchema]
    rows: tuple[Rule, ...]

    def __len__(self) -> int:
        """Count what is asked of the table; that it has its columns is taken for granted."""
        schema = self.schema
        table = (schema.rows_at_least > 0) + (schema.rows_at_most is not None) + (schema.extra == "refuse")
        return len(self.absent) + table + sum(rule.name != "column" for rule in self.rows)

    @classmethod
    def of(cls, declared: Schema, table: Table) -> Rules:
        """Resolve a declared schema against the columns of a table.

        Raises:
            ConfigError: a rule that its column's type cannot keep, or that names an unknown column.
        """
        absent = {key: ask for key, ask in declared.columns.items() if _lacks(declared, key, table.names)}
        schema = replace(declared, columns={k: v for k, v in declared.columns.items() if k not in absent})
        schema = schema.expand(table.names)
        rules = [rule for name, ask in schema.columns.items() for rule in _of_column(name, ask)]
        known = {*table.names, *absent}
        for name, rule in schema.rules.items():
            names = Expression(rule.expression, where=f"schema.rules.{name}").columns
            _known(names, known, f"schema.rules.{name}.expression")
            if not names:
                raise ConfigError(f"The rule '{name}' reads no column", where=f"schema.rules.{name}.expression")
            text = rule.description or f"'{rule.expression}' holds"
            rules.append(Rule(name, names, text, rule.severity, rule.expression, "row"))
        for names in schema.unique:
            _known(names, known, "schema.unique")
            text = "no combination of the values occurs twice"
            rules.append(Rule("unique", tuple(dict.fromkeys(names)), text, over="keys"))
        if schema.ordered_by is not None:
            _known([schema.ordered_by], known, "schema.ordered_by")
            rules.append(Rule("ordered_by", (schema.ordered_by,), "no value is less than the one before", over="order"))
        return cls(schema, absent, tuple(rule for rule in dict.fromkeys(rules) if not absent.keys() & rule.columns))


def _lacks(declared: Schema, key: str, names: Sequence[str]) -> bool:
    try:
        replace(declared, columns={key: declared.columns[key]}).expand(names)
    except ConfigError:
        return True
    return False


def _known(names: Sequence[str], known: set[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(
                f"The schema has a rule over column '{name}', which the table does not have",
                where=where,
                mend=nearest(name, known),
            )


def _of_column(name: str, ask: ColumnSchema) -> list[Rule]:
    def rule(kind: str, text: str, value: Any = None) -> Rule:
        return Rule(kind, (name,), text, ask.severity, value)

    def refuse(kind: str, why: str, mend: str) -> None:
        raise ConfigError(f"Column '{name}' {why}", where=f"schema.columns.{name}.{kind}", mend=mend)

    rules = [rule("column", "the table has the column in each of its parts")]
    rules += [rule("type", f"the type is {ask.type}", ask.type)]
    if not ask.nullable:
        rules.append(rule("nullable", "no value is missing"))
    for kind, bound, words in (("min", ask.min, "at least"), ("max", ask.max, "at most")):
        if bound is None:
            continue
        if ask.type not in ("integer", "number"):
            refuse(kind, f"declares '{kind}', and is of type {ask.type}", "Only integer and number have bounds")
        rules.append(rule(kind, f"each value is {words} {bound:.15g}", bound))
    if ask.values is not None:
        if ask.type in ("timestamp", "date"):
            refuse("values", f"lists its values, and is of type {ask.type}", "Write a rule over the column instead")
        rules.append(rule("values", f"each value is one of {_listed(ask.values)}", ask.values))
    if ask.pattern is not None:
        if ask.type not in ("category", "string"):
            refuse("pattern", f"declares a pattern, and is of type {ask.type}", "Only text matches a pattern")
        try:
            re.compile(ask.pattern)
        except re.error as error:
            refuse("pattern", f"declares the pattern '{ask.pattern}', which does not parse: {error}", "")
        rules.append(rule("pattern", f"each value matches {ask.pattern} as a whole", ask.pattern))
    if ask.unique:
        rules.append(replace(rule("unique", "no value occurs twice"), over="keys"))
    return rules


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[:12])
    return f"{shown}, ... ({len(values)} in all)" if len(values) > 12 else shown
