"""The bytes that the bodies of all requests in progress may take together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OverBudgetError(Exception):
    """This body is given up for others; the text is for its sender."""

    def __init__(self) -> None:
        super().__init__("Too many bytes of requests at a time.")


class Share:
    """What one body takes of the budget."""

    def __init__(self) -> None:
        self.size = 0
        self.lost = False
        #: Called when the body is given up while it arrives: from any thread, with a lock held.
        self.lose: Callable[[], object] | None = None


class Budget:
    """So many bytes; any thread may use it.

    When they are spent, the largest body that still arrives is given up. Were it the latest, a handful
    of senders that stop midway would keep all others out. So a body that is smaller than an equal
    share is always taken, unless bodies that have arrived fill the budget, and these end soon.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()  # guards everything below, and every share
        self._taken = 0
        self._arriving: set[Share] = set()

    @contextmanager
    def share(self) -> Iterator[Share]:
        """The share of a body; it is given back when the block is left."""
        share = Share()
        try:
            yield share
        finally:
            with self._lock:
                self._give_back(share)

    def arrives(self, share: Share, lose: Callable[[], object]) -> None:
        """From now on the body may be given up: `lose` is called then, and `take` raises."""
        with self._lock:
            share.lose = lose
            self._arriving.add(share)

    def has_arrived(self, share: Share) -> None:
        with self._lock:
            if share.lost:
                raise OverBudgetError
            self._arriving.discard(share)

    def take(self, share: Share, size: int) -> None:
        """Count `size` more bytes; raises `OverBudgetError` if this body is the one given up."""
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
                raise OverBudgetError
            share.size += size
            self._taken += size

    def _give_back(self, share: Share) -> None:
        self._taken -= share.size
        share.size = 0
        self._arriving.discard(share)
