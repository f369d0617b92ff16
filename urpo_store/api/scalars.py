"""Numbers, text and enums in the JSON of the HTTP API; `json` says how each is written.

`encode_...` turns a value into what `dumps` takes. `decode_...` checks what a stranger sent and
raises `JsonError`.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Callable
from reprlib import repr as shown  # bounded, whatever a stranger sent
from typing import Any

from ..errors import UrpoStoreError

Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]

#: Integers up to here are exact in every reader of JSON.
MAX_PLAIN_INT = 2**53


class JsonError(UrpoStoreError, ValueError):
    """JSON that does not have the shape of what is read from it."""


def dumps(tree: object) -> bytes:
    """Compact UTF-8 JSON of what the encoders return."""
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def encode_int(value: int) -> int | str:
    number = int(value)
    return number if -MAX_PLAIN_INT <= number <= MAX_PLAIN_INT else str(number)


def decode_int(tree: object) -> int:
    if type(tree) is int:
        return tree
    if isinstance(tree, str) and re.fullmatch(r"-?[0-9]{1,40}", tree, re.ASCII):
        return int(tree)
    raise JsonError(f"{shown(tree)} is not an integer.")


def encode_float(value: float) -> float | str | None:
    number = float(value)
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return None
    return "Infinity" if number > 0 else "-Infinity"


WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def decode_float(tree: object) -> float:
    if tree is None:
        return math.nan
    if isinstance(tree, str) and tree in WORDS:
        return WORDS[tree]
    if isinstance(tree, int | float) and not isinstance(tree, bool):
        try:
            return float(tree)
        except OverflowError:
            raise JsonError(f"{shown(tree)} does not fit a double.") from None
    raise JsonError(f"{shown(tree)} is not a number.")


def decode_as(kind: type) -> Decode:
    def check(tree: object) -> object:
        if type(tree) is not kind:
            raise JsonError(f"{shown(tree)} is not a {kind.__name__}.")
        return tree

    return check


def decode_hex(tree: object) -> bytes:
    try:
        return bytes.fromhex(tree)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise JsonError(f"{shown(tree)} is not hex.") from None


def enum_decoder(kind: type[enum.Enum]) -> Decode:
    def read(tree: object) -> enum.Enum:
        try:
            return kind(tree)
        except ValueError:
            known = ", ".join(str(item.value) for item in kind)
            raise JsonError(f"{shown(tree)} is none of {known}.") from None

    return read


def optional(read: Decode) -> Decode:
    return lambda tree: None if tree is None else read(tree)
