"""Profiles of tables outside runs: of all rows or some, by month too, kept so that a second look costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

from modelway.context import Run
from modelway.engine import meter
from modelway.errors import ConfigError, DataError, StoreError, nearest
from modelway.expression import Expression
from modelway.fingerprint import StatCache, digest, ingredients
from modelway.schema import ColumnSchema, Schema, Task
from modelway.store import Manifest, Store
from modelway.values import Columns, Profile, Table, Value, take
from modelway.values.artifact import Folder

if TYPE_CHECKING:
    from modelway.stages import Profiler
    from modelway.values.columns import Array

#: Raised when what is done here changes a result.
_NUMBER = 1


@dataclass(frozen=True)
class Profiles(Value, kind="Profiles"):
    """A table's profile, and those of its months where they were asked for."""

    whole: Profile
    months: Mapping[str, Profile] = field(default_factory=dict)

    def save(self, folder: Folder) -> None:
        """Write the profile, and each month's below its name."""
        self.whole.save(folder)
        folder.put_json("months.json", list(self.months))
        for month, profile in self.months.items():
            profile.save(folder.sub(month))

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read back what ``save`` wrote."""
        months = {month: Profile.load(folder.sub(month)) for month in folder.get_json("months.json")}
        return cls(Profile.load(folder), months)


@dataclass(frozen=True)
class Wanted:
    """What to profile of a table.

    Attributes:
        profiler: Who does it.
        schema: What is declared about the table; without columns where nothing is.
        where: Expression that is true of the rows to look at; empty: all.
        time: Column by whose months to look as well; empty: not by month.
    """

    profiler: Profiler
    schema: Schema
    task: Task
    where: str = ""
    time: str = ""

    def profiles(self, table: Table, run: Run) -> Profiles:
        """Profile the table in one pass, part by part.

        Raises:
            ConfigError: an expression that does not parse or is no condition, or a column that is no time.
            DataError: no row is left, or a column of the expression is absent.
        """
        bound: Any = self.profiler
        if self.schema.columns:
            bound = bound.bound(fitting(self.schema, table.names), self.task)
        if self.time and self.time not in table.names:
            raise ConfigError(f"The table has no column '{self.time}'", mend=nearest(self.time, table.names))
        chosen = Expression(self.where, where="--where") if self.where else None

        def merge(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
            return {key: bound.merge(a[key], b[key]) if key in a and key in b else a.get(key, b.get(key))
                    for key in dict.fromkeys((*a, *b))}  # fmt: skip

        def summarise(part: Table) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for batch in part.batches():
                columns = batch if chosen is None else take(batch, condition(chosen, batch))
                for key, rows in self._groups(columns):
                    found = merge(found, {key: bound.summarise(rows)})
            return found

        parts = [table.only([part]) for part in table.parts if part.rows]
        found: dict[str, Any] = reduce(merge, run.map(summarise, parts), {})
        if "" not in found:
            raise DataError(f"No row fulfils '{self.where}'" if self.where else "The table has no rows")
        made = {key: bound.finish(summary) for key, summary in sorted(found.items())}
        whole = made.pop("")
        return Profiles(whole if self.where else _sized(whole, table.bytes), made)

    def _groups(self, columns: Columns) -> list[tuple[str, Columns]]:
        import numpy as np

        if not len(next(iter(columns.values()))):
            return []
        if not self.time:
            return [("", columns)]
        when = columns[self.time]
        if not isinstance(when, np.ndarray) or when.dtype.kind != "M":
            raise ConfigError(f"The column '{self.time}' is not a time", mend="Name a timestamp or date with --time")
        months = when.astype("M8[M]")
        return [("", columns)] + [
            (str(month), take(columns, months == month)) for month in np.unique(months[~np.isnat(months)])
        ]

    def fingerprint(self, identity: str, stats: StatCache) -> str:
        """Return the key under which the profiles of a table of that identity are kept."""
        declared = {name: [c.type, c.role, c.values, c.positive] for name, c in self.schema.columns.items()}
        used = ingredients({"profile": self.profiler}, stats, meter.version_of, 0)
        asked = {"where": self.where, "time": self.time, "schema": declared, "task": self.task}
        return digest({"what": "profiles", "engine": _NUMBER, "table": identity, "components": used, **asked})


def kept_profiles(
    wanted: Wanted, identity: str, table: Callable[[], Table], run: Run, store: Store, stats: StatCache
) -> Profiles:
    """Return the profiles of a table from the store, or compute and keep them.

    Args:
        wanted: What to profile.
        identity: Equal text means equal rows.
        table: Gives the table where it must be read.
        run: The run to compute with.
        store: Where they are kept; one that cannot be written keeps none.
        stats: Remembers code that has not changed.
    """
    key = wanted.fingerprint(identity, stats)
    manifest = store.lookup(key)
    if manifest is not None:
        return Profiles.load(store.reading(manifest))
    made = wanted.profiles(table(), run)
    try:
        folder = store.writing()
        made.save(folder)
        store.commit(Manifest(key, made.kind, folder.files, {"ingredients": {"table": identity}}))
    except StoreError as error:
        store.warn(f"The profile is not kept: {error}")
    return made


def condition(chosen: Expression, columns: Columns) -> Array:
    """Return which rows an expression is true of.

    Raises:
        ConfigError: its values are not true or false.
    """
    import numpy as np

    mask = np.asarray(chosen(columns))
    if mask.dtype != bool or mask.ndim != 1:
        raise ConfigError(
            f"'{chosen.text}' is no condition on rows", where=chosen.where, mend="Write one like 'yr == 0'"
        )
    return mask


def fitting(schema: Schema, names: tuple[str, ...]) -> Schema:
    """Return what a schema says about the columns that a table has; the others are yet to be made, or are gone."""
    found: dict[str, ColumnSchema] = {}
    for key, column in schema.columns.items():
        try:
            found |= dict.fromkeys(replace(schema, columns={key: column}).expand(names).columns, column)
        except ConfigError:
            continue
    exact = {key: column for key, column in schema.columns.items() if key in found}
    return replace(schema, columns={**found, **exact}, rules={})


def _sized(profile: Profile, size: int) -> Profile:
    table = profile.body.get("table")
    if not isinstance(table, Mapping) or table.get("bytes", 0) is not None:
        return profile
    return Profile({**profile.body, "table": {**table, "bytes": size}})
