"""The calls over gRPC that are in progress: so many at a time, and each for so long.

grpcio waits for ever for the message of a call, in a thread of the server's pool, and for ever for a
client that leaves no room for the answer. Without a bound a handful of calls that never go on would
stop the receiver, and answers that nobody takes would fill the memory.
"""

from __future__ import annotations

import threading
import time

import grpc

from .limits import Limits


class Calls:
    """Counts the calls of one receiver and cancels those that last too long; used from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.connections
        self._seconds = limits.body_seconds + limits.answer_seconds
        self._lock = threading.Lock()  # guards everything below
        self._began: dict[grpc.ServicerContext, float] = {}  # the oldest first
        self._watched = False

    def begin(self, context: grpc.ServicerContext) -> bool:
        """Whether there is room for the call, which then counts until gRPC is done with it."""
        with self._lock:
            if len(self._began) >= self._most:
                return False
            self._began[context] = time.monotonic()
            watch, self._watched = not self._watched, True
        if watch:
            threading.Thread(target=self._watch, name="urpo-store-calls", daemon=True).start()
        if not context.add_callback(lambda: self._end(context)):
            self._end(context)  # It was over before we asked to be told.
        return True

    def _end(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._began.pop(context, None)

    def _watch(self) -> None:
        """Runs while there are calls, and a little longer: a thread for each would be too dear."""
        while True:
            time.sleep(self._seconds / 8)
            with self._lock:
                oldest = time.monotonic() - self._seconds
                late = [context for context, began in self._began.items() if began < oldest]
                if not self._began:
                    self._watched = False
                    return
            for context in late:
                context.cancel()  # type: ignore[no-untyped-call]
