from typing import Any, final

REASONS: dict[int, str]

@final
class Engine:
    """One embedded store; the methods are described in core.pyx."""

    closed: bool
    retention: int
    memory_limit: int
    max_series: int
    def __new__(
        cls,
        *,
        retention: int,
        memory_limit: int,
        max_series: int,
        max_attributes: int,
        max_string: int,
        ring_slots: int,
        drain_interval: int,
        background: bool = True,
    ) -> Engine: ...
    def check_open(self) -> None: ...
    def close(self) -> None: ...
    def ingest(
        self, request: bytes | bytearray | memoryview
    ) -> tuple[int, int, list[tuple[int, str, str, int]]]: ...
    def health(
        self, service: str, window: int, at: int, now: int
    ) -> tuple[bool, tuple[Any, ...] | None]: ...
    def services(self) -> list[str]: ...
    def stats(self) -> dict[str, Any]: ...
    def compress_cold(self) -> None: ...
