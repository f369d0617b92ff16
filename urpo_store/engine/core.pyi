from typing import Any, final

import numpy as np
import numpy.typing as npt

from urpo_store.model import Attributes, AttributeValue

_UInt32 = npt.NDArray[np.uint32]
_UInt64 = npt.NDArray[np.uint64]
_Int64 = npt.NDArray[np.int64]

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
    def reader(self) -> Reader: ...
    def health(
        self, service: str, window: int, at: int, now: int
    ) -> tuple[bool, tuple[Any, ...] | None]: ...
    def services(self) -> list[str]: ...
    def stats(self) -> dict[str, Any]: ...
    def drain(self) -> int: ...
    def maintain(self, ahead: int = 0) -> None: ...
    def evict_idle(self, ahead: int) -> int: ...
    def full_tails_sealed(self) -> int: ...
    def compress_cold(self) -> None: ...
    def fail_allocation(self, n: int) -> int: ...

@final
class Reader:
    """A way into the stored series; the methods are described in core.pyx."""

    def __new__(cls, engine: Engine) -> Reader: ...
    def close(self) -> None: ...
    def streams(self, metric: str | None) -> list[tuple[str, int, int, int, str, str, _UInt32]]: ...
    def attribute_column(self, ids: _UInt32, key: str) -> _UInt32: ...
    def service_column(self, ids: _UInt32) -> _UInt32: ...
    def resource_column(self, ids: _UInt32) -> _UInt32: ...
    def scope_column(self, ids: _UInt32) -> _UInt32: ...
    def find_value(self, value: AttributeValue) -> int: ...
    def value(self, value_id: int) -> AttributeValue: ...
    def identity(
        self, series_id: int
    ) -> tuple[
        str,
        int,
        int,
        int,
        str,
        str,
        Attributes,
        Attributes,
        tuple[str, str, str, Attributes],
    ]: ...
    def scan(
        self, ids: _UInt32, start: int, end: int, predecessor: bool
    ) -> tuple[
        _Int64,
        _Int64,
        _Int64,
        _Int64,
        _UInt64,
        _UInt32,
        _UInt32 | None,
        _UInt64 | None,
        _UInt64 | None,
        list[tuple[_UInt64, int]],
    ]: ...
    def exemplars(self, ids: _UInt32, start: int, end: int) -> list[tuple[int, int, bytes]]: ...
