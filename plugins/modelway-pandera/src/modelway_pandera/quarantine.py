"""The step ``quarantine``: rows that break the declared schema leave the table, and are kept beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar

from modelway import ConfigError, DataError, Expression, Preparer, Run, Schema, Table, nearest, param
from modelway_pandera.held import Held, fits
from modelway_pandera.part import broken_values, kinds_of, looks
from modelway_pandera.row_rules import broken
from modelway_pandera.rules import Rule, Rules

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_KINDS = ("type", "nullable", "min", "max", "values", "pattern")


@dataclass(frozen=True, kw_only=True)
class Quarantine(Preparer, name="quarantine"):
    """Takes out the rows that break the declared schema, and keeps them beside the table with the rules they break.

    Looked at are the rules that a row keeps or breaks by itself: ``type``, ``nullable``, ``min``, ``max``, ``values``,
    ``pattern``, and rules across columns, of the columns that the table has at this point. A rule that only warns takes
    no row out, unless ``rules`` names it. Repetitions, order, and columns that are absent or of another type as a whole
    are left to the check, which finds them.

    The rows that are refused are kept under the step's label, with the columns ``rule``, which names every rule that
    the row breaks, and ``row``, its position in the table that came in. The log counts each of them once, by the first
    rule that it breaks. Where nothing is broken, nothing is kept and the table's parts stay as they are.
    """

    libraries: ClassVar[tuple[str, ...]] = ("pandera",)
    of_schema: ClassVar[bool] = True

    columns: tuple[str, ...] = param((), "Columns whose rules are looked at; without it, all.")
    rules: tuple[str, ...] = param((), "Rules that are looked at: kinds such as 'min', and names of rules; else all.")
    at_most: float | None = param(
        None, "Most rows that may be taken out: a share below 1, or a number of rows; more stop the run.", at_least=0
    )

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Take out the rows that break a rule.

        Raises:
            ConfigError: a column or a rule that the schema does not have.
            DataError: more rows break rules than may be taken out, or all of them do.
        """
        table = tables["table"]
        rules = self._chosen(run.schema, table, f"prepare.{run.label}")
        starts = accumulate((part.rows for part in table.parts), initial=0)
        pieces = [(table.only([part]), start) for part, start in zip(table.parts, starts, strict=False) if part.rows]
        sort = partial(_sorted, rules=rules, run=run)
        kept, refused, dropped = list[Table](), list[Table](), Counter[str]()
        for done, (stay, leave, counts) in enumerate(run.map(sort, pieces), 1):
            kept.append(stay)
            refused += [leave] if leave else []
            dropped.update(counts)
            run.progress("parts", done, len(pieces))
        self._judge(dropped, table, run)
        parts = tuple(part for stay in kept for part in stay.parts)
        entry: dict[str, Any] = {"in": table.rows, "out": sum(part.rows for part in parts), "dropped": dict(dropped)}
        if refused:
            entry["aside"] = run.label or self.name
            run.aside(entry["aside"], Table(refused[0].columns, tuple(p for t in refused for p in t.parts), run.blobs))
        run.log(f"rows.{run.label}" if run.label else "rows", entry)
        return Table(table.columns, parts, run.blobs, table.about) if refused else table

    def _judge(self, dropped: Counter[str], table: Table, run: Run) -> None:
        count, told = dropped.total(), ", ".join(f"{rule} {number}" for rule, number in dropped.most_common(5))
        most, words = table.rows - 1, "and then none is left"
        if self.at_most is not None:
            bound = int(self.at_most if self.at_most >= 1 else self.at_most * table.rows)
            if bound < most:
                most = bound
                words = f"and at most {f'{bound} rows' if self.at_most >= 1 else f'a share of {self.at_most:g}'} may be"
        if count > max(most, 0):
            raise DataError(
                f"{count} of {table.rows} rows would be taken out for the rules that they break, {words}: {told}",
                where=f"prepare.{run.label}", mend="Mend the data or its schema, or raise 'at_most'",
            )  # fmt: skip

    def _chosen(self, declared: Schema, table: Table, where: str) -> Rules:
        known = {*declared.columns, *table.names}
        for name in self.columns:
            if name not in known:
                raise ConfigError(f"There is no column '{name}'", where=f"{where}.columns", mend=nearest(name, known))
        for name in self.rules:
            if name not in (*_KINDS, *declared.rules):
                mend = nearest(name, [*_KINDS, *declared.rules])
                raise ConfigError(f"There is no rule '{name}' about rows", where=f"{where}.rules", mend=mend)
        across = {
            name: rule for name, rule in declared.rules.items()
            if set(Expression(rule.expression).columns) <= set(table.names)
        }  # fmt: skip
        rules = Rules.of(replace(declared, rules=across, unique=(), ordered_by=None), table)
        return replace(rules, rows=tuple(rule for rule in rules.rows if self._wants(rule)))

    def _wants(self, rule: Rule) -> bool:
        if rule.over not in ("column", "row") or (rule.over == "column" and rule.name not in _KINDS):
            return False
        if self.columns and not set(rule.columns) <= set(self.columns):
            return False
        return rule.name in self.rules if self.rules else rule.severity == "stop"


def _sorted(item: tuple[Table, int], rules: Rules, run: Run) -> tuple[Table, Table | None, Counter[str]]:
    """Part the rows of a table of one part: those that stay, those that leave, and how many leave by rule."""
    import numpy as np

    part, start = item
    found = _broken(part, rules)
    if not found:
        return part, None, Counter()
    names: dict[int, list[str]] = {}
    for rule, rows in found.items():
        for row in rows.tolist():
            names.setdefault(row, []).append(rule)
    out = np.zeros(part.rows, dtype=bool)
    out[list(names)] = True
    counts = Counter(broken[0] for broken in names.values())
    refused = run.table(_refused(part, out, names, start))
    return part.only([]) if out.all() else run.table(_filtered(part, ~out)), refused, counts


def _broken(part: Table, rules: Rules) -> dict[str, np.ndarray[Any, Any]]:
    """Return the rows of a part that break each rule, by the rule's name, in the order in which rules are declared."""
    import numpy as np
    import pyarrow as pa

    kinds, asked = kinds_of(part), rules.schema.columns
    fit = {name: fits(ask.type, kinds[name]) for name, ask in asked.items() if name in kinds}
    looking = [rule for rule in rules.rows if looks(rule, kinds, fit) and not _as_a_whole(rule, fit)]
    expressions = {
        rule: Expression(rule.ask, where=f"schema.rules.{rule.name}") for rule in looking if rule.over == "row"
    }
    wanted = list(dict.fromkeys(name for rule in looking for name in rule.columns))
    found: dict[str, list[Any]] = {_label(rule): [] for rule in looking}
    start = 0
    for batch in part.scan(wanted) if looking else ():
        held = {name: Held(batch.column(name)) for name in wanted}
        for rule in looking:
            name = rule.columns[0]
            if rule.over == "row":
                operands = pa.table({column: held[column].array for column in rule.columns})
                rows = np.flatnonzero(broken(expressions[rule], operands))
            else:
                rows = broken_values(rule, asked[name], held[name])
            if len(rows):
                found[_label(rule)].append(rows + start)
        start += batch.num_rows
    return {label: np.concatenate(rows) for label, rows in found.items() if rows}


def _label(rule: Rule) -> str:
    return rule.name if rule.over == "row" else f"{rule.columns[0]}.{rule.name}"


def _as_a_whole(rule: Rule, fit: Mapping[str, bool | None]) -> bool:
    """Tell whether the column itself is of another type, which is no fault of its rows."""
    return rule.over == "column" and rule.name == "type" and fit[rule.columns[0]] is False


def _filtered(part: Table, keep: np.ndarray[Any, Any]) -> Iterator[pa.Table]:
    import pyarrow as pa

    start = 0
    for batch in part.scan():
        yield batch.filter(pa.array(keep[start : start + batch.num_rows]))
        start += batch.num_rows


def _refused(
    part: Table, out: np.ndarray[Any, Any], names: Mapping[int, Sequence[str]], start: int
) -> Iterator[pa.Table]:
    import numpy as np
    import pyarrow as pa

    rows = np.flatnonzero(out)
    done = 0
    for batch in _filtered(part, out):
        some = rows[done : done + batch.num_rows]
        told = pa.array([", ".join(names[row]) for row in some.tolist()], pa.string())
        batch = batch.append_column(_free("rule", part.names), told)
        yield batch.append_column(_free("row", part.names), pa.array(some + start))
        done += batch.num_rows


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
