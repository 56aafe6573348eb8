"""A column of a batch as it is held, and whether its arrow type can be what was declared."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]


def fits(declared: str, kind: pa.DataType) -> bool | None:
    """Tell whether a column held as ``kind`` is of the declared type; None leaves it to the values.

    Whole numbers and booleans with missing values reach a table as float64, so a float column is an integer when
    its values are whole, and a boolean when they are 0 and 1. A column without any value is of every type.
    """
    import pyarrow as pa

    is_: Any = pa.types
    if is_.is_null(kind):
        return True
    number: bool = is_.is_integer(kind) or is_.is_floating(kind) or is_.is_decimal(kind)
    text: bool = is_text(kind.value_type if is_.is_dictionary(kind) else kind)
    match declared:
        case "number":
            return number
        case "integer":
            return True if is_.is_integer(kind) else None if number else False
        case "boolean":
            return True if is_.is_boolean(kind) else None if number else False
        case "category":
            if text or is_.is_dictionary(kind) or is_.is_integer(kind) or is_.is_boolean(kind):
                return True
            return None if number else False
        case "timestamp":
            return bool(is_.is_timestamp(kind))
        case "date":
            return bool(is_.is_date(kind))
        case _:
            return text


def is_text(kind: pa.DataType) -> bool:
    """Tell whether an arrow type holds text."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


class Held:
    """One column of a batch; what is computed from it is computed once.

    Attributes:
        array: The column as one arrow array; a dictionary of texts stays encoded.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        """Take a column as ``Table.scan`` gives it."""
        import pyarrow as pa

        array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # no chunks at all
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
        if pa.types.is_dictionary(array.type) and (array.dictionary.null_count or not is_text(array.type.value_type)):
            array = array.dictionary_decode()
        if pa.types.is_string_view(array.type):  # for which arrow lacks most functions
            array = array.cast(pa.large_string())
        self.array = array

    @cached_property
    def floating(self) -> bool:
        """Whether missing values may be NaN as well as null."""
        import pyarrow as pa

        return bool(pa.types.is_floating(self.array.type))

    @cached_property
    def numbers(self) -> Array:
        """The values as a numpy array of numbers, shape (rows,); missing is NaN."""
        import pyarrow as pa

        array = self.array
        if pa.types.is_boolean(array.type):
            array = array.cast(pa.int8())
        if pa.types.is_null(array.type) or pa.types.is_decimal(array.type):
            array = array.cast(pa.float64())
        return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    @cached_property
    def missing(self) -> Array | None:
        """Boolean array of the missing rows, or None where none is."""
        import numpy as np

        if self.floating:
            mask = np.isnan(self.numbers)
            return mask if mask.any() else None
        if self.array.null_count:
            return self.array.is_null().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
        return None

    @cached_property
    def plain(self) -> pa.Array:
        """The values with one form each, for comparison: no dictionary, NaN as null, no negative zero."""
        import pyarrow as pa

        if pa.types.is_dictionary(self.array.type):
            return self.array.dictionary_decode()
        if self.floating:
            return pa.array(self.numbers + 0.0, from_pandas=True)
        return self.array

    def present(self, mask: Array) -> Array:
        """Return the positions at which ``mask`` is true and a value is there."""
        import numpy as np

        if self.missing is not None:
            mask = mask & ~self.missing
        return np.flatnonzero(mask)
