"""Canonical attribute values from and to Python, and as text; the format is in values.pxd."""
import base64
import json
import math
import struct


def encode_value(value):
    """Canonical bytes of a typed attribute value; raises TypeError for what OTLP has no type for.

    None is the value that has no type. An int must fit in 64 bits (OverflowError).
    """
    if value is None:
        return b"n"
    if isinstance(value, bool):
        return b"b\x01" if value else b"b\x00"
    if isinstance(value, str):
        return b"s" + value.encode()
    if isinstance(value, int):
        return b"i" + int(value).to_bytes(8, "little", signed=True)
    if isinstance(value, float):
        return b"d" + struct.pack("<d", value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b"y" + bytes(value)
    if isinstance(value, dict) or hasattr(value, "items"):
        entries = sorted((str(key).encode(), encode_value(item)) for key, item in value.items())
        return b"m" + b"".join(sized(key) + sized(item) for key, item in entries)
    if isinstance(value, (list, tuple)):
        return b"a" + b"".join(sized(encode_value(item)) for item in value)
    raise TypeError(f"{value!r} of type {type(value).__name__} is no attribute value; OTLP has text, "
                    f"bool, int, float, bytes, lists and maps")


def sized(data):
    return len(data).to_bytes(4, "little") + data


def decode_value(bytes data not None):
    """The typed value of canonical bytes: str, bool, int, float, bytes, list, dict or None."""
    tag, body = data[:1], data[1:]
    if tag == b"s":
        return body.decode()
    if tag == b"i":
        return int.from_bytes(body, "little", signed=True)
    if tag == b"d":
        return struct.unpack("<d", body)[0]
    if tag == b"b":
        return body == b"\x01"
    if tag == b"y":
        return body
    if tag == b"n":
        return None
    items = pieces(body)
    if tag == b"a":
        return [decode_value(item) for item in items]
    if tag == b"m":
        return {key.decode(): decode_value(item) for key, item in zip(items[::2], items[1::2])}
    raise ValueError(f"{data!r} is no canonical value: it begins with none of the tags s i d b y n a m")


def pieces(data):
    found = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 4], "little")
        found.append(data[at + 4:at + 4 + length])
        at += 4 + length
    return found


def double_text(value):
    """A float as ECMAScript writes it, which is what OpenTelemetry asks for: 1, 0.1, 1e21, 9e-7."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0") or "0"
    if 0 < point <= 21:
        if len(digits) <= point:
            return sign + digits.ljust(point, "0")
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    shown = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{shown}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def value_text(value):
    """The text of a value, as patterns match it: true, 42, 1.5, base64 of bytes, JSON of the rest.

    Follows OpenTelemetry's rules for attributes in systems that know text alone: text and numbers as
    they are, lists and maps as JSON with sorted keys, "" for no value.
    """
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
    return json.dumps(as_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def as_json(value):
    if isinstance(value, float) and not math.isfinite(value):
        return double_text(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return value
