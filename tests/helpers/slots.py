"""Claims for the ring: points as tuples, to and from the bytes of their slots (points/slots.pxd)."""

import struct
from typing import NamedTuple

SLOT = struct.Struct("<qQIIII")
SERIES_START = 0xFFFFFFFE


class RingPoint(NamedTuple):
    series: int
    time: int
    value: int
    start: int = 0
    flags: int = 0
    words: tuple[int, ...] = ()


def encode_claim(points: list[RingPoint]) -> bytes:
    """The slots of one claim: a START slot in front, and where the start time changes."""
    out: list[bytes] = []
    start_slot = -1
    start = None
    for point in points:
        if point.start != start:
            start, start_slot = point.start, len(out)
            out.append(SLOT.pack(start, 0, SERIES_START, 0, 0, 0))
        out.append(
            SLOT.pack(
                point.time,
                point.value,
                point.series,
                len(point.words),
                len(out) - start_slot,
                point.flags,
            )
        )
        padded = point.words + (0,) * (-len(point.words) % 4)
        for i in range(0, len(padded), 4):
            out.append(struct.pack("<4Q", *padded[i : i + 4]))
    return b"".join(out)


def slots_in(claim: bytes) -> int:
    return len(claim) // SLOT.size
