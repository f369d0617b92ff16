"""The `query.source.Reader` of the embedded store: the engine's columns, with the model's names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..engine.core import Engine
from ..engine.session import ReadSession
from ..model import AttributeValue, Exemplar, Scope, SeriesInfo
from ..query.source import RowLayout, Scanned, Stream, UInt32Array
from .kinds import TEMPORALITIES, metric_kind


class StoreReader(ReadSession):
    """Open for one question; used as a context manager.

    The columns of the protocol that are plain numbers are those of `ReadSession`.
    """

    def __init__(self, engine: Engine) -> None:
        self._values: dict[int, AttributeValue] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def streams(self, metric: str | None) -> list[Stream]:
        """The streams of this name; None: all."""
        return [
            Stream(
                name,
                metric_kind(kind, monotonic),
                unit,
                TEMPORALITIES[temporality],
                description,
                ids,
            )
            for name, kind, temporality, monotonic, unit, description, ids in self.read_streams(
                metric
            )
        ]

    def streams_of(self, service: str | None) -> Iterator[Stream]:
        """Every stream of a service, with the ids of that service's series; None: of all."""
        wanted = 0 if service is None else self.find_value(service)
        for stream in self.streams(None):
            if service is None:
                yield stream
                continue
            ids = stream.ids[self.service_column(stream.ids) == wanted]
            if wanted and len(ids):
                yield replace(stream, ids=ids)

    def value(self, value_id: int) -> AttributeValue:
        if value_id not in self._values:
            self._values[value_id] = self.read_value(value_id)
        return self._values[value_id]

    def identity(self, series_id: int) -> SeriesInfo:
        metric, kind, temporality, monotonic, unit, service, attributes, resource, scope = (
            self.read_identity(series_id)
        )
        return SeriesInfo(
            metric,
            metric_kind(kind, monotonic),
            unit,
            TEMPORALITIES[temporality],
            service,
            attributes,
            resource,
            Scope(*scope),
        )

    def scan(self, ids: UInt32Array, start: int, end: int, predecessor: bool = False) -> Scanned:
        columns = self.read_points(ids, start, end, predecessor)
        layouts = [RowLayout(words, row_words) for words, row_words in columns[-1]]
        return Scanned(*columns[:-1], layouts)

    def exemplars(self, ids: UInt32Array, start: int, end: int) -> list[tuple[int, Exemplar]]:
        from ..otlp.exemplar import exemplar_from_bytes

        found: dict[tuple[int, bytes], Exemplar] = {}
        for index, time, raw in self.read_exemplars(ids, start, end):
            exemplar = exemplar_from_bytes(raw)
            if not exemplar.timestamp:
                exemplar = replace(exemplar, timestamp=time)
            if start <= exemplar.timestamp <= end:
                found[index, raw] = exemplar
        return sorted(
            ((index, exemplar) for (index, _), exemplar in found.items()),
            key=lambda item: item[1].timestamp,
        )
