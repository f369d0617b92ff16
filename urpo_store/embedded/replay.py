"""Health at a moment that the ingest path no longer keeps: stored points are filed once more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..engine.health.book import HealthBook
from ..model import MetricKind
from ..query.source import Reader, Stream
from .kinds import TEMPORALITY_NUMBERS, kind_number


def replayed_health(
    reader: Reader, streams: Iterable[Stream], service: str, length: int, at: int
) -> tuple[Any, ...]:
    """The fields of ServiceHealthMetrics behind the name, over `length` ns ending at `at`.

    `streams` are those of the service. Their points, and of each series the one before the window,
    go into a book made for this one answer, through the code that files what arrives.
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
        kind_number(stream.kind),
        TEMPORALITY_NUMBERS[stream.temporality],
        stream.kind is MetricKind.COUNTER,
        attributes,
    )
