"""Attribute values in the JSON of the HTTP API: typed, so that 1, "1", 1.0 and true stay four."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from reprlib import repr as shown
from typing import Any

import numpy as np

from ..model import AttributeValue
from .scalars import JsonError, decode_float, decode_int, encode_float


def encode_value(value: AttributeValue) -> dict[str, Any]:
    """An attribute value as OTLP/JSON writes AnyValue: {"intValue": "1"}; None is {}."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool | np.bool_):
        return {"boolValue": bool(value)}
    if isinstance(value, int | np.integer):
        return {"intValue": str(int(value))}
    if isinstance(value, float | np.floating):
        return {"doubleValue": "NaN" if math.isnan(value) else encode_float(float(value))}
    if isinstance(value, bytes | bytearray):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        entries = [{"key": key, "value": encode_value(item)} for key, item in value.items()]
        return {"kvlistValue": {"values": entries}}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [encode_value(item) for item in value]}}
    raise JsonError(f"{value!r}, a {type(value).__qualname__}, is no attribute value.")


def decode_value(tree: object) -> AttributeValue:
    """The reverse of `encode_value`."""
    if not isinstance(tree, dict) or len(tree) > 1:
        raise JsonError(f'{shown(tree)} is no typed value; one looks like {{"intValue": "1"}}.')
    for kind, content in tree.items():
        if kind == "stringValue" and isinstance(content, str):
            return content
        if kind == "boolValue" and isinstance(content, bool):
            return content
        if kind == "intValue":
            number = decode_int(content)
            if not -(2**63) <= number < 2**63:
                raise JsonError(f"{number} is no int64.")
            return number
        if kind == "doubleValue":
            return decode_float(content)
        if kind == "bytesValue" and isinstance(content, str):
            try:
                return base64.b64decode(content, validate=True)
            except ValueError:
                raise JsonError(f"{shown(content)} is not base64.") from None
        if kind == "arrayValue":
            return [decode_value(item) for item in _decode_items(content)]
        if kind == "kvlistValue":
            return dict(map(_decode_entry, _decode_items(content)))
        raise JsonError(f"{shown(tree)} is no typed value.")
    return None


def _decode_items(tree: object) -> list[Any]:
    """The values of an arrayValue or kvlistValue."""
    items = tree.get("values") or [] if isinstance(tree, dict) else None
    if not isinstance(items, list):
        raise JsonError(f'{shown(tree)} is not {{"values": [...]}}.')
    return items


def _decode_entry(tree: object) -> tuple[str, AttributeValue]:
    if not isinstance(tree, dict) or not isinstance(tree.get("key"), str):
        raise JsonError(f'{shown(tree)} is not {{"key": "...", "value": {{...}}}}.')
    return tree["key"], decode_value(tree.get("value", {}))


def encode_attributes(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    return {key: encode_value(value) for key, value in attributes.items()}


def decode_attributes(tree: object) -> dict[str, AttributeValue]:
    if not isinstance(tree, dict):
        raise JsonError(f"{shown(tree)} is not an object of attributes.")
    return {key: decode_value(value) for key, value in tree.items()}
