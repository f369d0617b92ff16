"""Columns as an Arrow C stream in a capsule; the only part of the writer that knows C."""

from collections.abc import Iterable, Sequence
from typing import Any, final

@final
class Field:
    """A column's type; `format` is Arrow's format string."""

    name: bytes
    format: bytes
    children: tuple[Field, ...]
    dictionary: Field | None
    def __init__(
        self,
        name: str,
        format: str,
        children: Sequence[Field] = (),
        dictionary: Field | None = None,
    ) -> None: ...

@final
class Column:
    """Values of a field: contiguous numpy arrays as Arrow's buffers (None: no validity bitmap)."""

    length: int
    null_count: int
    buffers: tuple[Any, ...]
    children: tuple[Column, ...]
    dictionary: Column | None
    def __init__(
        self,
        length: int,
        buffers: Sequence[Any],
        null_count: int = 0,
        children: Sequence[Column] = (),
        dictionary: Column | None = None,
    ) -> None: ...

@final
class BatchSource:
    """What a capsule's stream reads from."""

def stream_capsule(schema: Field, batches: Iterable[Column]) -> object:
    """A PyCapsule "arrow_array_stream"; `batches` is consumed as the reader asks."""
