"""Answers to queries as Arrow IPC streams: any Arrow reader takes one, and ours rebuilds the table.

The stream is the table of docs/queries.md, one row a point. Its schema's metadata says what the rows
do not: under "urpo_store.series" stands a JSON list with a `_Head` for each series, in the order of
their rows. From both `read_stream` makes the same series that the JSON answer makes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..model import (
    AttributeValue,
    ExponentialHistogramColumns,
    HistogramColumns,
    MetricKind,
    MetricSeries,
    Scope,
    SummaryColumns,
)
from ..query.arrow import arrow_columns
from .arrow_ipc import ipc_stream
from .json import AnswerTooLongError, decode, encode
from .scalars import JsonError, dumps

if TYPE_CHECKING:
    import pyarrow

_HEADS = "urpo_store.series"
_EXPLICIT, _EXPONENTIAL = "explicit", "exponential"

#: What reading raises if the stream lacks what is looked for, or has something else there.
_NOT_OURS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)

_Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Head:
    """A series without its rows. `has_...`: which of the optional columns are its own."""

    rows: int
    metric: str
    kind: MetricKind
    unit: str
    temporality: str | None
    service: str | None
    attributes: Mapping[str, AttributeValue]
    resource: Mapping[str, AttributeValue]
    scope: Scope | None
    overflowed: bool = False
    has_ints: bool = False
    has_stale: bool = False
    has_summary: bool = False
    histogram: str | None = None
    #: The whole series, where its rows do not say all; they are skipped then.
    whole: MetricSeries | None = None


def write_stream(series: Sequence[MetricSeries], limit: int) -> bytes:
    """The stream; `AnswerTooLongError` if it has more than `limit` bytes."""
    least = sum(
        one.timestamps.nbytes + one.start_timestamps.nbytes + one.values.nbytes for one in series
    )
    if least > limit:
        raise AnswerTooLongError(limit)
    heads = dumps([encode(_head(one)) for one in series])
    return b"".join(_bounded(ipc_stream(*arrow_columns(series), {_HEADS: heads}), limit))


def _bounded(pieces: Iterable[Any], limit: int) -> Iterator[Any]:
    total = 0
    for piece in pieces:
        total += memoryview(piece).nbytes
        if total > limit:
            raise AnswerTooLongError(limit)
        yield piece


def _head(one: MetricSeries) -> _Head:
    kinds = {HistogramColumns: _EXPLICIT, ExponentialHistogramColumns: _EXPONENTIAL}
    return _Head(
        rows=len(one),
        metric=one.metric,
        kind=one.kind,
        unit=one.unit,
        temporality=one.temporality,
        service=one.service,
        attributes=one.attributes,
        resource=one.resource,
        scope=one.scope,
        overflowed=one.overflowed,
        has_ints=one.is_int is not None,
        has_stale=one.stale is not None,
        has_summary=one.summary is not None,
        histogram=None if one.histogram is None else kinds[type(one.histogram)],
        whole=None if _rows_say_all(one) else one,
    )


def _rows_say_all(one: MetricSeries) -> bool:
    """Whether the series can be rebuilt from its rows.

    Not without rows, since then its bounds are nowhere. Not from a stale mark that has a sum, a
    least or a greatest value, since these columns are null for all stale marks.
    """
    if not len(one) or (one.is_int is None) != (one.int_values is None):
        return False
    if one.histogram is None:
        return True
    if one.summary is not None:
        return False
    marks = one.histogram.has_sum, one.histogram.has_min, one.histogram.has_max
    return one.stale is None or not any(bool((mask & one.stale).any()) for mask in marks)


def read_stream(body: bytes) -> list[MetricSeries]:
    """The series of an answer; needs pyarrow. Raises `JsonError` if the stream is not ours."""
    import pyarrow

    try:
        table = pyarrow.ipc.open_stream(body).read_all()
        table.validate()
        heads = [decode(_Head, head) for head in json.loads(table.schema.metadata[_HEADS.encode()])]
        if any(head.rows < 0 for head in heads) or sum(h.rows for h in heads) != table.num_rows:
            raise JsonError(f"{table.num_rows} rows, which is not what its series have.")
        return list(_Rows(table).series(heads))
    except (pyarrow.ArrowException, *_NOT_OURS) as error:
        raise JsonError(f"an Arrow stream that is no answer to a query: {error}") from None


class _Rows:
    """The rows of all series, as arrays. They are made once, and a series is a slice of each."""

    def __init__(self, table: pyarrow.Table) -> None:
        self._table = table
        self._found: dict[str, _Array] = {}

    def series(self, heads: Iterable[_Head]) -> Iterator[MetricSeries]:
        begin = 0
        for head in heads:
            rows = slice(begin, begin + head.rows)
            yield self._one(head, rows) if head.whole is None else head.whole
            begin += head.rows

    def _one(self, head: _Head, rows: slice) -> MetricSeries:
        return MetricSeries(
            metric=head.metric,
            kind=head.kind,
            unit=head.unit,
            temporality=head.temporality,
            service=head.service,
            attributes=head.attributes,
            resource=head.resource,
            scope=head.scope,
            timestamps=self._numbers("timestamp", np.int64)[rows],
            start_timestamps=self._numbers("start_timestamp", np.int64)[rows],
            values=self._numbers("value", np.float64)[rows],
            int_values=self._numbers("int_value", np.int64)[rows] if head.has_ints else None,
            is_int=self._valid("int_value")[rows] if head.has_ints else None,
            stale=self._bits("stale", 1)[rows] if head.has_stale else None,
            histogram=self._histogram(head, rows),
            summary=self._summary(rows) if head.has_summary else None,
            overflowed=head.overflowed,
        )

    def _histogram(
        self, head: _Head, rows: slice
    ) -> HistogramColumns | ExponentialHistogramColumns | None:
        if head.histogram is None:
            return None
        shared = {
            "count": self._numbers("count", np.uint64)[rows],
            **{name: self._numbers(name, np.float64)[rows] for name in ("sum", "min", "max")},
            **{f"has_{name}": self._valid(name)[rows] for name in ("sum", "min", "max")},
        }
        if head.histogram == _EXPLICIT:
            return HistogramColumns(
                **shared,
                bucket_counts=self._lists("bucket_counts", np.uint64, rows),
                bounds=self._lists("bounds", np.float64, rows)[0].copy(),
            )
        return ExponentialHistogramColumns(
            **shared,
            scale=self._numbers("scale", np.int32)[rows],
            zero_count=self._numbers("zero_count", np.uint64)[rows],
            zero_threshold=self._numbers("zero_threshold", np.float64)[rows],
            positive_offset=self._numbers("positive_offset", np.int32)[rows],
            positive_counts=self._lists("positive_counts", np.uint64, rows),
            negative_offset=self._numbers("negative_offset", np.int32)[rows],
            negative_counts=self._lists("negative_counts", np.uint64, rows),
        )

    def _summary(self, rows: slice) -> SummaryColumns:
        return SummaryColumns(
            count=self._numbers("count", np.uint64)[rows],
            sum=self._numbers("sum", np.float64)[rows],
            quantiles=self._lists("quantiles", np.float64, rows)[0].copy(),
            values=self._lists("quantile_values", np.float64, rows),
        )

    # What stands under a null counts too (the NaN of a stale mark): buffers are read as they are.
    # Chunks of a column are the batches of the stream; they begin where their buffers begin.

    def _column(self, key: str, name: str, read: Callable[[pyarrow.Array], _Array]) -> _Array:
        """A column as one array that may be written to."""
        if key not in self._found:
            chunks = self._table.column(name).chunks
            self._found[key] = np.concatenate([read(chunk) for chunk in chunks])
        return self._found[key]

    def _numbers(self, name: str, dtype: npt.DTypeLike) -> _Array:
        def read(chunk: pyarrow.Array) -> _Array:
            return np.frombuffer(chunk.buffers()[1], dtype, len(chunk))

        return self._column(name, name, read)

    def _valid(self, name: str) -> _Array:
        return self._bits(name, 0)

    def _bits(self, name: str, buffer: int) -> _Array:
        def read(chunk: pyarrow.Array) -> _Array:
            bits = chunk.buffers()[buffer]
            if bits is None:
                return np.ones(len(chunk), np.bool_)
            octets = np.frombuffer(bits, np.uint8)
            return np.unpackbits(octets, count=len(chunk), bitorder="little").view(np.bool_)

        return self._column(f"{name} {buffer}", name, read)

    def _lists(self, name: str, dtype: npt.DTypeLike, rows: slice) -> _Array:
        """The lists of one series, which are equally long, as a row a point."""

        def elements(chunk: pyarrow.Array) -> _Array:
            return np.frombuffer(chunk.values.buffers()[1] or b"", dtype, len(chunk.values))

        ends = self._ends(name)
        begin = int(ends[rows.start - 1]) if rows.start else 0
        width = int(ends[rows.start]) - begin
        count = rows.stop - rows.start
        found = self._column(f"{name} elements", name, elements)[begin : begin + count * width]
        return found.reshape(count, width)

    def _ends(self, name: str) -> _Array:
        """Where the list of each row ends among the elements of all."""

        def lengths(chunk: pyarrow.Array) -> _Array:
            return np.diff(np.frombuffer(chunk.buffers()[1], np.int64, len(chunk) + 1))

        key = f"{name} ends"
        if key not in self._found:
            self._found[key] = self._column(f"{name} lengths", name, lengths).cumsum()
        return self._found[key]
