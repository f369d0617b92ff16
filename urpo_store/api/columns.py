"""Columns of numbers in the JSON of the HTTP API: numpy arrays, there and back."""

from __future__ import annotations

from reprlib import repr as shown
from types import NoneType
from typing import Any

import numpy as np

from .scalars import (
    MAX_PLAIN_INT,
    Decode,
    Encode,
    JsonError,
    decode_as,
    decode_float,
    decode_int,
    encode_float,
    encode_int,
)


def _encode_column(column: Any) -> Any:
    array = np.asarray(column)
    if array.dtype.kind == "f":
        values = array.tolist()
        if bool(np.isfinite(array).all()):
            return values
        return _map_nested(encode_float, values)
    if array.dtype.kind in "iu" and array.size:
        low, high = int(array.min()), int(array.max())
        if low > MAX_PLAIN_INT:  # times
            return _map_nested(str, array.tolist())
        if low < -MAX_PLAIN_INT or high > MAX_PLAIN_INT:
            return _map_nested(encode_int, array.tolist())
    return array.tolist()


def _map_nested(convert: Encode, values: list[Any]) -> list[Any]:
    """`convert` of every number, in lists of lists too."""
    if not values or not isinstance(values[0], list):
        return list(map(convert, values))
    return [
        _map_nested(convert, item) if isinstance(item, list) else convert(item) for item in values
    ]


def _plain(values: list[Any], kind: str) -> list[Any] | None:
    """What numpy makes of `values` by itself, exactly as `decode_...` would; None if it might not.

    One look at the types of all values costs a tenth of a call for each.
    """
    types = set(map(type, values))
    if types == {list}:
        rows = [_plain(row, kind) for row in values]
        return None if None in rows else rows
    if kind == "f":
        return values if types <= {float, NoneType} else None
    if kind == "b":
        return values if types <= {bool} else None
    if types == {str}:
        digits = "".join(values)
        lengths = list(map(len, values))
        if digits.isascii() and digits.isdecimal() and min(lengths) > 0 and max(lengths) <= 40:
            return list(map(int, values))
    return values if types <= {int} else None


def column_codec(dtype: np.dtype[Any], dimensions: int) -> tuple[Encode, Decode]:
    """How a column of `dtype` is written and read."""
    scalar: Decode = {"f": decode_float, "b": decode_as(bool)}.get(dtype.kind, decode_int)

    def decode_column(tree: object) -> Any:
        if not isinstance(tree, list):
            raise JsonError(f"a column is a list, not {shown(tree)}.")
        numbers = _plain(tree, dtype.kind)
        if numbers is None:
            numbers = _map_nested(scalar, tree)
        try:
            array = np.array(numbers, dtype=dtype)
        except (ValueError, OverflowError) as error:
            raise JsonError(f"a column of {dtype}: {error}") from None
        if dimensions == 2 and array.ndim == 1 and not array.size:
            return array.reshape(0, 0)
        if array.ndim != dimensions:
            raise JsonError(f"a column with {array.ndim} dimensions instead of {dimensions}.")
        return array

    return _encode_column, decode_column
