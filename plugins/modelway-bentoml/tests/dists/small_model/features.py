from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelway import Columns, Feature, RowPreparer, param


@dataclass(frozen=True, kw_only=True)
class Ratio(RowPreparer, name="ratio"):
    """One column over another."""

    over: tuple[str, str] = param(..., "Numerator and denominator.")

    def apply(self, columns: Columns) -> Columns:
        import numpy as np

        top, bottom = (columns[name] for name in self.over)
        with np.errstate(divide="ignore", invalid="ignore"):
            made = np.where(bottom == 0, 0.0, top / np.where(bottom == 0, 1, bottom))
        return {**columns, "ratio": made}


@dataclass(frozen=True, kw_only=True)
class Codes(Feature, name="codes"):
    """Categories as numbers; one never seen is -1."""

    columns: tuple[str, ...] = param(..., "Columns to encode.")

    def apply(self, state: Mapping[str, Any], columns: Columns) -> Columns:
        return {name: column.recode(state[name]).codes.astype("float64") for name, column in columns.items()}
