"""Writes FlatBuffers, the form of the messages of Arrow's IPC; only what those need.

Format: https://flatbuffers.dev/internals/. A table is written before what it points to, since its
references are unsigned and count forward. Its vtable, which says where each slot is, stands in
front of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

#: Appends an object to a buffer and returns where it begins.
Object = Callable[[bytearray], int]
#: A slot of a table: a number with its `struct` format, a reference, or nothing (the default).
Slot = tuple[str, int] | Object | None

_REFERENCE = 4


def buffer_of(root: Object) -> bytes:
    """A buffer with one root table, padded to a multiple of eight bytes."""
    out = bytearray(_REFERENCE)
    struct.pack_into("<I", out, 0, root(out))
    _align(out, 8)
    return bytes(out)


def table(*slots: Slot) -> Object:
    """A table with these slots, in the order of their numbers in the schema."""

    def write(out: bytearray) -> int:
        sizes = [
            0 if slot is None else _REFERENCE if callable(slot) else struct.calcsize(slot[0])
            for slot in slots
        ]
        # The largest first, behind the reference to the vtable: each lies at a multiple of itself.
        places = [0] * len(slots)
        end = _REFERENCE
        for index in sorted(range(len(slots)), key=lambda index: -sizes[index]):
            if sizes[index]:
                places[index] = end
                end += sizes[index]
        vtable = struct.pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), end, *places)
        _align(out, 8, len(vtable) + _REFERENCE)
        out += vtable
        begin = len(out)
        out += struct.pack("<i", len(vtable)) + bytes(end - _REFERENCE)
        for slot, place in zip(slots, places, strict=True):
            if callable(slot):
                _refer(out, begin + place, slot)
            elif slot is not None:
                struct.pack_into(f"<{slot[0]}", out, begin + place, slot[1])
        return begin

    return write


def text(value: str | bytes) -> Object:
    """A string."""
    raw = value.encode() if isinstance(value, str) else value

    def write(out: bytearray) -> int:
        _align(out, 4)
        begin = len(out)
        out += struct.pack("<I", len(raw)) + raw + b"\0"
        return begin

    return write


def tables(items: Sequence[Object]) -> Object:
    """A vector of tables."""

    def write(out: bytearray) -> int:
        _align(out, 4)
        begin = len(out)
        out += struct.pack("<I", len(items)) + bytes(_REFERENCE * len(items))
        for index, item in enumerate(items):
            _refer(out, begin + 4 + _REFERENCE * index, item)
        return begin

    return write


def pairs(items: Sequence[tuple[int, int]]) -> Object:
    """A vector of structs that are two int64."""

    def write(out: bytearray) -> int:
        _align(out, 8, 4)
        begin = len(out)
        out += struct.pack(f"<I{2 * len(items)}q", len(items), *(n for item in items for n in item))
        return begin

    return write


def _refer(out: bytearray, place: int, target: Object) -> None:
    struct.pack_into("<I", out, place, target(out) - place)


def _align(out: bytearray, to: int, ahead: int = 0) -> None:
    """Pad, so that what comes `ahead` bytes from here begins at a multiple of `to`."""
    out += bytes(-(len(out) + ahead) % to)
