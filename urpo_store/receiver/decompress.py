"""Content-Encoding of requests, inflated piece by piece with a hard cap.

gzip may have several members (RFC 1952, 2.2). deflate is zlib's format (RFC 9110, 8.4.1.2); raw
deflate is taken too, since some senders mean that. Errors: bytes after the compressed data, data that
breaks off, an empty body.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from ..errors import DecodeError

# Each call of zlib copies its unused input and its output. Both are small pieces, so that a large body
# is not copied again and again.
_INPUT = 16 << 10
_OUTPUT = 256 << 10
# A member of a few bytes costs as much as a piece of input. Real senders make one member.
_MAX_MEMBERS = 10_000

#: The known values of the Content-Encoding header.
ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class TooLargeError(Exception):
    """The body is larger than the limit after decompression."""


def decompress(
    body: bytes, encoding: str, limit: int, take: Callable[[int], object] = lambda size: None
) -> bytes:
    """`body` decoded; raises `DecodeError` or `TooLargeError`. `encoding` is one of ENCODINGS.

    `take` is called with the size of every piece before it is kept; it may raise.
    """
    if encoding in ("", "identity"):
        return body
    bits = zlib.MAX_WBITS | 16 if "gzip" in encoding else _deflate_bits(body)
    view = memoryview(body)
    at = 0  # zlib has been given all before this
    pieces: list[bytes] = []
    total = 0
    try:
        for _ in range(_MAX_MEMBERS):
            member = zlib.decompressobj(bits)
            while not member.eof:
                given: bytes | memoryview = member.unconsumed_tail
                if not given:
                    given = view[at : at + _INPUT]
                    at += len(given)
                piece = member.decompress(given, _OUTPUT)
                # Even without input there may be output that did not fit before.
                if not given and not piece and not member.eof:
                    raise DecodeError(f"The {encoding} body breaks off.")
                total += len(piece)
                if total > limit:
                    raise TooLargeError
                take(len(piece))
                pieces.append(piece)
            at -= len(member.unused_data)
            if at == len(view):
                return b"".join(pieces)
            if "gzip" not in encoding:
                raise DecodeError(f"{len(view) - at} bytes follow the {encoding} body.")
    except zlib.error as error:
        raise DecodeError(f"The body is not {encoding}: {error}") from None
    raise DecodeError(f"The {encoding} body has more than {_MAX_MEMBERS} members.")


def _deflate_bits(body: bytes) -> int:
    """The window bits for `decompressobj`. A zlib header has method 8 and is a multiple of 31.

    RFC 1950, 2.2. Without one, the data is raw deflate.
    """
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
