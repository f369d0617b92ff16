"""What is done with each input: it is decoded as a chunk with its ticks and layout.

The points, or the refusal, must not depend on what was in memory before. AddressSanitizer sees what is
read or written outside: the driver puts everything in blocks of exactly their size.
"""

from helpers.chunk_cases import unpack

counts = {"inputs": 0, "whole": 0, "points": 0}


def one_input(data: bytes) -> None:
    counts["inputs"] += 1
    case = unpack(data)
    found = case.decode(0)
    assert found == case.decode(0xFF)
    if found is not None:
        counts["whole"] += 1
        counts["points"] += len(found)
