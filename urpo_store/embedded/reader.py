"""The embedded store's `query.source.Reader`: the engine's plain columns, with their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..engine.reader import Reader
from ..model import AttributeValue, Exemplar, MetricKind, Scope, SeriesInfo
from ..query.source import Layout, Scanned, Stream, UInt32Array

# Indexed by the engine's kind; a sum's depends on whether it is monotonic.
_KINDS = {
    1: MetricKind.GAUGE,
    2: MetricKind.UP_DOWN_COUNTER,
    3: MetricKind.HISTOGRAM,
    4: MetricKind.EXPONENTIAL_HISTOGRAM,
    5: MetricKind.SUMMARY,
}
_TEMPORALITIES = {0: None, 1: "delta", 2: "cumulative"}


def metric_kind(kind: int, monotonic: int) -> MetricKind:
    return MetricKind.COUNTER if kind == 2 and monotonic else _KINDS[kind]


class StoreReader:
    """Open for one question; used as a context manager."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._values: dict[int, AttributeValue] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reader.close()

    def streams(self, metric: str) -> list[Stream]:
        return list(self._named(self._reader.streams(metric)))

    def all_streams(self, service: str | None = None) -> Iterator[Stream]:
        """Every stream, or every stream of a service with the ids of that service's series."""
        wanted = 0 if service is None else self._reader.find_value(service)
        for stream in self._named(self._reader.streams(None)):
            if service is None:
                yield stream
                continue
            ids = stream.ids[self.service_column(stream.ids) == wanted]
            if wanted and len(ids):
                yield Stream(
                    stream.metric,
                    stream.kind,
                    stream.unit,
                    stream.temporality,
                    stream.description,
                    ids,
                )

    @staticmethod
    def _named(
        streams: list[tuple[str, int, int, int, str, str, UInt32Array]],
    ) -> Iterator[Stream]:
        for name, kind, temporality, monotonic, unit, description, ids in streams:
            yield Stream(
                name,
                metric_kind(kind, monotonic),
                unit,
                _TEMPORALITIES[temporality],
                description,
                ids,
            )

    def attribute_column(self, ids: UInt32Array, key: str) -> UInt32Array:
        return self._reader.attribute_column(ids, key)

    def service_column(self, ids: UInt32Array) -> UInt32Array:
        return self._reader.service_column(ids)

    def resource_column(self, ids: UInt32Array) -> UInt32Array:
        return self._reader.resource_column(ids)

    def scope_column(self, ids: UInt32Array) -> UInt32Array:
        return self._reader.scope_column(ids)

    def find_value(self, value: AttributeValue) -> int:
        return self._reader.find_value(value)

    def value(self, value_id: int) -> AttributeValue:
        if value_id not in self._values:
            self._values[value_id] = self._reader.value(value_id)
        return self._values[value_id]

    def identity(self, series_id: int) -> SeriesInfo:
        metric, kind, temporality, monotonic, unit, service, attributes, resource, scope = (
            self._reader.identity(series_id)
        )
        return SeriesInfo(
            metric,
            metric_kind(kind, monotonic),
            unit,
            _TEMPORALITIES[temporality],
            service,
            attributes,
            resource,
            Scope(*scope),
        )

    def scan(self, ids: UInt32Array, start: int, end: int, predecessor: bool = False) -> Scanned:
        columns = self._reader.scan(ids, start, end, predecessor)
        layouts = [Layout(words, row_words) for words, row_words in columns[-1]]
        return Scanned(*columns[:-1], layouts)

    def exemplars(self, ids: UInt32Array, start: int, end: int) -> list[tuple[int, Exemplar]]:
        from ..otlp.exemplar import exemplar_from_bytes

        found: dict[tuple[int, bytes], Exemplar] = {}
        for index, time, raw in self._reader.exemplars(ids, start, end):
            exemplar = exemplar_from_bytes(raw)
            if not exemplar.timestamp:
                exemplar = replace(exemplar, timestamp=time)
            if start <= exemplar.timestamp <= end:
                found[index, raw] = exemplar
        return sorted(
            ((index, exemplar) for (index, _), exemplar in found.items()),
            key=lambda item: item[1].timestamp,
        )
