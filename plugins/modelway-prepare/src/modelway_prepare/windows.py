"""Windows of time per entity, correct at the point in time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from modelway import Category, ConfigError, DataError, Preparer, Run, Table, from_arrow, missing, param
from modelway_prepare.buckets import NAT, PER_SECOND, arrow_of, bucket_of, buckets, rows_of, unit_of
from modelway_prepare.durations import named, seconds
from modelway_prepare.shuffle import shuffled
from modelway_prepare.tables import account, extended, joined, pieces, require

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array: TypeAlias = np.ndarray[Any, Any]

Function = Literal["count", "sum", "mean", "std", "min", "max"]
#: Numbers held in memory at once; a larger table goes through the store, one bucket of entities after another.
IN_MEMORY = 2**26


@dataclass(frozen=True, kw_only=True)
class Windows(Preparer, name="windows"):
    """Describe the recent past of each row's entities: counts, sums, means, extremes, and rates of a label.

    For each entity column and each window of length ``w``, the row at time ``t`` sees the rows of its entity in
    ``(t - w, t]``, itself included, as pandas' ``rolling`` does. Of several rows at one instant, those that stand later
    in the table are not seen. With ``closed: left`` it sees ``[t - w, t)``: earlier instants only. The table need not
    be in order of time, and its rows keep their order.

    A label becomes known ``delay`` after its row: windows of it lie that much back, ``(t - delay - w, t - delay]`` (or
    ``[t - delay - w, t - delay)``), so that no row sees its own label, nor one that is not known yet. The delay must be
    above zero, and the target can be used in no other way.

    Columns are named ``customer_id_count_7d``, ``customer_id_amount_mean_7d``, and for a label
    ``customer_id_fraud_rate_7d`` and ``customer_id_fraud_known_7d``, the number of labels that the rate is of. Missing
    values are left out. A count of nothing is 0, any other function of nothing is missing, and so is the ``std`` (of a
    sample) of fewer than two values. A row without entity or time sees nothing, and is not seen.

    The step needs history: in a service, its columns are fields of the request.
    """

    entities: tuple[str, ...] = param(..., "Columns that name whose past it is, such as a customer and a terminal.")
    time: str = param(..., "Column of the time at which a row happens and is known.")
    windows: tuple[int | str, ...] = param(..., "Lengths of the windows: whole days, or such as 36h, 30min, 2w.")
    functions: tuple[Function, ...] = param(("count",), "What to compute over each window; all but count need values.")
    values: tuple[str, ...] = param((), "Columns of numbers that the functions are of.")
    label: str | None = param(None, "Column of a label that is known later: true or false, or 0 or 1.")
    positive: str | int | bool | None = param(None, "Value of the label that the rate is of, where it is another.")
    delay: int | str = param(0, "Time after which a label is known: whole days, or such as 36h.")
    closed: Literal["right", "left"] = param("right", "Whether a window ends with its row, or just before its instant.")

    def __post_init__(self) -> None:
        for key in ("entities", "windows"):
            if not getattr(self, key):
                raise ConfigError(f"The step 'windows' has no {key}", where=key)
        for number, window in enumerate(self.windows):
            seconds(window, f"windows[{number}]")
        seconds(self.delay, "delay", zero=self.label is None)
        others = [name for name in self.functions if name != "count"]
        if others and not self.values:
            raise ConfigError(f"The function '{others[0]}' needs a column to be of", where="values")
        if self.values and not others:
            raise ConfigError("Values are given, and no function of them", where="functions", mend="Add sum or mean")
        made = self._names()
        if not made:
            raise ConfigError("The step 'windows' has neither a function nor a label", where="functions")
        twice = next((name for name in made if made.count(name) > 1), None)
        if twice:
            raise ConfigError(f"The step 'windows' makes column '{twice}' twice", where="windows")

    def prepare(self, tables: Mapping[str, Table], run: Run) -> Table:
        """Add the columns; only entities, time, values and label are read whole, the others stream by part.

        Raises:
            DataError: a column is absent or cannot be used, or the table has one of the new columns already.
            ConfigError: the target would be seen without a delay.
        """
        table = tables["table"]
        self._check(table, run)
        names = [*self.entities, self.time, *self.values, *([self.label] if self.label else [])]
        small = table.rows * (len(names) + len(self._names())) <= IN_MEMORY
        if run.workers.client is None and small:
            found = self._in_memory(table, run.threads)
            items = [(p, {k: v[start : start + p.rows] for k, v in found.items()}) for start, p in pieces(table)]
            made = list(run.map(lambda item: extended(item[0], arrow_of(item[1]), run), items))
        else:
            made = shuffled(self, table, run)
        result = joined(made, run, table.columns)
        account(run, table.rows, result.rows)
        return result

    def read(self, part: Table, unit: str, entities: Sequence[str]) -> dict[str, Any]:
        """Return the columns that windows are made of: entities as arrow columns, all else as arrays.

        Args:
            part: Rows of the table.
            unit: Numpy unit of the times.
            entities: The entities that are asked for.
        """
        import numpy as np

        whole = part.arrow([*entities, self.time, *self.values, *([self.label] if self.label else [])])
        times = np.asarray(whole.column(self.time).to_numpy(), dtype=f"M8[{unit}]").view(np.int64)
        return {
            "entities": {name: whole.column(name) for name in entities},
            "times": times,
            "values": [_numbers(whole.select([name]), name) for name in self.values],
            "label": self._label(whole.select([self.label])) if self.label else None,
        }

    def over(self, entity: str, codes: Array, data: Mapping[str, Any], unit: str) -> tuple[Array, dict[str, Array]]:
        """Return the new columns of one entity column, in an order of rows of their own, and that order.

        Args:
            entity: Name of the entity column.
            codes: Code of each row's entity, int64; it stands for the order of first appearance.
            data: ``times``, ``values`` and ``label`` of the rows, in the table's order, as ``read`` gives them.
            unit: Numpy unit of the times.
        """
        from modelway_prepare.rolling import Ordered, Placed

        rows = Ordered.of(codes, data["times"])
        places = [Placed(column[rows.order]) for column in data["values"]]
        label = Placed(data["label"][rows.order]) if self.label else None
        others = [function for function in self.functions if function != "count"]
        made: dict[str, Array] = {}
        for window in self.windows:
            width, name = seconds(window, "windows") * PER_SECOND[unit], named(window)
            if self.functions:
                start, end = rows.windows(width, 0, itself=self.closed == "right")
                if "count" in self.functions:
                    made[f"{entity}_count_{name}"] = end - start
                for column, placed in zip(self.values, places, strict=True):
                    for function, values in placed.over(others, start, end).items():
                        made[f"{entity}_{column}_{function}_{name}"] = values
            if label is not None:
                delay = seconds(self.delay, "delay") * PER_SECOND[unit]
                start, end = rows.windows(width, delay, itself=self.closed == "right")
                known = label.over(("mean", "count"), start, end)
                made[f"{entity}_{self.label}_rate_{name}"] = known["mean"]
                made[f"{entity}_{self.label}_known_{name}"] = known["count"]
        return rows.order, made

    def blank(self, rows: int, entities: Sequence[str]) -> dict[str, Array]:
        """Return the new columns with nothing in them: -1 for a count, NaN for a number."""
        import numpy as np

        kinds = self._kinds(entities)
        return {n: np.full(rows, -1, np.int64) if k == "count" else np.full(rows, np.nan) for n, k in kinds}

    def _in_memory(self, table: Table, threads: int) -> dict[str, Array]:
        import numpy as np

        from modelway_prepare.keys import dictionary

        unit, count = unit_of(table, self.time), buckets(table.rows)
        data, result = self.read(table, unit, self.entities), self.blank(table.rows, self.entities)

        def fill(job: tuple[str, Array, Array]) -> None:
            entity, codes, rows = job
            order, made = self.over(entity, codes[rows], rows_of(data, rows), unit)
            rows = rows[order]
            for name, column in made.items():
                result[name][rows] = column

        def jobs() -> Iterator[tuple[str, Array, Array]]:
            for entity in self.entities:
                codes, distinct = dictionary(data["entities"].pop(entity))
                places = bucket_of(distinct, count)[codes]
                places[data["times"] == NAT] = -1
                order = np.argsort(places, kind="stable")  # of small whole numbers: quick
                for rows in np.split(order, np.searchsorted(places[order], np.arange(count)))[1:]:
                    yield entity, codes, rows

        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:  # numpy lets go of the interpreter's lock
            list(pool.map(fill, jobs()))
        return result

    def _kinds(self, entities: Sequence[str]) -> list[tuple[str, str]]:
        found = []
        for entity in entities:
            for window in map(named, self.windows):
                if "count" in self.functions:
                    found.append((f"{entity}_count_{window}", "count"))
                others = [f for f in self.functions if f != "count"]
                found += [(f"{entity}_{value}_{f}_{window}", "number") for value in self.values for f in others]
                if self.label:
                    found.append((f"{entity}_{self.label}_rate_{window}", "number"))
                    found.append((f"{entity}_{self.label}_known_{window}", "count"))
        return found

    def _names(self) -> list[str]:
        return [name for name, _ in self._kinds(self.entities)]

    def _check(self, table: Table, run: Run) -> None:
        for key, names in (("entities", self.entities), ("time", (self.time,)), ("values", self.values)):
            require(table, names, key)
        if self.label:
            require(table, [self.label], "label")
        unit_of(table, self.time)
        for name in self.values:
            if name == self.label or name in run.schema.with_role("target"):
                raise ConfigError(
                    f"Windows over '{name}' would see labels that are not known yet",
                    where="values",
                    mend=f"Declare it as 'label: {name}', with the delay after which it is known",
                )
        taken = next((name for name in self._names() if name in table.names), None)
        if taken:
            raise DataError(f"The table has a column '{taken}' already", where="windows", mend="Rename it first")

    def _label(self, column: pa.Table) -> Array:
        import numpy as np

        found = from_arrow(column)[self.label or ""]
        gone = missing(found)
        if self.positive is not None:
            values = found.objects() if isinstance(found, Category) else found
            return np.where(gone, np.nan, np.asarray(values == self.positive, dtype=np.float64))
        if not isinstance(found, Category) and found.dtype.kind in "biuf":
            numbers = found.astype(np.float64)
            if bool(np.isin(numbers[~gone], (0, 1)).all()):
                return numbers
        raise DataError(
            f"The label '{self.label}' has values other than true and false, or 0 and 1",
            where="label",
            mend="Say which of its values the rate is of: 'positive'",
        )


def _numbers(column: pa.Table, name: str) -> Array:
    import numpy as np

    found = from_arrow(column)[name]
    if isinstance(found, Category) or found.dtype.kind not in "biuf":
        raise DataError(f"The column '{name}' does not hold numbers", where="values", mend="Cast it to number first")
    numbers: Array = found.astype(np.float64, copy=False)
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise DataError(f"The column '{name}' is infinite in {infinite} rows, and so would be its sums", where="values")
    return numbers
