"""Bodies of requests: bounded in size and in time, before anything looks at them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from starlette.requests import ClientDisconnect, Request

from ..otlp.responses import Code, Status
from .budget import Budget, OverBudgetError, Share
from .decompress import ENCODINGS, TooLargeError, decompress
from .http_errors import Refused
from .limits import Limits
from .statuses import export_status

# A body has a second more for each of these: a slow line may take its time, a stalled one may not.
_BYTES_PER_SECOND = 64 << 10
_CLOSE = {"Connection": "close"}  # for a body whose rest is not wanted


def content_encoding(request: Request) -> str:
    """The Content-Encoding of the request. Refuses with 415 what `decompress` does not know."""
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


def _over_budget(headers: dict[str, str]) -> Refused:
    return Refused(export_status(OverBudgetError()), headers=headers)


class Bodies:
    """The bodies of all requests to one app."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # The largest request, compressed and decompressed, fits when it is alone.
        self._budget = Budget(max(limits.bodies_bytes, 2 * limits.request_bytes))

    @contextmanager
    def of(self, request: Request) -> Iterator[Body]:
        """The body of a request; it counts towards the budget until the block is left."""
        with self._budget.share() as share:
            yield Body(request, self._limits, self._budget, share)


class Body:
    """One body. It is refused with 503 when the budget gives it up for others."""

    def __init__(self, request: Request, limits: Limits, budget: Budget, share: Share) -> None:
        self._request = request
        self._limits = limits
        self._budget = budget
        self._share = share

    async def read(self, limit: int | None = None) -> bytes:
        """The body as it came. 413 when it is too large, 408 when it is too slow."""
        limit = min(limit or self._limits.request_bytes, self._limits.request_bytes)
        declared = self._request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit, "")
        try:
            return await self._pieces(limit)
        except TimeoutError:
            if self._share.lost:
                raise _over_budget(_CLOSE) from None
            status = Status(Code.DEADLINE_EXCEEDED, "The body did not arrive in time.")
            raise Refused(status, 408, headers=_CLOSE) from None
        except OverBudgetError:
            raise _over_budget(_CLOSE) from None

    async def _pieces(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with asyncio.timeout(None) as timer:

            def stop_waiting() -> None:
                with suppress(RuntimeError):  # The timer has ended: the budget told it before.
                    timer.reschedule(loop.time())

            self._budget.arrives(self._share, lambda: loop.call_soon_threadsafe(stop_waiting))
            more = True
            while more:
                timer.reschedule(started + self._limits.body_seconds + size / _BYTES_PER_SECOND)
                message = await self._request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                piece = message.get("body", b"")
                size += len(piece)
                if size > limit:
                    raise _too_large(limit, "")
                self._budget.take(self._share, len(piece))
                pieces.append(piece)
                more = message.get("more_body", False)
            self._budget.has_arrived(self._share)
        # One copy at most: fresh pages cost more than what the engine does with them.
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def inflate(self, body: bytes, encoding: str) -> bytes:
        """The body decompressed: 413 beyond the limit, `DecodeError` if it is not `encoding`."""
        limit = self._limits.request_bytes
        try:
            return decompress(
                body, encoding, limit, lambda size: self._budget.take(self._share, size)
            )
        except TooLargeError:
            raise _too_large(limit, " after decompression") from None
        except OverBudgetError:
            raise _over_budget({}) from None
