"""Counts what came to the receivers, which tells "nothing arrives" from "nothing is stored"."""

from __future__ import annotations

import threading
import time
from collections import Counter

from ..model import ReceiverStatus


class Arrivals:
    """The counts of one storage; its receivers share them and call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards everything below
        self._started = time.time_ns()
        self._last: int | None = None
        self._last_refusal = ""
        self._requests: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._addresses = {"grpc": "", "http": ""}

    def listening(self, transport: str, address: str) -> None:
        with self._lock:
            self._addresses[transport] = address

    def arrived(self, transport: str, signal: str) -> None:
        with self._lock:
            self._last = time.time_ns()
            self._requests[f"{transport} {signal}"] += 1

    def refused(self, transport: str, status: str, reason: str) -> None:
        with self._lock:
            self._refused[f"{transport} {status}"] += 1
            self._last_refusal = reason

    def status(self) -> ReceiverStatus:
        with self._lock:
            return ReceiverStatus(
                started=self._started,
                last_arrival=self._last,
                last_refusal=self._last_refusal,
                requests=dict(self._requests),
                refused=dict(self._refused),
                **self._addresses,
            )
