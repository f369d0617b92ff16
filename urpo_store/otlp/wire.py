"""The few pieces of protobuf's wire format that are written by hand.

They are for small messages whose descriptors no dependency of ours has (`google.rpc.Status`), and for
places where importing protobuf would cost more than it saves.
Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations


def varint(value: int) -> bytes:
    """`value` (0 <= value < 2**64) as a base-128 varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_field(number: int, value: int) -> bytes:
    """An integer field; nothing if it is 0, as proto3 leaves defaults out."""
    return varint(number << 3) + varint(value) if value else b""


def length_delimited(number: int, body: bytes) -> bytes:
    """A string, bytes or message field."""
    return varint(number << 3 | 2) + varint(len(body)) + body
