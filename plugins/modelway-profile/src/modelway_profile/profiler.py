"""The profiler ``profile``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Self

from modelway import Columns, ConfigError, Profile, Profiler, Schema, nearest, param

if TYPE_CHECKING:
    from modelway import Task
    from modelway_profile.relation import Aim
    from modelway_profile.summary import Summary

#: Version of a profile's body.
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TableProfile(Profiler, name="profile"):
    """What a table holds, column by column, in one pass and bounded memory.

    Of each column: type, rows, missing, distinct values, quantiles, histogram, frequent values; of numbers smallest,
    largest, mean, deviation, zeros and negatives. With a target: Pearson's correlation, the share of the target's
    variance that the column explains and, for two classes, the AUC of the column alone; a column that predicts the
    target by itself, or names rows, is warned about. Of the table: rows by day, first and last time, days without rows.

    Exact, and so equal however rows were cut: rows, missing, zeros, negatives, smallest, largest, histogram, counts of
    up to 2,048 distinct numbers and of ``max_categories`` texts, rows by day and by class of the target. Beyond: the
    number of distinct values has a standard error of 1.6 %, quantiles a rank error that the profile states (0.13 % for
    a million rows), counts of frequent values are too small by at most what it states. Means and correlations are
    floating-point sums: byte-equal for equal batches, and equal to 1e-12 otherwise.
    """

    target: str = param("", "Target column where no schema names one.")
    time: str = param("", "Column of the rows' time where no schema names one; else the first timestamp.")
    max_categories: int = param(5000, "Distinct texts of a column that are each counted.", at_least=10, at_most=100_000)
    leak_auc: float = param(0.98, "AUC of a single column at which it is warned about.", above=0.5, at_most=1)
    leak_r2: float = param(
        0.9, "Share of the target's variance at which one column is warned about.", above=0, at_most=1
    )
    identifier: float = param(
        0.95, "Share of rows with a value of their own that makes an identifier.", above=0, at_most=1
    )

    #: What is declared about the table; ``bound`` sets both.
    schema: ClassVar[Schema | None] = None
    task: ClassVar[str | None] = None

    def bound(self, schema: Schema, task: Task) -> Self:
        """Return the profiler that knows the table's target, time, types and roles."""
        made = copy.copy(self)
        object.__setattr__(made, "schema", schema)
        object.__setattr__(made, "task", task)
        return made

    def summarise(self, columns: Columns) -> Summary:
        """Summarise one batch.

        Raises:
            ConfigError: ``target`` or ``time`` names no column.
        """
        import numpy as np

        from modelway_profile.summary import Summary
        from modelway_profile.target import Target

        for key in ("target", "time"):
            name = getattr(self, key)
            if name and name not in columns:
                raise ConfigError(
                    f"The table has no column '{name}'", where=f"profile.{key}", mend=nearest(name, columns)
                )
        name = self._target(columns)
        classify = self.task in ("binary", "multiclass")
        target = Target.of(columns[name], classify) if name else None
        with np.errstate(all="ignore"):  # squares of the largest floats overflow: those figures are left out
            return Summary.of(columns, target, name, self.max_categories)

    def merge(self, a: Summary, b: Summary) -> Summary:
        """Merge two summaries; ``a`` is of earlier rows."""
        import numpy as np

        with np.errstate(all="ignore"):
            return a.merge(b)

    def finish(self, summary: Summary) -> Profile:
        """Turn the summary of all rows into a profile: facts to read, and the state that merges."""
        from modelway_profile import cautions
        from modelway_profile.facts import facts, kind_of, volume
        from modelway_profile.numeric import NumberColumn

        names = list(summary.columns)
        roles = {name: self._declared(name, "role") for name in names}
        kinds = {name: kind_of(column, self._declared(name, "type")) for name, column in summary.columns.items()}
        target = self._target(names)
        if target:
            roles[target] = "target"
        aim = self._aim(summary, target)
        time = self.time or next((name for name in names if roles[name] == "time"), "")
        time = time or next((name for name in names if "M" in getattr(summary.columns[name], "kinds", "")), "")
        columns = {name: facts(column, kinds[name], roles[name], aim) for name, column in summary.columns.items()}
        settings = self.config()
        for name, body in columns.items():
            body["warnings"] = cautions.of_column(name, body, settings, target)
        table: dict[str, Any] = {"rows": summary.rows, "columns": len(names), "bytes": None, "target": target}
        table |= {"positive": aim.positive, "time": time}
        dated = summary.columns.get(time)
        table["volume"] = volume(dated) if isinstance(dated, NumberColumn) else {}
        table["warnings"] = cautions.of_table(table)
        declared = None if self.schema is None else self.schema.plain()
        return Profile(
            {
                "format": FORMAT,
                "table": table,
                "columns": columns,
                "profiler": {"settings": settings, "schema": declared, "task": self.task},
                "state": summary.plain(),
            }
        )

    def describe(self, profile: Profile) -> dict[str, Any]:
        """Return what a profile says, without the state that only merging needs."""
        from modelway_profile.diff import describe

        return describe(profile)

    def diff(self, a: Profile, b: Profile, months: Mapping[str, Profile] | None = None) -> dict[str, Any]:
        """Return what differs in ``b`` from ``a``; see ``modelway_profile.diff``."""
        from modelway_profile.diff import diff

        return diff(a, b, months)

    def page(self, profile: Profile, title: str) -> str:
        """Return a page about a table: warnings first, then a card for each column."""
        from modelway_profile.page import page

        return page(profile, title)

    def diff_page(self, a: Profile, b: Profile, title: str, months: Mapping[str, Profile] | None = None) -> str:
        """Return a page about what differs between two profiles, worst first."""
        from modelway_profile.page import diff_page

        return diff_page(a, b, title, months)

    def _target(self, names: Any) -> str:
        declared = "" if self.schema is None else self.schema.one("target") or ""
        return self.target or (declared if declared in names else "")

    def _declared(self, name: str, what: str) -> str:
        for key, column in (self.schema.columns if self.schema is not None else {}).items():
            if key == name or (any(sign in key for sign in "*?[") and fnmatchcase(name, key)):
                return str(getattr(column, what))
        return ""

    def _aim(self, summary: Summary, name: str) -> Aim:
        from modelway_profile.numeric import NumberColumn
        from modelway_profile.relation import Aim
        from modelway_profile.target import name as class_name

        if not name:
            return Aim()
        column = summary.columns[name]
        if self.schema is not None and self.task == "binary" and name in self.schema.columns and not self.target:
            return Aim(name, class_name(self.schema.classes("binary")[-1]))
        if isinstance(column, NumberColumn):
            zero_one = self.task in (None, "binary") and column.whole and column.low == 0 and column.high == 1
            return Aim(name, "1" if zero_one else None, zero_one)
        return Aim(name, max(column.names) if len(column.names) == 2 else None)


def profiler_of(profile: Profile) -> TableProfile:
    """Return the profiler that made a profile, as it was bound."""
    told = profile.body["profiler"]
    made = TableProfile(**told["settings"])
    return made if told["schema"] is None else made.bound(Schema.of(told["schema"]), told["task"])


def summary_of(profile: Profile) -> Summary:
    """Return the summary that a profile was finished from."""
    from modelway_profile.summary import Summary

    return Summary.restore(profile.body["table"]["rows"], profile.body["state"])


def merged(a: Profile, b: Profile) -> Profile:
    """Return the profile of the rows of both; ``a`` is of earlier rows, and its bounds hold.

    Raises:
        DataError: the tables have different columns.
    """
    profiler = profiler_of(a)
    made = profiler.finish(profiler.merge(summary_of(a), summary_of(b)))
    sizes = [profile.body["table"]["bytes"] for profile in (a, b)]
    return made if None in sizes else with_bytes(made, sum(sizes))


def with_bytes(profile: Profile, size: int) -> Profile:
    """Return the profile with the table's stored size in bytes, which only the table knows."""
    body: Mapping[str, Any] = profile.body
    return Profile({**body, "table": {**body["table"], "bytes": size}})
