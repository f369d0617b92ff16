"""Memory for bodies of requests, which all that are there at a time share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class NoRoomError(Exception):
    """The body has to go, so that others find room; the text is for its sender."""

    def __init__(self) -> None:
        super().__init__("Too many bytes of requests at a time.")


class Share:
    """What one body takes."""

    def __init__(self) -> None:
        self.size = 0
        self.lost = False
        #: Called, from any thread and with a lock held, when the body has to go while it arrives.
        self.lose: Callable[[], object] | None = None


class Room:
    """So many bytes; used from any thread.

    When they are taken, the largest body that still arrives has to go. If the last to come went
    instead, a handful of senders that stop midway would keep all others out: so a body that is
    smaller than what each would have if all had the same is always taken, unless the room is full
    of bodies that have arrived, which are soon done with.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()  # guards everything below, and every share
        self._taken = 0
        self._arriving: set[Share] = set()

    @contextmanager
    def share(self) -> Iterator[Share]:
        """The share of a body until it has been dealt with."""
        share = Share()
        try:
            yield share
        finally:
            with self._lock:
                self._give_back(share)

    def arrives(self, share: Share, lose: Callable[[], object]) -> None:
        """From now on the body may have to go: `lose` tells it so at once, `NoRoomError` later."""
        with self._lock:
            share.lose = lose
            self._arriving.add(share)

    def has_arrived(self, share: Share) -> None:
        with self._lock:
            if share.lost:
                raise NoRoomError
            self._arriving.discard(share)

    def take(self, share: Share, size: int) -> None:
        """So many bytes more for a body; `NoRoomError` when it is the one that has to go."""
        with self._lock:
            while not share.lost and self._taken + size > self._most:
                largest = max(self._arriving, key=lambda each: each.size, default=share)
                if largest.size <= share.size + size:
                    largest = share
                self._give_back(largest)
                largest.lost = True
                if largest is not share and largest.lose is not None:
                    largest.lose()
            if share.lost:
                raise NoRoomError
            share.size += size
            self._taken += size

    def _give_back(self, share: Share) -> None:
        self._taken -= share.size
        share.size = 0
        self._arriving.discard(share)
