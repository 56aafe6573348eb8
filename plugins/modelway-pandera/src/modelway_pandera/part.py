"""What one part of a table says to the rules: read once, batch by batch, and summed up in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelway import ColumnSchema, DataError, Expression, Table
from modelway_pandera.across import Order
from modelway_pandera.held import Held, fits
from modelway_pandera.row_rules import broken
from modelway_pandera.rules import Rule, Rules
from modelway_pandera.suspects import suspects
from modelway_pandera.tally import Tally

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass
class Summary:
    """What was found in consecutive rows.

    Attributes:
        tallies: Broken rules.
        keys: Of each unique rule, the key columns and the position of their first row.
        order: How the values of ``ordered_by`` run.
    """

    tallies: dict[Rule, Tally] = field(default_factory=dict)
    keys: dict[Rule, list[tuple[int, pa.Table]]] = field(default_factory=dict)
    order: Order = field(default_factory=Order)

    def add(self, rule: Rule, tally: Tally, limit: int) -> None:
        """Count in what later rows broke."""
        if tally.count:
            self.tallies[rule] = self.tallies[rule].plus(tally, limit) if rule in self.tallies else tally

    def extend(self, later: Summary, limit: int) -> None:
        """Take in the summary of the rows that follow."""
        for rule, tally in later.tallies.items():
            self.add(rule, tally, limit)
        for rule, tables in later.keys.items():
            self.keys.setdefault(rule, []).extend(tables)
        self.order = self.order.plus(later.order, limit)


def summarise(item: tuple[Table, int], rules: Rules, limit: int) -> Summary:
    """Check a table of one part, whose first row is at a position of the whole table.

    Args:
        item: The part, and the position.
        rules: What to check.
        limit: Most rows and samples to keep of each broken rule.

    Raises:
        DataError: the part is not parquet, or a rule's expression cannot compute with a column.
    """
    import numpy as np
    import pyarrow as pa

    part, offset = item
    summary, kinds = Summary(), kinds_of(part)
    asked = rules.schema.columns
    fit = {name: fits(ask.type, kinds[name]) for name, ask in asked.items() if name in kinds}
    for rule in rules.rows:
        if rule.name == "column" and rule.over == "column" and rule.columns[0] not in kinds:
            first = range(offset, offset + part.rows)[:limit]
            summary.add(rule, Tally(part.rows, tuple(first)), limit)
    looking = [rule for rule in rules.rows if looks(rule, kinds, fit)]
    across = [rule for rule in looking if rule.over == "row"]
    expressions = {rule: Expression(rule.ask, where=f"schema.rules.{rule.name}") for rule in across}
    wanted = list(dict.fromkeys(name for rule in looking for name in rule.columns))
    for batch in part.scan(wanted) if looking else ():
        held = {name: Held(batch.column(name)) for name in wanted}
        for rule in looking:
            name = rule.columns[0]
            if rule.over == "keys":
                keys = pa.table({column: held[column].plain for column in rule.columns})
                summary.keys.setdefault(rule, []).append((offset, keys))
            elif rule.over == "order":
                summary.order = summary.order.plus(Order.of(held[name], offset, limit), limit)
            elif rule.over == "row":
                operands = pa.table({column: held[column].array for column in rule.columns})
                bad = np.flatnonzero(broken(expressions[rule], operands))
                summary.add(rule, Tally.of(bad, operands, offset, limit), limit)
            else:
                summary.add(rule, _tally(rule, fit[name], asked[name], held[name], offset, limit), limit)
        offset += batch.num_rows
    return summary


def kinds_of(part: Table) -> dict[str, pa.DataType]:
    """Return the types as the part itself holds them: a part that was kept as it came may differ from the others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = part.parts[0].digest
    try:
        schema = pq.read_schema(part.blobs.open(digest))
    except pa.ArrowException as error:
        raise DataError(f"A part cannot be read as parquet: {error}", where=digest[:12]) from None
    return dict(zip(schema.names, schema.types, strict=True))


def looks(rule: Rule, kinds: Mapping[str, Any], fit: Mapping[str, bool | None]) -> bool:
    """Tell whether a rule has to look at values: a right type needs no look, and a wrong one hides the rest."""
    if not all(name in kinds for name in rule.columns) or (rule.name == "column" and rule.over == "column"):
        return False
    if rule.over == "column" and rule.name == "type":
        return fit[rule.columns[0]] is not True
    if rule.over == "column" and rule.name == "nullable":
        return True
    return all(fit.get(name, True) is not False for name in rule.columns)


def _tally(rule: Rule, fit: bool | None, ask: ColumnSchema, column: Held, offset: int, limit: int) -> Tally:
    import numpy as np

    if rule.name == "type" and fit is False:
        return Tally.of(np.arange(len(column.array)), column.array, offset, limit, f"it is held as {column.array.type}")
    found = broken_values(rule, ask, column)
    return Tally.of(found, None if rule.name == "nullable" else column.array, offset, limit)


def broken_values(rule: Rule, ask: ColumnSchema, column: Held) -> np.ndarray[Any, Any]:
    """Return the ascending positions of the values that break a rule of their column."""
    import numpy as np

    found = suspects(rule.name, rule.ask, column)
    if rule.name == "nullable" or not len(found):
        return found
    from modelway_pandera.objects import column_checks

    judged = column_checks(ask)[rule.name](column.array.take(found).to_pandas()).check_output
    bad: np.ndarray[Any, Any] = found[~np.asarray(judged, dtype=bool)]
    return bad
