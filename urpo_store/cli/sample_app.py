"""The sample application of `urpo-store demo`: three services that call each other over HTTP.

    customers -> storefront -> checkout -> mailer

Each runs in a process of its own (`python -m urpo_store.cli.sample_app storefront ...`), is
instrumented with the OpenTelemetry SDK, and exports the way many real ones do:

    storefront  over gRPC, cumulative, with the old HTTP names (milliseconds)
    checkout    over HTTP with gzip, cumulative, with the stable names (seconds)
    mailer      over HTTP, delta temporality, exponential histograms
"""

from __future__ import annotations

import argparse
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource

#: Advice of the semantic conventions for durations in seconds.
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

ROUTES = {"/": 0.012, "/product": 0.025, "/cart": 0.018, "/pay": 0.03}


def provider(service: str, exporter: MetricExporter, interval: float, *views: View) -> Any:
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=interval * 1000)
    resource = Resource.create({"service.name": service, "deployment.environment.name": "demo"})
    return MeterProvider([reader], resource=resource, views=views)


def work(mean: float) -> None:
    """Takes about `mean` seconds, sometimes much longer, as work does."""
    time.sleep(random.lognormvariate(0, 0.5) * mean)


class Service:
    """One service: what it answers, and the instruments it keeps."""

    def __init__(self, flags: argparse.Namespace) -> None:
        self.flags = flags

    def handle(self, path: str) -> int:
        """Answer a request; returns the HTTP status."""
        raise NotImplementedError

    def call(self, path: str) -> int:
        """Call the next service."""
        url = f"http://127.0.0.1:{self.flags.next_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 503


class Storefront(Service):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__(flags)
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        exporter = OTLPMetricExporter(endpoint=flags.grpc, insecure=True)
        self.provider = provider("storefront", exporter, flags.interval)
        meter = self.provider.get_meter("sample.http", "0.1")
        self.duration = meter.create_histogram("http.server.duration", "ms")
        self.active = meter.create_up_down_counter("http.server.active_requests", "{request}")

    def handle(self, path: str) -> int:
        begin = time.perf_counter()
        self.active.add(1, {"http.method": "GET"})
        work(ROUTES.get(path, 0.01))
        status = self.call("/orders") if path == "/pay" else 200 if path in ROUTES else 404
        self.active.add(-1, {"http.method": "GET"})
        # Old instrumentations put the route's template in http.target, and round to milliseconds.
        self.duration.record(
            round((time.perf_counter() - begin) * 1000),
            {"http.method": "GET", "http.target": path, "http.status_code": status},
        )
        return status


class Checkout(Service):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__(flags)
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        exporter = OTLPMetricExporter(f"{flags.http}/v1/metrics", compression=Compression.Gzip)
        buckets = View(
            instrument_name="http.server.request.duration",
            aggregation=ExplicitBucketHistogramAggregation(SECONDS_BUCKETS),
        )
        self.provider = provider("checkout", exporter, flags.interval, buckets)
        meter = self.provider.get_meter("sample.http", "0.1")
        self.duration = meter.create_histogram("http.server.request.duration", "s")
        self.orders = meter.create_counter("shop.orders", "{order}", "Orders that were paid")

    def handle(self, path: str) -> int:
        begin = time.perf_counter()
        work(0.05)
        status = 500 if random.random() < 0.04 else 200
        attributes = {
            "http.request.method": "POST",
            "http.route": path,
            "http.response.status_code": status,
        }
        if status == 500:
            attributes["error.type"] = "500"
        else:
            self.orders.add(1, {"shop.currency": random.choice(("EUR", "USD"))})
            self.call("/mail")
        self.duration.record(time.perf_counter() - begin, attributes)
        return status


class Mailer(Service):
    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__(flags)
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        delta = AggregationTemporality.DELTA
        exporter = OTLPMetricExporter(
            f"{flags.http}/v1/metrics",
            preferred_temporality={Histogram: delta, Counter: delta},
            preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
        )
        self.provider = provider("mailer", exporter, flags.interval)
        meter = self.provider.get_meter("sample.queue", "0.1")
        self.duration = meter.create_histogram("messaging.process.duration", "s")
        self.waiting = 0
        meter.create_observable_gauge("queue.depth", [self.depth], "{message}", "Mails that wait")

    def depth(self, options: CallbackOptions) -> Iterator[Observation]:
        yield Observation(self.waiting, {"queue": "mail"})

    def handle(self, path: str) -> int:
        # The mail is queued; the caller does not wait for it to be sent.
        self.waiting += 1
        threading.Thread(target=self.send, daemon=True).start()
        return 202

    def send(self) -> None:
        begin = time.perf_counter()
        work(0.12)
        self.waiting -= 1
        attributes = {"messaging.operation.name": "send", "messaging.destination.name": "mail"}
        if random.random() < 0.01:
            attributes["error.type"] = "timeout"
        self.duration.record(time.perf_counter() - begin, attributes)


SERVICES: dict[str, type[Service]] = {
    "storefront": Storefront,
    "checkout": Checkout,
    "mailer": Mailer,
}


@contextmanager
def listening(service: Service, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = service.handle(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """The health of the service is shown elsewhere."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()


def customers(port: int, per_second: float) -> None:
    """Requests to the storefront, at random moments, for ever."""
    paths = [*ROUTES, "/missing"]
    weights = (8, 6, 3, 4, 0.3)

    def visit() -> None:
        try:
            path = random.choices(paths, weights)[0]
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
        except OSError:
            # Errors are part of the show, and a storefront that stops is its end.
            return

    while True:
        time.sleep(random.expovariate(per_second))
        threading.Thread(target=visit, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description="One service of the sample application.")
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--next-port", type=int, default=0)
    parser.add_argument("--grpc", required=True, help="OTLP gRPC endpoint, host:port")
    parser.add_argument("--http", required=True, help="OTLP HTTP endpoint, http://host:port")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between exports")
    flags = parser.parse_args()
    service: Any = SERVICES[flags.service](flags)
    with listening(service, flags.port):
        if flags.service == "storefront":
            threading.Thread(target=customers, args=(flags.port, 15.0), daemon=True).start()
        # The parent closes our input when it wants us to stop, or when it is gone.
        with suppress(EOFError, KeyboardInterrupt):
            input()
    service.provider.shutdown(timeout_millis=3000)


if __name__ == "__main__":
    main()
