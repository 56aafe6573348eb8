"""The declared schema: one description of a table, used wherever that table appears.

Checks on training data, request validation, the request model, and category order all come from here, never the
other way round. A column's key may be a pattern (``pixel_*``), expanded against the columns that a table has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from modelway.component import Locate, build, param, plain
from modelway.errors import ConfigError, nearest
from modelway.expression import Expression

ColumnType = Literal["integer", "number", "category", "string", "boolean", "timestamp", "date"]
Role = Literal["feature", "target", "id", "time", "group", "entity", "amount", "weight", "fold", "ignore"]
Severity = Literal["stop", "warn"]
Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, kw_only=True)
class ColumnSchema:
    """One column: its type, what it may hold, and what it is for."""

    type: ColumnType = param(..., "Type of the column's values.")
    role: Role = param("feature", "What the column is for; only features reach the model.")
    nullable: bool = param(False, "Whether values may be missing.")
    min: float | None = param(None, "Smallest value allowed.")
    max: float | None = param(None, "Largest value allowed.")
    values: tuple[str | int | float | bool, ...] | None = param(None, "The only values allowed, in order.")
    pattern: str | None = param(None, "Regular expression that each whole value matches.")
    unique: bool = param(False, "Whether no value may occur twice in the table.")
    positive: str | int | bool | None = param(None, "For a binary target: the value that a score is for.")
    description: str = param("", "What the column means, and its unit.")
    severity: Severity = param("stop", "Whether a broken rule stops the run or only warns.")


@dataclass(frozen=True, kw_only=True)
class RuleSchema:
    """A rule across columns: an expression that is true of every row."""

    expression: str = param(..., "Expression over columns that holds for each row, such as 'total == a + b'.")
    severity: Severity = param("stop", "Whether a broken rule stops the run or only warns.")
    description: str = param("", "What the rule protects.")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A declared table: columns, rules across columns, and rules across rows."""

    columns: dict[str, ColumnSchema] = param({}, "Columns by name or pattern.")
    rules: dict[str, RuleSchema] = param({}, "Named rules across columns.")
    unique: tuple[tuple[str, ...], ...] = param((), "Sets of columns whose values together occur once.")
    ordered_by: str | None = param(None, "Column whose values never fall from row to row.")
    rows_at_least: int = param(1, "Fewest rows allowed.", at_least=0)
    rows_at_most: int | None = param(None, "Most rows allowed.")
    extra: Literal["drop", "refuse"] = param("drop", "What to do with columns that are not declared.")

    @classmethod
    def of(cls, config: Mapping[str, Any], path: str = "schema", where: Locate = lambda path: "") -> Schema:
        """Build a schema from its configuration, checking it as ``build`` does."""
        return build(cls, config, path, where)

    @cached_property
    def identity(self) -> str:
        """Digest of the columns."""
        return hashlib.sha256(json.dumps(plain(self.columns)).encode()).hexdigest()

    def plain(self) -> dict[str, Any]:
        """Return the configuration that ``of`` reads back."""
        return plain(self)  # type: ignore[no-any-return]

    def expand(self, names: Iterable[str]) -> Schema:
        """Replace patterns by the columns of a table that they match; exact keys win over patterns.

        Raises:
            ConfigError: a declared column, or a pattern, that matches none of ``names``.
        """
        present = list(names)
        taken = {key for key in self.columns if not _is_pattern(key)}
        columns: dict[str, ColumnSchema] = {}
        for key, column in self.columns.items():
            if key in present:
                columns[key] = column
                continue
            matched = (
                [n for n in present if fnmatchcase(n, key) and n not in taken and n not in columns]
                if _is_pattern(key)
                else []
            )
            if not matched:
                raise ConfigError(
                    f"The schema declares column '{key}', which the table does not have",
                    where=f"schema.columns.{key}",
                    mend=nearest(key, present),
                )
            columns.update(dict.fromkeys(matched, column))
        return replace(self, columns=columns)

    def with_role(self, role: Role) -> tuple[str, ...]:
        """Return the names of the columns with a role, in declared order."""
        return tuple(name for name, column in self.columns.items() if column.role == role)

    def one(self, role: Role) -> str | None:
        """Return the only column with a role, or None.

        Raises:
            ConfigError: several columns have the role.
        """
        found = self.with_role(role)
        if len(found) > 1:
            raise ConfigError(f"Columns {', '.join(found)} all have the role '{role}'; one may", where="schema.columns")
        return found[0] if found else None

    @property
    def target(self) -> str:
        """Return the name of the target column.

        Raises:
            ConfigError: no column has the role ``target``.
        """
        found = self.one("target")
        if found is None:
            raise ConfigError(
                "No column of the schema is the target",
                where="schema.columns",
                mend="Give one column 'role: target'",
            )
        return found

    def classes(self, task: Task) -> tuple[Any, ...]:
        """Return the target's classes; the positive one of a binary target comes last.

        Raises:
            ConfigError: a classification target without at least two declared values.
        """
        if task == "regression":
            return ()
        column = self.columns[self.target]
        values = (False, True) if column.type == "boolean" and column.values is None else column.values or ()
        if len(values) < 2 or (task == "binary" and len(values) != 2):
            need = "exactly two" if task == "binary" else "at least two"
            raise ConfigError(
                f"The target '{self.target}' of a {task} task declares {len(values)} values and needs {need}",
                where=f"schema.columns.{self.target}.values",
                mend="List the target's classes under 'values'",
            )
        if column.positive is not None:
            if column.positive not in values:
                raise ConfigError(
                    f"The positive value {column.positive!r} is not among the target's values",
                    where=f"schema.columns.{self.target}.positive",
                    mend=nearest(str(column.positive), map(str, values)),
                )
            values = (*(v for v in values if v != column.positive), column.positive)
        return tuple(values)

    def features(self) -> Schema:
        """Return the part of the schema that a request is held to: feature columns, and the rules of those alone."""
        columns = {k: v for k, v in self.columns.items() if v.role == "feature"}
        rules = {k: v for k, v in self.rules.items() if set(Expression(v.expression).columns) <= set(columns)}
        return replace(
            self, columns=columns, rules=rules, unique=(), ordered_by=None, rows_at_least=0, rows_at_most=None
        )


def _is_pattern(key: str) -> bool:
    return any(sign in key for sign in "*?[")
