"""Validation: rows of a request held to the declared schema, with every broken rule named.

A request is refused exactly for what training data is stopped for: types, nullability, bounds, sets, patterns and rules
across columns; a rule of severity ``warn`` is reported beside the answer. Rules across rows (uniqueness, order, row
counts) and rules that read a column which is no feature concern tables, and are not asked of requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from modelway import Columns, DataError, Expression, RuleSchema, Schema, missing, nearest
from modelway_bentoml.serving.fields import Field, shown

if TYPE_CHECKING:
    import numpy as np

#: Most problems that an answer lists; all of them are counted.
LISTED = 100
#: Up to so many rows are checked value by value, which is faster then.
_FEW = 4


@dataclass(frozen=True)
class Problem:
    """A broken rule: the row's place in the request, the field, the rule's name, and a sentence."""

    row: int | None
    field: str
    rule: str
    message: str

    def plain(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


@dataclass
class Checked:
    """Rows as checked.

    Attributes:
        columns: The feature columns, ready to be scored where there are no problems.
        rows: How many rows.
        problems: The first ``LISTED`` reasons to refuse them, in the order of rows.
        count: Number of all such reasons.
        warnings: The first ``LISTED`` broken rules that do not refuse, and fields that were left out.
    """

    columns: Columns
    rows: int
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    warnings: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem, severity: str = "stop") -> None:
        """Note a broken rule."""
        if severity == "warn":
            self.warnings.append(problem)
        else:
            self.count += 1
            self.problems.append(problem)

    def finish(self) -> Checked:
        """Put the problems in the order of rows, and keep the first of them."""
        for listed in (self.problems, self.warnings):
            listed.sort(key=lambda p: -1 if p.row is None else p.row)
            del listed[LISTED:]
        return self


class Validator:
    """Holds rows to a schema.

    Args:
        schema: Declared schema of the features.
    """

    def __init__(self, schema: Schema) -> None:
        self.extra = schema.extra
        self.fields = {name: Field(name, column) for name, column in schema.columns.items()}
        self.known = frozenset(self.fields)
        parsed = ((name, rule, Expression(rule.expression)) for name, rule in schema.rules.items())
        self.rules = [item for item in parsed if self.known.issuperset(item[2].columns)]

    def records(self, rows: Sequence[Any]) -> Checked:
        """Check rows that are mappings of fields to values; an absent field is missing."""
        if set(map(type, rows)) - {dict}:
            checked = Checked({}, len(rows))
            for i, row in enumerate(rows):
                if not isinstance(row, dict):
                    checked.add(Problem(i, "", "type", f"The row is {shown(row)}, and must be an object"))
            return checked.finish()
        strange = [(i, row) for i, row in enumerate(rows) if not row.keys() <= self.known]
        checked = self._check({name: [row.get(name) for row in rows] for name in self.fields}, len(rows))
        if strange and self.extra == "refuse":
            for i, row in strange:
                for name in row.keys() - self.known:
                    self._strange(checked, name, i)
        elif strange:
            for name in sorted({name for _, row in strange for name in row.keys() - self.known})[:LISTED]:
                self._strange(checked, name, None)
        return checked.finish()

    def columns(self, columns: Mapping[str, Sequence[Any]]) -> Checked:
        """Check lists of values by field, all of one length; an absent field is missing."""
        rows = max(map(len, columns.values()), default=0)
        checked = self._check({name: columns.get(name) or [None] * rows for name in self.fields}, rows)
        for name in sorted(columns.keys() - self.known)[:LISTED]:
            self._strange(checked, name, None)
        return checked.finish()

    def _strange(self, checked: Checked, name: str, row: int | None) -> None:
        if self.extra == "refuse":
            mend = nearest(name, self.known) if checked.count < LISTED else ""
            checked.add(Problem(row, name, "extra", f"'{name}' is not a field of this model. {mend}".strip()))
        else:
            checked.add(Problem(row, name, "extra", f"'{name}' is not a field of this model, and was left out"), "warn")

    def _check(self, lists: dict[str, Sequence[Any]], rows: int) -> Checked:
        checked = Checked({}, rows)
        unusable: set[int] = set()
        for name, spec in self.fields.items():
            items = lists[name]
            column = spec.take(items) if rows > _FEW else None
            if column is None:
                bad = self._faults(checked, spec, items)
                if bad:
                    unusable |= bad
                    items = [None if i in bad else item for i, item in enumerate(items)]
                column = spec.hold(items)
            checked.columns[name] = column
        for name, rule, expression in self.rules:
            self._rule(checked, name, rule, expression, unusable)
        return checked

    def _faults(self, checked: Checked, spec: Field, items: Sequence[Any]) -> set[int]:
        untyped = set()
        for i, item in enumerate(items):
            for rule, message in spec.faults(item):
                if rule == "type":
                    untyped.add(i)
                # What is not of its column's type cannot be scored, whatever the severity.
                severity = "stop" if rule == "type" else spec.column.severity
                checked.add(Problem(i, spec.name, rule, f"'{spec.name}' {message}"), severity)
        return untyped

    def _rule(self, checked: Checked, name: str, rule: RuleSchema, expression: Expression, unusable: set[int]) -> None:
        where = ", ".join(expression.columns)
        try:
            broken = broken_rows(expression, checked.columns, checked.rows)
        except DataError as error:
            checked.add(Problem(None, where, name, error.what), rule.severity)
            return
        for i in broken.tolist():
            if i not in unusable:
                said = rule.description.rstrip(".") or rule.expression
                checked.add(Problem(i, where, name, f"The row breaks the rule '{name}': {said}"), rule.severity)


def broken_rows(expression: Expression, columns: Columns, rows: int) -> np.ndarray[Any, Any]:
    """Return the rows, ascending, for which a rule across columns is false.

    A row in which one of the rule's columns is missing cannot break it, unless the rule asks for missing values itself.
    """
    import numpy as np

    places = np.arange(rows)
    held = {name: columns[name] for name in expression.columns}
    if not expression.asks_missing:
        for column in held.values():
            gone = missing(column)[places]
            places = places[~gone] if gone.any() else places
        if len(places) < rows:
            held = {name: column[places] for name, column in held.items()}
    if not len(places):
        return places
    result = np.broadcast_to(np.asarray(expression(held)), len(places)).astype(bool)
    broken: np.ndarray[Any, Any] = places[~result]
    return broken
