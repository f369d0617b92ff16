from typing import Any, final

import numpy as np
from numpy.typing import NDArray

@final
class ColumnCodec:
    def __new__(cls, kind: str) -> ColumnCodec: ...
    def encode(self, values: NDArray[np.float64] | NDArray[np.int64]) -> bytes: ...
    def decode(self, data: bytes, count: int) -> NDArray[Any]: ...
