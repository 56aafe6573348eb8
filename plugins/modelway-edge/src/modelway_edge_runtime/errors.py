"""What can go wrong with a bundle and with rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Why a row is refused: its place among the rows, the field, the rule's name, and a sentence."""

    row: int
    field: str
    rule: str
    message: str


class RefusedError(ValueError):
    """Rows that training would refuse; ``problems`` holds the first hundred reasons, in the order of rows."""

    def __init__(self, problems: list[Problem], count: int) -> None:
        self.problems, self.count = problems, count
        first = problems[0]
        more = f", and {count - 1} more" if count > 1 else ""
        super().__init__(f"row {first.row}: {first.message}{more}")


class BundleError(RuntimeError):
    """A bundle whose parts are not those that were packaged together."""


class NotReadyError(RuntimeError):
    """A bundle whose golden rows score otherwise here than in training."""
