"""The calls over gRPC that are in progress: so many at a time, each for so long, few of them slow.

grpcio waits for ever for the message of a call, in a thread of the server's pool, and for ever for a
client that leaves no room for the answer. Without a bound a handful of calls that never go on would
stop the receiver, and answers that nobody takes would fill the memory.

What has come of a message is in gRPC's memory, and grpcio does not tell how much that is. But what a
line brings in half a second is bounded by the line, and of the messages that take longer so few may
go on that all of them can be of the largest size.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

import grpc

from .arrivals import Arrivals
from .limits import Limits

# A call is slow when its message takes longer than half a second: so many rounds of the watch. They
# are counted, and not the time, because senders are not slow when this process stands still.
_ROUND_SECONDS = 0.125
_SLOW_ROUNDS = 4


class Calls:
    """Counts the calls of one receiver and cancels those that last too long; used from any thread."""

    def __init__(self, limits: Limits, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._most = limits.connections
        self._seconds = limits.body_seconds + limits.answer_seconds
        self._most_slow = limits.slow_messages
        self._lock = threading.Lock()  # guards everything below
        self._began: dict[grpc.ServicerContext, float] = {}  # the oldest first
        self._reading: dict[grpc.ServicerContext, int] = {}  # since which round; the oldest first
        self._round = 0
        self._watched = False

    def begin(self, context: grpc.ServicerContext) -> bool:
        """Whether there is room for the call, which then counts until gRPC is done with it."""
        with self._lock:
            if len(self._began) >= self._most:
                return False
            self._began[context] = time.monotonic()
            watch, self._watched = not self._watched, True
        if watch:
            self._start_watch()
        if not context.add_callback(lambda: self._end(context)):
            self._end(context)  # It was over before we asked to be told.
        return True

    def message(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes | None:
        """The message of a call that has begun; None if it has none."""
        with self._lock:
            self._reading[context] = self._round
        try:
            message = next(requests, None)
        finally:
            with self._lock:
                cancelled = self._reading.pop(context, None) is None
        if cancelled and message is None:
            context.abort(grpc.StatusCode.CANCELLED, "The call took too long.")
        return message

    def _start_watch(self) -> None:
        thread = threading.Thread(target=self._watch, name="urpo-store-calls", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more threads. That is no fault of this call; the next tries again.
            with self._lock:
                self._watched = False

    def _end(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._began.pop(context, None)

    def _watch(self) -> None:
        """Runs while there are calls, and a little longer: a thread for each would be too dear."""
        while True:
            time.sleep(min(self._seconds / 8, _ROUND_SECONDS))
            with self._lock:
                if not self._began:
                    self._watched = False
                    return
                self._round += 1
                late = _before(self._began, time.monotonic() - self._seconds)
                # The oldest go on: if all drove each other out, none would get through.
                slow = _before(self._reading, self._round - _SLOW_ROUNDS)[self._most_slow :]
                for context in (*late, *slow):
                    self._reading.pop(context, None)
            self._cancel(late, "The call took too long.")
            self._cancel(slow, "Too many slow messages at a time.")

    def _cancel(self, contexts: list[grpc.ServicerContext], why: str) -> None:
        for context in contexts:
            self._arrivals.refused("grpc", "CANCELLED", why)
            context.cancel()  # type: ignore[no-untyped-call]


def _before(since: Mapping[grpc.ServicerContext, float], then: float) -> list[grpc.ServicerContext]:
    return [context for context, began in since.items() if began < then]
