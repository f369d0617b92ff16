"""A `urpo_store.query.source.Reader` over Python lists: what the queries are tested against."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from urpo_store.model import (
    AttributeValue,
    Counter,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricKind,
    MetricTable,
    Scope,
    SeriesInfo,
    Summary,
    UpDownCounter,
)
from urpo_store.query.evaluate import evaluate
from urpo_store.query.source import (
    FLAG_INT,
    FLAG_MAX,
    FLAG_MIN,
    FLAG_STALE,
    FLAG_SUM,
    RowLayout,
    Scanned,
    Stream,
)

#: A stale mark in place of a value.
STALE = None


def key_of(value: Any) -> Any:
    """Something hashable that tells values of different types apart."""
    if isinstance(value, Mapping):
        return "map", tuple(sorted((name, key_of(item)) for name, item in value.items()))
    if isinstance(value, list | tuple):
        return "list", tuple(key_of(item) for item in value)
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    return type(value).__name__, value


def bits(number: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", number))[0])


@dataclass
class MemorySeries:
    info: SeriesInfo
    #: (time, start, value or STALE), in any order; reads sort them.
    points: list[tuple[int, int, Any]] = field(default_factory=list)


class MemoryReader:
    """Holds series; every point is (time, start, value), a value one of the model's or STALE."""

    def __init__(self) -> None:
        self.series: list[MemorySeries] = []
        self._values: list[Any] = [None]
        self._ids: dict[Any, int] = {}
        self.scans = 0

    def add(
        self,
        points: Iterable[tuple[Any, ...]],
        *,
        metric: str = "m",
        kind: MetricKind | None = None,
        unit: str = "",
        temporality: str | None = "cumulative",
        service: str = "checkout",
        attributes: Mapping[str, AttributeValue] | None = None,
        resource: Mapping[str, AttributeValue] | None = None,
        scope: Scope | None = None,
    ) -> int:
        """Add a series of (time, value) or (time, start, value); its id."""
        full = [(p[0], 0, p[1]) if len(p) == 2 else (p[0], p[1], p[2]) for p in points]
        if kind is None:
            kind = next(value.kind for _, _, value in full if value is not STALE)
        if kind in (MetricKind.GAUGE, MetricKind.SUMMARY):
            temporality = None
        info = SeriesInfo(
            metric,
            kind,
            unit,
            temporality,
            service,
            dict(attributes or {}),
            {"service.name": service, **(resource or {})},
            scope or Scope(),
        )
        self.series.append(MemorySeries(info, sorted(full, key=lambda point: point[0])))
        return len(self.series)

    def query(self, query: Any, now: int = 10**18) -> MetricTable:
        with self:
            return evaluate(self, query, now)

    # ---- the protocol

    def __enter__(self) -> MemoryReader:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def streams(self, metric: str) -> list[Stream]:
        found: dict[Any, list[int]] = {}
        for index, series in enumerate(self.series):
            info = series.info
            if info.metric == metric:
                found.setdefault((info.kind, info.unit, info.temporality), []).append(index + 1)
        return [
            Stream(metric, kind, unit, temporality, "", np.array(ids, np.uint32))
            for (kind, unit, temporality), ids in found.items()
        ]

    def _id(self, value: Any) -> int:
        key = key_of(value)
        if key not in self._ids:
            self._ids[key] = len(self._values)
            self._values.append(value)
        return self._ids[key]

    def attribute_column(self, ids: Any, key: str) -> Any:
        column = np.zeros(len(ids), np.uint32)
        for row, series in enumerate(ids):
            info = self.series[series - 1].info
            for level in (info.attributes, info.scope.attributes, info.resource):
                if key in level:
                    column[row] = self._id(level[key])
                    break
        return column

    def service_column(self, ids: Any) -> Any:
        return np.array([self._id(self.series[i - 1].info.service) for i in ids], np.uint32)

    def resource_column(self, ids: Any) -> Any:
        return np.array([self._id(self.series[i - 1].info.resource) for i in ids], np.uint32)

    def scope_column(self, ids: Any) -> Any:
        scopes = [self.series[i - 1].info.scope for i in ids]
        return np.array(
            [self._id([s.name, s.version, s.schema_url, s.attributes]) for s in scopes], np.uint32
        )

    def find_value(self, value: AttributeValue) -> int:
        return 0 if value is None else self._ids.get(key_of(value), 0)

    def value(self, value_id: int) -> AttributeValue:
        return self._values[value_id]

    def identity(self, series_id: int) -> SeriesInfo:
        return self.series[series_id - 1].info

    def exemplars(self, ids: Any, start: int, end: int) -> list[Any]:
        return []

    def scan(self, ids: Any, start: int, end: int, predecessor: bool = False) -> Scanned:
        self.scans += 1
        offsets, first = [0], []
        times: list[int] = []
        starts: list[int] = []
        values: list[int] = []
        flags: list[int] = []
        layout: list[int] = []
        row: list[int] = []
        words: list[int] = []
        layouts: list[RowLayout] = []
        for series_id in ids:
            points = self.series[series_id - 1].points
            before = [point for point in points if point[0] < start] if predecessor else []
            chosen = before[-1:] + [point for point in points if start <= point[0] <= end]
            first.append(len(times) + len(before[-1:]))
            last: RowLayout | None = None
            for time, begin, value in chosen:
                times.append(time)
                starts.append(begin)
                number, flag, shape, content = encode(value)
                values.append(number)
                flags.append(flag)
                # As an engine would: neighbours share a layout, other chunks repeat it.
                if last is None or (
                    shape.row_words != last.row_words or (shape.words != last.words).any()
                    if last is not None and len(shape.words) == len(last.words)
                    else True
                ):
                    layouts.append(shape)
                    last = shape
                layout.append(len(layouts) - 1)
                row.append(len(words))
                words.extend(content)
            offsets.append(len(times))
        has_rows = bool(words)
        return Scanned(
            frozen(offsets, np.int64),
            frozen(first, np.int64),
            frozen(times, np.int64),
            frozen(starts, np.int64),
            frozen(values, np.uint64),
            frozen(flags, np.uint32),
            frozen(layout, np.uint32) if has_rows else None,
            frozen(row, np.uint64) if has_rows else None,
            frozen(words, np.uint64) if has_rows else None,
            layouts,
        )


def frozen(items: Sequence[int], dtype: Any) -> Any:
    """An array that cannot be written, as a view of an engine's memory would be."""
    array = np.array(items, dtype)
    array.flags.writeable = False
    return array


NO_LAYOUT = RowLayout(np.zeros(0, np.uint64), 0)


def encode(value: Any) -> tuple[int, int, RowLayout, list[int]]:
    """(value bits, flags, layout, row words) of a value, as points/slots.pxd has them."""
    if value is STALE:
        return 0, FLAG_STALE, NO_LAYOUT, []
    if isinstance(value, Counter | UpDownCounter | Gauge):
        if isinstance(value.value, int):
            return value.value % 2**64, FLAG_INT, NO_LAYOUT, []
        return bits(value.value), 0, NO_LAYOUT, []
    if isinstance(value, Summary):
        quantiles = [bits(q) for q, _ in value.quantiles]
        row = [bits(value.sum)] + [bits(v) for _, v in value.quantiles]
        return value.count, 0, RowLayout(np.array(quantiles, np.uint64), len(row)), row
    flags = 0
    row = []
    for flag, number in ((FLAG_SUM, value.sum), (FLAG_MIN, value.min), (FLAG_MAX, value.max)):
        flags |= flag if number is not None else 0
        row.append(bits(number) if number is not None else 0)
    if isinstance(value, Histogram):
        row += value.bucket_counts
        bounds = np.array([bits(bound) for bound in value.bounds], np.uint64)
        return value.count, flags, RowLayout(bounds, len(row)), row
    assert isinstance(value, ExponentialHistogram)
    row += [value.zero_count, bits(value.zero_threshold)]
    row += [*value.positive_counts, *value.negative_counts]
    words = [
        value.scale % 2**32 | len(value.positive_counts) << 32,
        value.positive_offset % 2**32 | (value.negative_offset % 2**32) << 32,
    ]
    return value.count, flags, RowLayout(np.array(words, np.uint64), len(row)), row
