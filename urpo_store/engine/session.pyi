"""How queries read the store; see session.pxd."""

from typing import Self

import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

from urpo_store.engine.core import Engine
from urpo_store.model import Attributes, AttributeValue

_UInt32 = npt.NDArray[np.uint32]
_UInt64 = npt.NDArray[np.uint64]
_Int64 = npt.NDArray[np.int64]

@disjoint_base
class ReadSession:
    """What one thread reads while it is inside an epoch; see session.pyx for the methods."""

    def __new__(cls, engine: Engine) -> Self: ...
    def close(self) -> None: ...
    def read_streams(
        self, metric: str | None
    ) -> list[tuple[str, int, int, int, str, str, _UInt32]]: ...
    def attribute_column(self, ids: _UInt32, key: str) -> _UInt32: ...
    def service_column(self, ids: _UInt32) -> _UInt32: ...
    def resource_column(self, ids: _UInt32) -> _UInt32: ...
    def scope_column(self, ids: _UInt32) -> _UInt32: ...
    def find_value(self, value: AttributeValue) -> int: ...
    def read_value(self, value_id: int) -> AttributeValue: ...
    def read_identity(
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
    def read_points(
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
    def read_exemplars(
        self, ids: _UInt32, start: int, end: int
    ) -> list[tuple[int, int, bytes]]: ...
