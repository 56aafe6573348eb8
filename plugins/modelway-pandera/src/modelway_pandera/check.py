"""The check ``pandera``: every rule of the declared schema, over every part, in one pass.

Who does what. The declared schema is the source, and pandera's objects are made from it (``objects``). To validate
every batch with them would cost pandera's import, a pandas frame of each batch, and, in lazy mode, a row of output for
each broken value. So each batch is first asked for suspects (``suspects``): every value that may break a rule, found by
arrow and numpy in the columns as they are read. Nearly always there are none, and pandera is not even imported. The
suspects, and only they, go to pandera's own ``Check`` objects, whose verdict on a value stands; of it a count and the
first few places are kept (``tally``). Which values are missing, and whether a row keeps a rule across columns
(``row_rules``), is plain numpy on either side. The parts' summaries merge in row order, so the findings are the same
however the rows are cut into parts and whatever computes them. Uniqueness and order cross parts, where pandera, part
by part, cannot see them: they are reductions of their own (``across``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import ClassVar

from modelway import Check, DataError, Finding, Findings, Run, Table, nearest, param
from modelway_pandera.across import repeated
from modelway_pandera.part import Summary, summarise
from modelway_pandera.rules import Rules


@dataclass(frozen=True, kw_only=True)
class Pandera(Check, name="pandera"):
    """Checks a table against the declared schema, and reports every broken rule at once.

    Checked are, per column: its presence, ``type``, ``nullable`` (null and NaN are both missing), ``min``, ``max``,
    ``values``, ``pattern`` (of the whole value, as Python's ``re.fullmatch`` reads it) and ``unique``; per row: the
    rules across columns; of the table: sets of columns that are ``unique``, ``ordered_by``, ``rows_at_least``,
    ``rows_at_most`` and ``extra: refuse``. Each broken rule gives one finding: how many rows break it, the first few of
    them with their values, and what it asks for.

    Missing values are ``nullable``'s alone: they keep every other rule, except that ``unique`` takes two missing values
    for a repetition, as pandera does, and that a rule across columns which calls ``isnull`` is taken as it stands.
    ``ordered_by`` passes over them. A column of the wrong type is one finding, and its other rules are left aside, but
    for ``nullable``. Whole numbers and booleans held as floats, which is how missing values often make them arrive, are
    of type ``integer`` or ``boolean`` as far as their values are whole, or 0 and 1.

    Memory is that of one batch and the findings; ``unique`` also holds the keys of all rows, and is exact.
    """

    libraries: ClassVar[tuple[str, ...]] = ("pandera",)
    of_schema: ClassVar[bool] = True

    samples: int = param(5, "Rows and values to show of each broken rule.", at_least=0)

    def check(self, table: Table, run: Run) -> Findings:
        """Check every rule over every part.

        Raises:
            ConfigError: a rule that names an unknown column, or that its column's type cannot keep.
            DataError: a part that is not parquet, or a rule whose expression cannot compute with a column.
        """
        import pyarrow as pa

        rules = Rules.of(run.schema, table)
        ends = list(accumulate(part.rows for part in table.parts))
        parts = [(table.only([p]), end - p.rows) for p, end in zip(table.parts, ends, strict=True)]
        found = Summary()
        try:
            for done, summary in enumerate(run.map(partial(summarise, rules=rules, limit=self.samples), parts), 1):
                found.extend(summary, self.samples)
                run.progress("parts", done, len(parts))
            items = (*self._of_table(table, rules), *self._of_rows(found, rules))
        except pa.ArrowException as error:
            raise DataError(
                f"A rule cannot be checked on its columns as they are held: {error}",
                where="schema",
                mend="'unique' and 'ordered_by' need values that compare, held alike in all parts",
            ) from None
        return Findings(items, table.rows, len(rules))

    def _of_table(self, table: Table, rules: Rules) -> Iterator[Finding]:
        schema, rows = rules.schema, table.rows
        for name, ask in rules.absent.items():
            mend = nearest(name, table.names)
            text = "the table has the column" + (f" ({mend[0].lower()}{mend[1:]}?)" if mend.startswith("Did") else "")
            yield Finding("column", name, max(rows, 1), ask.severity, text=text)
        extra = [name for name in table.names if name not in schema.columns]
        if schema.extra == "refuse" and extra:
            text = "the table has declared columns only"
            yield Finding("extra", ", ".join(extra), max(rows, 1), samples=tuple(extra[: self.samples]), text=text)
        if rows < schema.rows_at_least:
            text = f"at least {schema.rows_at_least} rows; there are {rows}"
            yield Finding("rows_at_least", "", schema.rows_at_least - rows, text=text)
        if schema.rows_at_most is not None and rows > schema.rows_at_most:
            text = f"at most {schema.rows_at_most} rows; there are {rows}"
            yield Finding("rows_at_most", "", rows - schema.rows_at_most, text=text)

    def _of_rows(self, found: Summary, rules: Rules) -> Iterator[Finding]:
        for rule in rules.rows:
            tally = found.tallies.get(rule)
            if rule.over == "keys" and found.keys.get(rule):
                tally = repeated(found.keys.pop(rule), self.samples)
            elif rule.over == "order":
                tally = found.order.falls
            if tally and tally.count:
                text = f"{rule.text}; {tally.note}" if tally.note else rule.text
                column = ", ".join(rule.columns)
                yield Finding(rule.name, column, tally.count, rule.severity, tally.rows, tally.samples, text)
