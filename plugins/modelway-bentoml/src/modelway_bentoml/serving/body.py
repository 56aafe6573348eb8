"""The body of a request: bytes to rows, refused clearly where they are not what was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_FORMS = "Send one of 'rows' (a list of objects), 'columns' (an object of lists), or 'row' (an object)"


class Refused(Exception):
    """A request that is refused for its form.

    Args:
        status: HTTP status.
        message: What is wrong, and how to mend it.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Rows:
    """What a request asks to score: either ``records``, one object per row, or ``columns``, one list per field."""

    records: Sequence[Any] | None = None
    columns: dict[str, list[Any]] | None = None


def rows_of(body: bytes, most: int) -> Rows:
    """Read the rows of a request.

    Args:
        body: JSON in UTF-8.
        most: Most rows allowed.

    Raises:
        Refused: malformed JSON (400), another form than the three (400), no rows (400), too many (413).
    """
    payload = decode(body)
    if not isinstance(payload, dict) or len(payload) != 1 or not payload.keys() <= {"rows", "columns", "row"}:
        raise Refused(400, f"The body is not of a form known here. {_FORMS}")
    form: str = next(iter(payload))
    value: Any = payload[form]
    if not (isinstance(value, list) if form == "rows" else isinstance(value, dict)):
        raise Refused(400, f"'{form}' is not of the form known here. {_FORMS}")
    rows, count = Rows(records=[value]), 1
    if form == "rows":
        rows, count = Rows(records=value), len(value)
    elif form == "columns":
        rows, count = Rows(columns=value), _height(value)
    if not count:
        raise Refused(400, "There are no rows to score")
    if count > most:
        raise Refused(413, f"The request holds {count} rows, and at most {most} are scored at once: send it in pieces")
    return rows


def _height(columns: dict[str, Any]) -> int:
    lengths = {name: len(items) for name, items in columns.items() if isinstance(items, list)}
    odd = next((name for name in columns if name not in lengths), None)
    if odd is not None:
        raise Refused(400, f"The column '{odd}' is not a list of values")
    if len(set(lengths.values())) > 1:
        short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise Refused(
            400, f"The columns differ in length: '{short}' has {lengths[short]} values and '{long}' {lengths[long]}"
        )
    return next(iter(lengths.values()), 0)


def decode(body: bytes) -> Any:
    """Read strict JSON: UTF-8, no NaN or Infinity, no key twice in an object.

    Raises:
        Refused: with status 400, and where it went wrong.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise Refused(400, f"The body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise Refused(400, f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise Refused(400, "The body is nested too deeply") from None
    except ValueError:
        # Python's own limit on the digits of a whole number.
        raise Refused(400, "The body holds a number of too many digits") from None


def _constant(token: str) -> Any:
    raise Refused(400, f"The body holds {token}, which is not JSON; a missing value is null")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(400, f"The body names '{twice[:60]}' twice in one object")
    return found
