"""Requests really made by the OpenTelemetry Python SDK and its exporters' encoder."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

TYPED = (1, "1", True, 1.0)
ATTRIBUTES = {
    "text": "größe ☃ 字",
    "empty": "",
    "int": -(2**53) - 1,
    "double": 0.1,
    "bool": False,
    "texts": ["a", "b"],
    "ints": [1, 2],
    "bools": [True, False],
    "doubles": [0.5, 1.5],
}


def captured(temporality: str = "cumulative", exponential: bool = False, rounds: int = 2):
    """Requests of an application that uses every instrument: `rounds` exports of it, as bytes."""
    preference = None
    if temporality == "delta":
        preference = dict.fromkeys(
            (Counter, Histogram, UpDownCounter), AggregationTemporality.DELTA
        )
    reader = InMemoryMetricReader(preferred_temporality=preference)
    views = []
    if exponential:
        aggregation = ExponentialBucketHistogramAggregation()
        views.append(View(instrument_type=Histogram, aggregation=aggregation))
    resource = Resource({"service.name": "captured", "service.namespace": "tests", "rank": 7})
    provider = MeterProvider([reader], resource=resource, views=views)
    meter = provider.get_meter("captured.scope", "1.2", "https://schema", {"scope.key": "v"})
    counter = meter.create_counter("captured.counter", "{thing}", "Counts things")
    floats = meter.create_counter("captured.floats", "s")
    updown = meter.create_up_down_counter("captured.updown")
    gauge = meter.create_gauge("captured.gauge", "By")
    histogram = meter.create_histogram("captured.histogram", "s")
    tracer = TracerProvider().get_tracer("captured")
    requests = []
    for number in range(rounds):
        for value in TYPED:
            counter.add(number + 1, {"k": value})
        counter.add(2**60 + 1, ATTRIBUTES)
        floats.add(0.1)
        updown.add(-3, {"queue": "mail"})
        gauge.set(3 if number % 2 else 3.5, {"disk": "sda"})
        with tracer.start_as_current_span("work") as span:
            assert trace.get_current_span() is span
            for value in (0.0, 0.003, 0.2, 0.25, 7.0, 100.0 + number):
                histogram.record(value, {"http.route": "/pay"})
        requests.append(encode_metrics(reader.get_metrics_data()).SerializeToString())
    provider.shutdown()
    return requests
