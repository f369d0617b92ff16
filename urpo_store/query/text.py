"""Attribute values as text, as patterns match them, and as JSON that shows the type.

The text of a value follows OpenTelemetry's rules for systems that know text alone: text as it is,
true and false, decimal integers, doubles as ECMAScript writes them (1, 0.1, 1e+21, NaN), bytes in
base64, lists and maps as JSON with sorted keys, "" for no value.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

from ..model import Attributes, AttributeValue


def value_text(value: AttributeValue) -> str:
    """The text that a pattern in `where` must match as a whole."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def double_text(value: float) -> str:
    """A double as ECMAScript's Number::toString writes it (ECMA-262, 6.1.6.1.20)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS * 10**point.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        if len(digits) <= point:
            return sign + digits.ljust(point, "0")
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    shown = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{shown}e{point - 1:+d}"


def typed_json(value: AttributeValue) -> str:
    """A value as JSON that shows its type, so that 1, "1", 1.0 and true stay four.

    Text, bool, list and map as JSON has them; an int is {"int": 1}, a double {"double": 1.0},
    bytes {"bytes": "base64"}, a map {"map": {...}}; no value is null.
    """
    return json.dumps(_tagged(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def attributes_json(attributes: Attributes) -> str:
    """Attributes as one JSON object; the values as in `typed_json`."""
    tagged = {key: _tagged(value) for key, value in attributes.items()}
    return json.dumps(tagged, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _tagged(value: AttributeValue) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return {"int": value}
    if isinstance(value, float):
        return {"double": value if math.isfinite(value) else double_text(value)}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"map": {key: _tagged(item) for key, item in value.items()}}
    return [_tagged(item) for item in value]


def _plain(value: AttributeValue) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return double_text(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return [_plain(item) for item in value]
