"""Windows of a table that is large, or on a cluster: rows are brought together by entity, and put back by number.

Entities are hashed into buckets. Each part writes its rows of each bucket, each bucket computes its windows and writes
them by part, and each part takes in what its rows got. Neither the number of buckets nor the order of rows and entities
within one depends on where it is done, so that results are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from modelway import Run, Table
from modelway_prepare.buckets import NAT, arrow_of, bucket_of, buckets, rows_of, unit_of
from modelway_prepare.tables import extended, pieces

if TYPE_CHECKING:
    import numpy as np

    from modelway_prepare.windows import Windows

    Array: TypeAlias = np.ndarray[Any, Any]


def shuffled(step: Windows, table: Table, run: Run) -> list[Table]:
    """Return the parts of a table with their windows, each a table of its own."""
    unit, count = unit_of(table, step.time), buckets(table.rows)
    parts = [(start, part) for start, part in pieces(table) if part.rows]
    edges = [start for start, _ in parts] + [table.rows]
    done: list[list[Table]] = [[] for _ in parts]
    for entity in step.entities:
        scatter = partial(_scatter, step, entity, unit, count, run)
        solve = partial(_solve, step, entity, edges, unit, run)
        scattered = list(run.map(scatter, parts))
        gathered = [[one[bucket] for one in scattered if bucket in one] for bucket in range(count)]
        for answers in run.map(solve, [found for found in gathered if found]):
            for part, answer in answers.items():
                done[part].append(answer)
    items = [(start, part, answers) for (start, part), answers in zip(parts, done, strict=True)]
    return list(run.map(partial(_put_back, step, run), items))


def _scatter(step: Windows, entity: str, unit: str, count: int, run: Run, item: tuple[int, Table]) -> dict[int, Table]:
    """Write the rows of a part by bucket."""
    import numpy as np
    import pyarrow as pa

    from modelway_prepare.keys import dictionary

    start, part = item
    data = step.read(part, unit, [entity])
    column = data["entities"][entity]
    codes, distinct = dictionary(column)
    places = bucket_of(distinct, count)[codes]
    places[data["times"] == NAT] = -1
    made = {}
    for bucket in np.unique(places[places >= 0]).tolist():
        rows = np.flatnonzero(places == bucket)
        chosen = rows_of(data, rows)
        columns = {"row": start + rows, "entity": distinct.take(pa.array(codes[rows])), "time": chosen["times"]}
        columns |= {f"value {number}": values for number, values in enumerate(chosen["values"])}
        made[bucket] = run.table([pa.table(columns | ({} if chosen["label"] is None else {"label": chosen["label"]}))])
    return made


def _solve(
    step: Windows, entity: str, edges: Sequence[int], unit: str, run: Run, found: Sequence[Table]
) -> dict[int, Table]:
    """Compute the windows of a bucket, and write them by the number of the part that its rows are of."""
    import numpy as np
    import pyarrow as pa

    from modelway_prepare.keys import dictionary

    bucket = pa.concat_tables([one.arrow() for one in found], promote_options="permissive")
    codes, _ = dictionary(bucket.column("entity"))
    data = {
        "times": bucket.column("time").to_numpy(),
        "values": [bucket.column(f"value {number}").to_numpy() for number in range(len(step.values))],
        "label": bucket.column("label").to_numpy() if step.label else None,
    }
    rows = bucket.column("row").to_numpy()
    order, made = step.over(entity, codes, data, unit)
    answer = pa.table({"row": rows[order], **made}).take(pa.array(np.argsort(order)))
    cuts = np.searchsorted(rows, edges)
    held = [number for number in range(len(edges) - 1) if cuts[number] < cuts[number + 1]]
    return {number: run.table([answer.slice(cuts[number], cuts[number + 1] - cuts[number])]) for number in held}


def _put_back(step: Windows, run: Run, item: tuple[int, Table, Sequence[Table]]) -> Table:
    """Write a part with what its rows got."""
    start, part, answers = item
    columns = step.blank(part.rows, step.entities)
    for answer in answers:
        found = answer.arrow()
        rows = found.column("row").to_numpy() - start
        for name in found.column_names[1:]:
            columns[name][rows] = found.column(name).to_numpy()
    return extended(part, arrow_of(columns), run)
