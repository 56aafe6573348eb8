"""Date parts: what a time says about season, week and day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from modelway import Category, Columns, ConfigError, Graph, Wire, Wires, param
from modelway_features.columnwise import Columnwise

if TYPE_CHECKING:
    from modelway_features.columnwise import Array

#: Smallest value and period of the parts that come round.
_PERIODS = {"month": (1, 12), "day": (1, 31), "weekday": (0, 7), "hour": (0, 24), "dayofyear": (1, 366)}


@dataclass(frozen=True, kw_only=True)
class DateParts(Columnwise, name="dateparts"):
    """Replace a time by parts of it, named ``<column>_<part>``.

    Weekdays count from 0 on Monday, months, days and days of the year from 1; a date's hour is 0; times are taken as
    they stand (UTC where the data has a zone). With ``cyclic``, month, day, weekday, hour and dayofyear become a sine
    and a cosine each (periods 12, 31, 7, 24 and 366), so that December is next to January. Missing stays missing.
    """

    fitted: ClassVar[bool] = False

    parts: tuple[Literal["year", "month", "day", "weekday", "hour", "dayofyear", "is_weekend"], ...] = param(
        ("year", "month", "day", "weekday", "hour"), "The parts to make."
    )
    cyclic: bool = param(False, "Whether parts that come round become a sine and a cosine.")

    def make(self, name: str, column: Any, fitted: Any) -> Columns:
        """Return the declared parts as float64.

        Raises:
            DataError: the column does not hold times.
        """
        import numpy as np

        if isinstance(column, Category) or column.dtype.kind != "M":
            mend = "Declare its type as timestamp or date in the schema"
            raise self.error(name, "it does not hold times", mend=mend)
        gone = np.isnat(column)
        some = bool(gone.any())
        times = np.where(gone, np.datetime64(0, "D").astype(column.dtype), column) if some else column
        days = times.astype("M8[D]")
        made: Columns = {}
        for part in self.parts:
            whole = _part(part, times, days)
            if self.cyclic and part in _PERIODS:
                steps = whole - _PERIODS[part][0]
                outputs = {f"{name}_{part}_{wave}": table[steps] for wave, table in _waves(part).items()}
            else:
                outputs = {f"{name}_{part}": whole.astype(np.float64)}
            for output, values in outputs.items():
                if some:
                    values[gone] = np.nan
                made[output] = values
        return made

    def to_onnx(self, state: Mapping[str, Any], columns: Mapping[str, Wire], graph: Graph) -> Wires:
        """Write the parts into a graph: one operation for each part of all columns."""
        for name, wire in columns.items():
            if wire.kind != "time":
                raise ConfigError(f"Column '{name}' does not hold times")
        time, names, width = graph.block(columns.values()), list(columns), len(columns)
        plain: dict[str, str] = {}
        made: Wires = {}
        for part in self.parts:
            whole = graph.arithmetic.part(time, part)
            if not (self.cyclic and part in _PERIODS):
                plain[part] = whole
                continue
            first, period = _PERIODS[part]
            steps = graph.add("Sub", whole, graph.constant([first], "int64"), width=width)
            for wave, table in _waves(part).items():
                known = graph.constant(table.tolist(), "float64", (period,))
                found = graph.arithmetic.if_known(time, graph.add("Gather", known, steps, width=width, axis=0))
                made |= graph.wires(found, [f"{name}_{part}_{wave}" for name in names])
        if plain:  # all parts beside each other, so that what is missing is told once
            both = [graph.add("Concat", *held, axis=1) if len(held) > 1 else held[0]
                    for held in (list(plain.values()), [time] * len(plain))]  # fmt: skip
            found = graph.arithmetic.if_known(both[1], both[0])
            made |= graph.wires(found, [f"{name}_{part}" for part in plain for name in names])
        return made


def _part(part: str, times: Array, days: Array) -> Array:
    """Return one part as whole numbers; shape (rows,)."""
    import numpy as np

    if part == "year":
        found = days.astype("M8[Y]").astype(np.int64) + 1970
    elif part == "month":
        found = days.astype("M8[M]").astype(np.int64) % 12 + 1
    elif part == "day":
        found = (days - days.astype("M8[M]").astype("M8[D]")).astype(np.int64) + 1
    elif part == "dayofyear":
        found = (days - days.astype("M8[Y]").astype("M8[D]")).astype(np.int64) + 1
    elif part == "hour":
        found = times.astype("M8[h]").astype(np.int64) % 24
    else:
        found = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
        found = (found >= 5).astype(np.int64) if part == "is_weekend" else found
    return found


@cache
def _waves(part: str) -> dict[str, Array]:
    """Return sine and cosine of each step of a part's period: looked up, so equal for any number of rows."""
    import numpy as np

    period = _PERIODS[part][1]
    angles = [2 * pi * step / period for step in range(period)]
    return {"sin": np.asarray([sin(angle) for angle in angles]), "cos": np.asarray([cos(angle) for angle in angles])}
