"""Which values may break a rule: quick questions put to arrow and numpy, a whole column at a time.

Every value that breaks a rule is among its suspects; a suspect need not break it. So nothing more is asked of a batch
without suspects, which is nearly every batch, and ``objects.column_checks`` judges the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelway_pandera.held import Held, is_text

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

#: Regular expressions that Python and RE2, arrow's engine, read alike: no escaped classes but ``\d``, no look-around,
#: no POSIX classes, no possessive quantifiers.
_COMMON = re.compile(r"(?:[A-Za-z0-9 _:@#/,;=%&~\"'<>.^$|()*+?{}\]!-]|\[(?!:)|\\[d.+*?()/-])*")
_DIFFER = re.compile(r"\(\?(?!:)|\{,|[*+?}]\+|\[\^.*\\d|\[[^\]]*\[")


def suspects(rule: str, ask: Any, column: Held) -> Array:
    """Return the ascending positions of the values that may break a rule.

    Args:
        rule: ``type``, ``nullable``, ``min``, ``max``, ``values`` or ``pattern``.
        ask: What the rule asks for: the column's field of that name.
        column: The column.
    """
    import numpy as np

    match rule:
        case "nullable":
            return np.flatnonzero(column.missing) if column.missing is not None else np.empty(0, np.int64)
        case "min":
            return np.flatnonzero(column.numbers < ask)
        case "max":
            return np.flatnonzero(column.numbers > ask)
        case "values":
            return column.present(_outside(column, ask))
        case "pattern":
            return column.present(_unmatched(column.array, ask))
    numbers = column.numbers
    with np.errstate(invalid="ignore"):
        odd = (numbers != 0) & (numbers != 1) if ask == "boolean" else numbers % 1 != 0
    return column.present(odd)


def _outside(column: Held, allowed: tuple[Any, ...]) -> Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = column.array
    if pa.types.is_dictionary(array.type):
        return _by_code(array, _outside(Held(pa.chunked_array([array.dictionary])), allowed))
    kind, known = array.type, list[Any]()
    if is_text(kind):
        known = [value for value in allowed if isinstance(value, str)]
    elif pa.types.is_integer(kind):
        known = [int(value) for value in allowed if not isinstance(value, str) and float(value).is_integer()]
    elif column.floating or pa.types.is_decimal(kind):
        kind, known = pa.float64(), [float(value) for value in allowed if not isinstance(value, str)]
        array = array.cast(kind)
    else:
        known = [value for value in allowed if isinstance(value, bool)]
    if pa.types.is_null(kind):
        return column.array.is_null().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    try:
        value_set = pa.array(known, kind)
    except (pa.ArrowException, OverflowError):  # some allowed value is outside what the column's type can hold
        value_set = pa.array([], kind)
    return pc.invert(pc.is_in(array, value_set=value_set)).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _unmatched(array: pa.Array, pattern: str) -> Array:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        return _by_code(array, _unmatched(array.dictionary, pattern))
    if not is_text(array.type):
        return np.ones(len(array), dtype=bool)
    if _COMMON.fullmatch(pattern) and not _DIFFER.search(pattern):
        try:
            matched = pc.match_substring_regex(array, f"^(?:{pattern})$").fill_null(True)
            return pc.invert(matched).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
        except pa.ArrowException:  # RE2 reads less than Python does
            pass
    whole = re.compile(pattern).fullmatch
    return np.fromiter((v is not None and whole(v) is None for v in array.to_pylist()), bool, len(array))


def _by_code(array: pa.DictionaryArray, values: Array) -> Array:
    import numpy as np

    codes = array.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return values[codes] if len(values) else np.zeros(len(array), dtype=bool)
