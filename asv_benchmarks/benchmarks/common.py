"""Requests that the benchmarks send: "the mix", made the same way every time.

A request holds one point for each of `series` series at one time that is new in each request; every
fifth point is a histogram of 15 bounds, the others are counters and gauges; each point has three
attributes. A service has at most 500 series.
"""

import random

from helpers.floods import sums_of
from helpers.malloc_counter import count_mallocs
from helpers.otlp import reverse_fields
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

__all__ = ["count_mallocs", "reverse_fields", "sums_of"]

BASE = 1_700_000_000_000_000_000
STEP = 1_000_000_000
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20)
PER_SERVICE = 500


class Mix:
    """Makes requests; each has the next time and moves every value a little."""

    def __init__(
        self, series: int, histograms: bool = True, per_service: int = PER_SERVICE
    ) -> None:
        self.random = random.Random(series)
        self.request = ExportMetricsServiceRequest()
        self.points = []
        self.sent = 0
        for first in range(0, series, per_service):
            block = self.request.resource_metrics.add()
            name = f"service-{first // per_service}"
            block.resource.attributes.add(key="service.name").value.string_value = name
            scope = block.scope_metrics.add()
            scope.scope.name = "bench"
            counter = scope.metrics.add(name="http.server.requests", unit="{request}")
            counter.sum.aggregation_temporality = 2
            counter.sum.is_monotonic = True
            gauge = scope.metrics.add(name="process.memory.usage", unit="By")
            duration = scope.metrics.add(name="http.server.request.duration", unit="s")
            duration.histogram.aggregation_temporality = 2
            for index in range(first, min(first + per_service, series)):
                self._add(index, counter, gauge, duration, histograms)

    def _add(self, index, counter, gauge, duration, histograms):
        if histograms and index % 5 == 0:
            kind = "histogram"
            point = duration.histogram.data_points.add(explicit_bounds=BOUNDS)
            point.bucket_counts.extend([0] * (len(BOUNDS) + 1))
            point.start_time_unix_nano = BASE - STEP
        elif index % 2:
            kind = "counter"
            point = counter.sum.data_points.add(start_time_unix_nano=BASE - STEP)
        else:
            kind = "gauge"
            point = gauge.gauge.data_points.add()
        keys = ("http.route", "http.request.method", "http.response.status_code")
        values = (f"/api/v1/resource-{index // 9}", ("GET", "PUT", "POST")[index % 3], None)
        for key, value in zip(keys, values, strict=True):
            attribute = point.attributes.add(key=key).value
            if value is None:
                attribute.int_value = 200 + index // 3 % 3 * 100
            else:
                attribute.string_value = value
        self.points.append((kind, point))

    def next(self, now: int | None = None) -> bytes:
        """The next request, with the next time or the one given."""
        now = BASE + self.sent * STEP if now is None else now
        chance = self.random
        for kind, point in self.points:
            point.time_unix_nano = now
            if kind == "counter":
                point.as_int += chance.randrange(100)
            elif kind == "gauge":
                point.as_double = chance.randrange(10_000) / 10
            else:
                count = 0
                for _ in range(5):
                    point.bucket_counts[chance.randrange(len(BOUNDS))] += 1
                    count += 1
                point.count += count
                point.sum += count * 0.25
        self.sent += 1
        return self.request.SerializeToString()

    def many(self, count: int) -> list[bytes]:
        return [self.next() for _ in range(count)]


def requests(series: int, count: int, order: str = "ascending", **options: object) -> list[bytes]:
    """`count` requests of the mix, with fields as SDKs ("ascending") or the Collector write them."""
    made = Mix(series, **options).many(count)
    return made if order == "ascending" else [reverse_fields(each) for each in made]


def shuffled(request: bytes, seed: int) -> bytes:
    """The same points, blocks of a service and points of a metric in any order."""
    choose = random.Random(seed)
    made = ExportMetricsServiceRequest.FromString(request)
    blocks = list(made.resource_metrics)
    choose.shuffle(blocks)
    for block in blocks:
        for metric in block.scope_metrics[0].metrics:
            points = getattr(metric, metric.WhichOneof("data")).data_points
            order = list(points)
            choose.shuffle(order)
            order = [type(point).FromString(point.SerializeToString()) for point in order]
            del points[:]
            points.extend(order)
    return ExportMetricsServiceRequest(resource_metrics=blocks).SerializeToString()


def flat(attributes: int, count: int, series: int = 500) -> list[bytes]:
    """Requests of gauges with so many attributes each, every one of a metric of its own."""
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    block.resource.attributes.add(key="service.name").value.string_value = "flat"
    scope = block.scope_metrics.add()
    points = []
    for index in range(series):
        point = scope.metrics.add(name=f"flat.gauge.{index}").gauge.data_points.add()
        for number in range(attributes):
            attribute = point.attributes.add(key=f"attribute.number.{number}")
            attribute.value.string_value = f"value-{index}-{number}"
        points.append(point)
    made = []
    for sent in range(count):
        for point in points:
            point.time_unix_nano = BASE + sent * STEP
            point.as_double = sent / 10
        made.append(request.SerializeToString())
    return made


def parse(batch: list[bytes]) -> None:
    """What the budgets are ratios of: protobuf merely parses the same bytes."""
    for each in batch:
        ExportMetricsServiceRequest.FromString(each)
