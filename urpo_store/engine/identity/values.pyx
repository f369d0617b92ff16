"""Canonical attribute values from and to Python; the format is in identity/values.pxd."""
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
    raise TypeError(f"{value!r} of type {type(value).__name__} is no attribute value; OTLP has "
                    f"text, bool, int, float, bytes, lists and maps")


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
    raise ValueError(
        f"{data!r} is no canonical value: it begins with none of the tags s i d b y n a m")


def pieces(data):
    found = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 4], "little")
        found.append(data[at + 4:at + 4 + length])
        at += 4 + length
    return found
