"""The check ``categories``: values that are new, values that vanished, and values that became rare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from modelway import Category, ConfigError, DataError, Finding, Findings, Run, Table, missing, param
from modelway_expectations.expectation import Expectation, Piece, over, require

#: Count, first row, and the value itself, by the value's word.
Counts = dict[str, tuple[int, int, Any]]


@dataclass(frozen=True, kw_only=True)
class Categories(Expectation, name="categories"):
    """Checks the values of a column against those that are expected: none is new, none vanished, none is too rare.

    What is expected is ``values``, or a file that lists them (JSON, or text with a value on each line), or else what
    the schema declares. Values are compared as they are written, 1 and 1.0 alike. Missing values are the schema's
    affair, and shares are of the rows that have a value. Memory grows with the number of distinct values.
    """

    column: str = param(..., "Column whose values are looked at.")
    values: tuple[str | int | float | bool, ...] = param((), "Values that are expected.")
    file: str = param("", "File that lists the expected values: a JSON list, or text with a value on each line.")
    new: bool = param(True, "Whether a value that is not expected is a finding.")
    vanished: bool = param(True, "Whether an expected value that never occurs is a finding.")
    at_least_share: float | dict[str, float] = param(
        0.0, "Smallest share of the rows that each expected value has, or that by value."
    )

    def __post_init__(self) -> None:
        if self.values and self.file:
            raise ConfigError("'values' and 'file' both say what is expected; one may", where="file")

    def version(self, run: Run) -> str:
        """Return the digest of the file that lists the values."""
        return run.digest(self._path(run)) if self.file else ""

    def check(self, table: Table, run: Run) -> Findings:
        """Count the values.

        Raises:
            ConfigError: nothing says what is expected.
            DataError: the column is absent, or the file is not a list.
        """
        require(table, [self.column], f"checks.{run.label}.column")
        expected = {_word(value): value for value in self._expected(run)}
        found = over(table, run, partial(_counted, column=self.column), _merged) or {}
        shares = self.at_least_share if isinstance(self.at_least_share, Mapping) else dict.fromkeys(
            expected, self.at_least_share
        )  # fmt: skip
        asked = [share > 0 for share in shares.values()]
        items = tuple(self._found(found, expected, shares))
        return Findings(items, table.rows, self.new + self.vanished + any(asked))

    def _found(self, found: Counts, expected: Mapping[str, Any], shares: Mapping[str, float]) -> Iterator[Finding]:
        new = sorted((entry for word, entry in found.items() if word not in expected), key=lambda entry: entry[1])
        gone = [value for word, value in expected.items() if word not in found]
        if self.new and new:
            listed = ", ".join(f"{value!r} ({count})" for count, _, value in new[: self.samples])
            text = f"each value is one of the {len(expected)} expected; new: {listed or len(new)}"
            rows, values = [row for _, row, _ in new], [value for _, _, value in new]
            count = sum(entry[0] for entry in new)
            yield self.finding("new_values", self.column, count, text, rows=rows, samples=values)
        if self.vanished and gone:
            text = "each expected value occurs"
            yield self.finding("vanished_values", self.column, len(gone), text, unit="values", samples=gone)
        held = sum(entry[0] for entry in found.values())
        rare = [
            f"{word}: {found[word][0] / held:.3g}"
            for word, share in shares.items()
            if word in found and found[word][0] < share * held
        ]
        if rare:
            least = self.at_least_share
            text = "each value has " + (f"a share of at least {least:g}" if not isinstance(least, Mapping) else
                                        ", ".join(f"at least {s:g} for {w}" for w, s in least.items()))  # fmt: skip
            yield self.finding("at_least_share", self.column, len(rare), text, unit="values", samples=rare)

    def _path(self, run: Run) -> Any:
        path = run.path(self.file)
        if not path.is_file():
            raise DataError(
                f"The list of values '{self.file}' is not there", where=f"checks.{run.label}.file",
                mend="Paths start at the workspace",
            )  # fmt: skip
        return path

    def _expected(self, run: Run) -> list[Any]:
        if not self.file:
            declared = run.schema.columns.get(self.column)
            values = list(self.values or (declared.values if declared else None) or ())
            if not values:
                raise ConfigError(
                    f"Nothing says which values of '{self.column}' are expected", where=f"checks.{run.label}",
                    mend="List them under 'values', name a 'file' of them, or give the schema's column 'values'",
                )  # fmt: skip
            return values
        try:
            text = self._path(run).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"The list of values is not UTF-8: {error}", where=self.file, mend="Save it so") from None
        if not self.file.endswith(".json"):
            return [line.strip() for line in text.splitlines() if line.strip()]
        try:
            listed = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"The list of values is not JSON: {error}", where=self.file) from None
        if not isinstance(listed, list) or any(isinstance(value, (list, dict)) or value is None for value in listed):
            raise DataError("The file holds no list of values", where=self.file, mend='Write ["a", "b"]')
        return listed


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _counted(piece: Piece, column: str) -> Counts:
    import numpy as np

    part, start = piece
    counts: Counts = {}
    for batch in part.batches([column]):
        held = batch[column]
        places = np.flatnonzero(~missing(held))
        codes = held.codes if isinstance(held, Category) else held
        distinct, first, number = np.unique(codes[places], return_index=True, return_counts=True)
        values = [held.values[code] for code in distinct] if isinstance(held, Category) else distinct.tolist()
        rows = (places[first] + start).tolist()
        found = {_word(v): (n, r, v) for v, n, r in zip(values, number.tolist(), rows, strict=True)}
        counts = _merged(counts, found)
        start += len(held)
    return counts


def _merged(a: Counts, b: Counts) -> Counts:
    made = dict(a)
    for word, (count, row, value) in b.items():
        before, first, known = made.get(word, (0, row, value))
        made[word] = (before + count, first, known)
    return made
