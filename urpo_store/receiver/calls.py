"""Bounds the gRPC calls in progress: their number, how long each lasts, how many are slow.

grpcio waits without end for the message of a call, in a thread of the server's pool, and without end
for a client that does not take its answer. Without a bound, a handful of stalled calls would stop the
receiver, and answers that nobody takes would fill the memory.

The part of a message that has arrived is in gRPC's memory, and grpcio does not say how much it is.
In half a second the line itself bounds it. Of the messages that take longer, only so few go on that
all of them may have the largest size.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

import grpc

from .arrivals import Arrivals
from .limits import Limits

# A call is slow when its message takes longer than half a second. That is counted in rounds of the
# watch, not in time: when this process stands still, its senders are not slow.
_ROUND_SECONDS = 0.125
_SLOW_ROUNDS = 4


class Calls:
    """The calls of one receiver. Cancels those that last too long. Any thread may use it."""

    def __init__(self, limits: Limits, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._most = limits.connections
        self._seconds = limits.body_seconds + limits.answer_seconds
        self._most_slow = limits.slow_messages
        self._lock = threading.Lock()  # guards everything below
        self._began: dict[grpc.ServicerContext, float] = {}  # the oldest first
        self._reading: dict[
            grpc.ServicerContext, int
        ] = {}  # the round in which each began; the oldest first
        self._round = 0
        self._watched = False

    def begin(self, context: grpc.ServicerContext) -> bool:
        """Count the call until gRPC is done with it. False if there are too many."""
        with self._lock:
            if len(self._began) >= self._most:
                return False
            self._began[context] = time.monotonic()
            watch, self._watched = not self._watched, True
        if watch:
            self._start_watch()
        if not context.add_callback(lambda: self._end(context)):
            self._end(context)  # It ended before the callback was set.
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
            # The system gives no more threads. The next call tries again.
            with self._lock:
                self._watched = False

    def _end(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._began.pop(context, None)

    def _watch(self) -> None:
        """Runs while there are calls. One thread watches all: one for each would cost too much."""
        while True:
            time.sleep(min(self._seconds / 8, _ROUND_SECONDS))
            with self._lock:
                if not self._began:
                    self._watched = False
                    return
                self._round += 1
                late = _before(self._began, time.monotonic() - self._seconds)
                # The oldest go on. Were the oldest cancelled, a flood would let none through.
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
