"""What one sender or one question may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import ConfigError

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. The defaults suit a store on one machine.

    `request_bytes`: of a request, compressed and decompressed (OTLP recommends 64 MiB).
    `header_seconds`: for the head of a request to arrive, and for gRPC's handshakes.
    `body_seconds`: for a body to arrive; it has a second more for each 64 KiB.
    `connections`: over HTTP; as many connections and calls over gRPC.
    `bodies_bytes`: of all bodies in memory over HTTP, compressed and decompressed, at least twice
    `request_bytes`; messages over gRPC that have arrived share as much again.
    `slow_messages`: how many messages over gRPC may take longer than half a second to arrive.
    `answer_bytes`: of the answer to a question.
    `answer_seconds`: for a client to take the next piece of its answer.
    `query_seconds`: for a question.
    `queries`: questions that run at a time; sixteen times as many wait.
    """

    request_bytes: int = 64 * MIB
    header_seconds: float = 10.0
    body_seconds: float = 20.0
    connections: int = 512
    bodies_bytes: int = 256 * MIB
    slow_messages: int = 32
    answer_bytes: int = 64 * MIB
    answer_seconds: float = 30.0
    query_seconds: float = 30.0
    queries: int = 4

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise ConfigError(f"Limits.{item.name} is {value!r}; give a positive number.")
