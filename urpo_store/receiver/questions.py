"""Runs questions in threads. Their number is bounded, and the time of each.

A thread cannot be stopped from outside. One that is too slow is abandoned: its client is told, and its
place becomes free only when it really ends. So slow questions delay questions, never ingestion. The
threads are daemons: an exit does not wait for them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ..otlp.responses import Code, Status
from .http_errors import Refused
from .limits import Limits

T = TypeVar("T")

_WAITING_PER_PLACE = 16


class Questions:
    """Bounds the questions to one storage; used from one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._seconds = limits.query_seconds
        self._places = asyncio.Semaphore(limits.queries)
        self._free = limits.queries * (1 + _WAITING_PER_PLACE)

    async def ask(self, work: Callable[[], T]) -> T:
        """The result of `work()`. Refuses with 503 when too many wait, with 504 when it is late."""
        if self._free <= 0:
            raise Refused(Status(Code.UNAVAILABLE, "Too many questions at a time.", 1.0))
        self._free -= 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
                return await self._start(work)
        except TimeoutError:
            message = (
                f"The question took longer than {self._seconds:g} s. Ask for a shorter time "
                "range or fewer series, or raise the limit of the server."
            )
            raise Refused(Status(Code.DEADLINE_EXCEEDED, message), error="QueryError") from None
        finally:
            self._free += 1

    def _start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def finish(result: T | None, error: BaseException | None) -> None:
            self._places.release()
            if future.done():
                return  # abandoned
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result: T | None = None
            error: BaseException | None = None
            try:
                result = work()
            except StopIteration as stop:  # a future cannot carry it
                error = RuntimeError(stop)
            except BaseException as caught:
                error = caught
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(finish, result, error)

        try:
            threading.Thread(target=run, name="urpo-store-question", daemon=True).start()
        except BaseException:
            self._places.release()
            raise
        return future
