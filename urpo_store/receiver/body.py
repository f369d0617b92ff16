"""Bodies of requests: bounded in size and in time, before anything looks at them."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from ..otlp.responses import Code, Status
from .decompress import ENCODINGS, TooLargeError, decompress
from .http_errors import Refused
from .limits import Limits

# A second more for each of these: a slow line may take its time, a standing one may not.
_BYTES_PER_SECOND = 64 << 10


def content_encoding(request: Request) -> str:
    """The Content-Encoding, one that `decompress` knows; 415 for others."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise Refused(
            Status(
                Code.INVALID_ARGUMENT,
                f"Content-Encoding {encoding[:50]!r} is not supported; use gzip, deflate or none.",
            ),
            415,
            headers={"Accept-Encoding": "gzip, deflate"},
        )
    return encoding


def _too_large(limit: int, when: str) -> Refused:
    message = f"The request has more than {limit} bytes{when}. Send smaller batches."
    return Refused(Status(Code.RESOURCE_EXHAUSTED, message), 413)


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body as it came. 413 when it is too large, 408 when it is too slow."""
    limit = limits.request_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit, "")
    pieces: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    more = True
    while more:
        deadline = started + limits.body_seconds + size / _BYTES_PER_SECOND
        try:
            async with asyncio.timeout_at(deadline):
                message = await request.receive()
        except TimeoutError:
            raise Refused(
                Status(Code.DEADLINE_EXCEEDED, "The body did not arrive in time."),
                408,
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise _too_large(limit, "")
        more = message.get("more_body", False)
    # A large body is copied once: fresh pages cost more than what the engine does with their bytes.
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def inflate(body: bytes, encoding: str, limits: Limits) -> bytes:
    """The body decompressed: 413 beyond the limit, `DecodeError` if it is not `encoding`."""
    try:
        return decompress(body, encoding, limits.request_bytes)
    except TooLargeError:
        raise _too_large(limits.request_bytes, " after decompression") from None
