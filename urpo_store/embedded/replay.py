"""Health at a moment that the ingest path no longer keeps: the stored points, filed once more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..engine.health.book import HealthBook
from ..model import MetricKind
from ..query.source import Reader, Stream

# The engine's numbers (points/slots.pxd).
_KINDS = {
    MetricKind.GAUGE: 1,
    MetricKind.UP_DOWN_COUNTER: 2,
    MetricKind.COUNTER: 2,
    MetricKind.HISTOGRAM: 3,
    MetricKind.EXPONENTIAL_HISTOGRAM: 4,
    MetricKind.SUMMARY: 5,
}
_TEMPORALITIES = {None: 0, "delta": 1, "cumulative": 2}


def replayed_health(
    reader: Reader, streams: Iterable[Stream], service: str, length: int, at: int
) -> tuple[Any, ...]:
    """The fields of ServiceHealthMetrics behind the name, over `length` ns ending at `at`.

    `streams` are those of the service. Their points, and the one before the window of each series,
    are filed into a record made for this one answer, by the code that files what arrives.
    """
    book = HealthBook(service, 0)
    for stream in streams:
        handles = [_bind(book, reader, stream, int(series)) for series in stream.ids]
        book.replay(handles, reader.scan(stream.ids, at - length, at, predecessor=True), now=at)
    report = book.report(length, at, at)
    return report[1:] if report is not None else (None,) * 9


def _bind(book: HealthBook, reader: Reader, stream: Stream, series: int) -> int:
    identity = reader.identity(series)
    attributes = {
        **identity.resource,
        **identity.scope.attributes,
        **identity.attributes,
    }
    return book.bind(
        stream.metric,
        stream.unit,
        _KINDS[stream.kind],
        _TEMPORALITIES[stream.temporality],
        stream.kind is MetricKind.COUNTER,
        attributes,
    )
