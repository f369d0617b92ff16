"""What one sender or one question may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import ConfigError

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. The defaults suit a store on one machine.

    `request_bytes` bounds a request as it arrives and again after decompression (64 MiB is what
    OTLP recommends). A body has `body_seconds` to arrive, and a second more for each 64 KiB of it.
    The bodies of all requests over HTTP that are in memory at a time, as they came and decompressed,
    share `bodies_bytes`, or twice `request_bytes` if that is more; messages over gRPC that have come
    share as much again. Of those that take longer than half a second to come, `slow_messages` go on.
    A question is refused when its answer is longer than `answer_bytes` or takes longer than
    `query_seconds`; `queries` of them run at a time and as many wait. `answer_seconds` is how long
    a client may refuse to take the next piece of an answer.
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
