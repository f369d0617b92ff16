"""Content-Encoding of requests, inflated piece by piece with a hard cap.

gzip may have several members (RFC 1952, 2.2); deflate is zlib's format (RFC 9110, 8.4.1.2), and raw
deflate, which some senders mean by it, is taken too. Nothing may follow the compressed data, and
data that breaks off is an error, an empty body too.
"""

from __future__ import annotations

import zlib

from ..errors import DecodeError

_PIECE = 1 << 18  # bytes inflated at a time: what is done in vain for a body over the limit

#: What is understood, by the names of the Content-Encoding header.
ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class TooLargeError(Exception):
    """The body is larger than the limit after decompression."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """`body` decoded; raises `DecodeError` or `TooLargeError`. `encoding` is one of ENCODINGS."""
    if encoding in ("", "identity"):
        return body
    bits = zlib.MAX_WBITS | 16 if "gzip" in encoding else _deflate_bits(body)
    pieces: list[bytes] = []
    total = 0
    rest = body
    try:
        while True:
            member = zlib.decompressobj(bits)
            while not member.eof:
                piece = member.decompress(rest, _PIECE)
                if not piece and not member.eof and not member.unconsumed_tail:
                    raise DecodeError(f"The {encoding} body breaks off.")
                total += len(piece)
                if total > limit:
                    raise TooLargeError
                pieces.append(piece)
                rest = member.unconsumed_tail
            rest = member.unused_data
            if not rest:
                return b"".join(pieces)
            if "gzip" not in encoding:
                raise DecodeError(f"{len(rest)} bytes follow the end of the {encoding} body.")
    except zlib.error as error:
        raise DecodeError(f"The body is not {encoding}: {error}") from None


def _deflate_bits(body: bytes) -> int:
    """zlib's header says that it is one: method 8, and a multiple of 31 (RFC 1950, 2.2)."""
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
