"""A table of series as an Arrow stream: one row a point; docs/queries.md lists the columns.

Texts that repeat from row to row are dictionaries, made once for the whole table; a batch is up to
262,144 points. Columns that no series of the table has are left out, the fixed ones stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import AttributeValue, ExponentialHistogramColumns, HistogramColumns, MetricSeries
from .arrow_capsule import Column, Field, stream_capsule
from .text import attributes_json, typed_json

BATCH_ROWS = 1 << 18

_Array = npt.NDArray[Any]
#: A part of a series: (index of the series, first row, row behind the last).
_Part = tuple[int, int, int]
#: A column's type, and what makes its values for the parts of a batch.
_Writer = tuple[Field, Callable[[list[_Part]], Column]]


def arrow_stream(series: Sequence[MetricSeries], requested_schema: object | None = None) -> object:
    """A capsule "arrow_array_stream" of the table; `requested_schema`, a wish, is not followed."""
    return stream_capsule(*arrow_columns(series))


def arrow_columns(series: Sequence[MetricSeries]) -> tuple[Field, Iterator[Column]]:
    """The schema of the table, and its batches; each is made when it is asked for."""
    writers = list(_writers(series))
    schema = Field("", "+s", [field for field, _ in writers])

    def batches() -> Iterator[Column]:
        for parts in _batches(series):
            rows = sum(end - begin for _, begin, end in parts)
            yield Column(rows, [None], 0, [write(parts) for _, write in writers])

    return schema, batches()


def _batches(series: Sequence[MetricSeries]) -> Iterator[list[_Part]]:
    parts: list[_Part] = []
    room = BATCH_ROWS
    for index, one in enumerate(series):
        begin = 0
        while begin < len(one):
            end = min(len(one), begin + room)
            parts.append((index, begin, end))
            room -= end - begin
            begin = end
            if room == 0:
                yield parts
                parts, room = [], BATCH_ROWS
    if parts:
        yield parts


def _writers(series: Sequence[MetricSeries]) -> Iterator[_Writer]:
    fixed = list(_fixed_writers(series))
    taken = {field.name.decode() for field, _ in fixed}
    keys = list(dict.fromkeys(key for one in series for key in one.attributes))
    attributes = []
    for key in keys:
        name = key
        while name in taken:
            name = f"attribute.{name}"
        taken.add(name)
        attributes.append(_attribute(name, [one.attributes.get(key, _ABSENT) for one in series]))
    yield from fixed[:_IDENTITY]
    yield from attributes
    yield from fixed[_IDENTITY:]


#: How many of the fixed columns stand in front of the attributes.
_IDENTITY = 7


def _fixed_writers(series: Sequence[MetricSeries]) -> Iterator[_Writer]:
    yield _text("metric", [one.metric for one in series])
    yield _text("kind", [one.kind.value for one in series])
    yield _text("unit", [one.unit for one in series])
    yield _text("temporality", [one.temporality for one in series])
    yield _text("service", [one.service for one in series])
    yield _text("scope", [None if one.scope is None else one.scope.name for one in series])
    yield _text(
        "resource", [attributes_json(one.resource) if one.resource else None for one in series]
    )

    def times(name: str, pick: Callable[[MetricSeries], _Array], nullable: bool) -> _Writer:
        def write(parts: list[_Part]) -> Column:
            values = _gather(series, parts, pick, np.int64)
            return _numbers(values, values != 0 if nullable else None)

        return Field(name, "tsn:UTC"), write

    yield times("timestamp", lambda one: one.timestamps, False)
    yield times("start_timestamp", lambda one: one.start_timestamps, True)

    def recorded(one: MetricSeries) -> _Array:
        return np.ones(len(one), np.bool_) if one.stale is None else ~one.stale

    def values(parts: list[_Part]) -> Column:
        found = _gather(series, parts, lambda one: one.values, np.float64)
        return _numbers(found, _gather(series, parts, recorded, np.bool_))

    yield Field("value", "g"), values
    if any(one.int_values is not None for one in series):

        def ints(parts: list[_Part]) -> Column:
            found = _gather(series, parts, lambda one: one.int_values, np.int64)
            return _numbers(found, _gather(series, parts, lambda one: one.is_int, np.bool_))

        yield Field("int_value", "l"), ints
    if any(one.stale is not None for one in series):

        def stale(parts: list[_Part]) -> Column:
            found = _gather(series, parts, lambda one: one.stale, np.bool_)
            return Column(len(found), [None, _bits(found)])

        yield Field("stale", "b"), stale
    yield from _histogram_writers(series, recorded)
    yield from _summary_writers(series, recorded)


def _histogram_writers(
    series: Sequence[MetricSeries], recorded: Callable[[MetricSeries], _Array]
) -> Iterator[_Writer]:
    any_histogram = any(one.histogram is not None or one.summary is not None for one in series)
    explicit = [
        one.histogram if isinstance(one.histogram, HistogramColumns) else None for one in series
    ]
    exponential = [
        one.histogram if isinstance(one.histogram, ExponentialHistogramColumns) else None
        for one in series
    ]
    if any_histogram:
        both = [one.histogram or one.summary for one in series]
        yield _member("count", "L", np.uint64, series, both, recorded, lambda h: h.count)
        yield _member(
            "sum", "g", np.float64, series, both, _present(recorded, "has_sum"), lambda h: h.sum
        )
    if any(one.histogram is not None for one in series):
        histograms = [one.histogram for one in series]
        for name in ("min", "max"):
            yield _member(
                name,
                "g",
                np.float64,
                series,
                histograms,
                _present(recorded, f"has_{name}"),
                attrgetter(name),
            )
    if any(one is not None for one in explicit):
        yield _lists(
            "bucket_counts",
            "L",
            np.uint64,
            series,
            explicit,
            recorded,
            lambda h, a, b: (h.bucket_counts[a:b].reshape(-1), h.bucket_counts.shape[1]),
        )
        yield _lists(
            "bounds",
            "g",
            np.float64,
            series,
            explicit,
            recorded,
            lambda h, a, b: (np.tile(h.bounds, b - a), len(h.bounds)),
        )
    if any(one is not None for one in exponential):
        for name, form, dtype in (
            ("scale", "i", np.int32),
            ("zero_count", "L", np.uint64),
            ("zero_threshold", "g", np.float64),
        ):
            yield _member(
                name,
                form,
                dtype,
                series,
                exponential,
                recorded,
                attrgetter(name),
            )
        for side in ("positive", "negative"):
            yield _member(
                f"{side}_offset",
                "i",
                np.int32,
                series,
                exponential,
                recorded,
                attrgetter(f"{side}_offset"),
            )

            def counts(h: Any, a: int, b: int, side: str = side) -> tuple[_Array, int]:
                table = getattr(h, f"{side}_counts")
                return table[a:b].reshape(-1), table.shape[1]

            yield _lists(f"{side}_counts", "L", np.uint64, series, exponential, recorded, counts)


def _summary_writers(
    series: Sequence[MetricSeries], recorded: Callable[[MetricSeries], _Array]
) -> Iterator[_Writer]:
    summaries = [one.summary for one in series]
    if any(one is not None for one in summaries):
        yield _lists(
            "quantiles",
            "g",
            np.float64,
            series,
            summaries,
            recorded,
            lambda s, a, b: (np.tile(s.quantiles, b - a), len(s.quantiles)),
        )
        yield _lists(
            "quantile_values",
            "g",
            np.float64,
            series,
            summaries,
            recorded,
            lambda s, a, b: (s.values[a:b].reshape(-1), s.values.shape[1]),
        )


def _present(
    recorded: Callable[[MetricSeries], _Array], name: str
) -> Callable[[MetricSeries], _Array]:
    def present(one: MetricSeries) -> _Array:
        mask = getattr(one.histogram, name, None)
        return recorded(one) if mask is None else recorded(one) & mask

    return present


# Columns. A bitmap has one bit a row, lowest bit first; it is left out where nothing is null.


def _bits(mask: _Array) -> _Array:
    return np.packbits(mask, bitorder="little")


def _numbers(values: _Array, valid: _Array | None = None) -> Column:
    if valid is None or valid.all():
        return Column(len(values), [None, values])
    return Column(len(values), [_bits(valid), values], int(len(valid) - valid.sum()))


def _gather(
    series: Sequence[MetricSeries],
    parts: Iterable[_Part],
    pick: Callable[[MetricSeries], _Array | None],
    dtype: npt.DTypeLike,
) -> _Array:
    """One column of the parts behind each other; zeros for series that have none."""
    found = []
    for index, begin, end in parts:
        column = pick(series[index])
        found.append(np.zeros(end - begin, dtype) if column is None else column[begin:end])
    return np.ascontiguousarray(np.concatenate(found), dtype)


def _member(
    name: str,
    form: str,
    dtype: npt.DTypeLike,
    series: Sequence[MetricSeries],
    owners: Sequence[Any],
    valid: Callable[[MetricSeries], _Array],
    pick: Callable[[Any], _Array],
) -> _Writer:
    """A number of each point of the series that have an owner (histogram columns, ...)."""

    def write(parts: list[_Part]) -> Column:
        values, mask = [], []
        for index, begin, end in parts:
            owner = owners[index]
            if owner is None:
                values.append(np.zeros(end - begin, dtype))
                mask.append(np.zeros(end - begin, np.bool_))
            else:
                values.append(np.asarray(pick(owner)[begin:end], dtype))
                mask.append(valid(series[index])[begin:end])
        return _numbers(np.ascontiguousarray(np.concatenate(values)), np.concatenate(mask))

    return Field(name, form), write


def _lists(
    name: str,
    form: str,
    dtype: npt.DTypeLike,
    series: Sequence[MetricSeries],
    owners: Sequence[Any],
    valid: Callable[[MetricSeries], _Array],
    pick: Callable[[Any, int, int], tuple[_Array, int]],
) -> _Writer:
    """A list of each point; `pick` gives (the elements of the rows, elements a row).

    Lists with 64-bit offsets: buckets of a batch may be more than 2**31.
    """

    def write(parts: list[_Part]) -> Column:
        elements, lengths, mask = [np.zeros(0, dtype)], [], []
        for index, begin, end in parts:
            owner = owners[index]
            width = 0
            if owner is None:
                mask.append(np.zeros(end - begin, np.bool_))
            else:
                found, width = pick(owner, begin, end)
                elements.append(np.asarray(found, dtype))
                mask.append(valid(series[index])[begin:end])
            lengths.append(np.full(end - begin, width, np.int64))
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        values = np.ascontiguousarray(np.concatenate(elements))
        valid_rows = np.concatenate(mask)
        nulls = int(len(valid_rows) - valid_rows.sum())
        bitmap = _bits(valid_rows) if nulls else None
        return Column(len(valid_rows), [bitmap, offsets], nulls, [_numbers(values)])

    return Field(name, "+L", [Field("item", form)]), write


class _Absent:
    """The value of an attribute that a series does not have."""


_ABSENT = _Absent()


def _attribute(name: str, values: Sequence[AttributeValue | _Absent]) -> _Writer:
    """A column of the values' one type; JSON text that shows the type if there are several.

    A column that might be taken for typed text, because all its values are lists or maps or
    nothing, is JSON too.
    """
    kinds = {type(value) for value in values if not isinstance(value, _Absent)}
    if kinds == {str}:
        return _text(name, [value if isinstance(value, str) else None for value in values])
    if kinds == {bytes}:
        return _text(name, [v if isinstance(v, bytes) else None for v in values], "z")
    for kind, form, dtype in (
        (bool, "b", np.bool_),
        (int, "l", np.int64),
        (float, "g", np.float64),
    ):
        if kinds == {kind}:
            return _repeated(name, form, dtype, values)
    texts = [None if isinstance(value, _Absent) else typed_json(value) for value in values]
    return _text(name, texts)


def _repeated(
    name: str, form: str, dtype: npt.DTypeLike, values: Sequence[AttributeValue | _Absent]
) -> _Writer:
    present = np.array([not isinstance(value, _Absent) for value in values], np.bool_)
    plain = np.array([0 if isinstance(value, _Absent) else value for value in values], dtype)

    def write(parts: list[_Part]) -> Column:
        rows = _series_of_rows(parts)
        column = plain[rows]
        valid = present[rows]
        if form == "b":
            nulls = int(len(valid) - valid.sum())
            return Column(len(rows), [_bits(valid) if nulls else None, _bits(column)], nulls)
        return _numbers(column, valid)

    return Field(name, form), write


def _series_of_rows(parts: list[_Part]) -> npt.NDArray[np.int64]:
    index = np.array([index for index, _, _ in parts], np.int64)
    return np.repeat(index, [end - begin for _, begin, end in parts])


def _text(name: str, values: Sequence[str | bytes | None], form: str = "u") -> _Writer:
    """Text (or bytes, "z") that is one value a series, as a dictionary."""
    distinct: dict[str | bytes, int] = {}
    codes = np.array(
        [-1 if v is None else distinct.setdefault(v, len(distinct)) for v in values] or [-1],
        np.int32,
    )
    raw = [v.encode("utf-8", "replace") if isinstance(v, str) else v for v in distinct]
    offsets = np.concatenate([[0], np.cumsum([len(v) for v in raw])]).astype(np.int32)
    # One byte more: no buffer is empty, so none has a null address.
    data = np.frombuffer(b"".join(raw) + b"\0", np.uint8)
    dictionary = Column(len(raw), [None, offsets, data])

    def write(parts: list[_Part]) -> Column:
        rows = codes[_series_of_rows(parts)]
        nulls = int((rows < 0).sum())
        bitmap = _bits(rows >= 0) if nulls else None
        indexes = np.maximum(rows, 0)
        return Column(len(rows), [bitmap, indexes], nulls, [], dictionary)

    return Field(name, "i", [], Field("", form)), write
