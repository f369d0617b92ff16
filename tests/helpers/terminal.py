"""Drives the terminal UI without a terminal, and fills a store as the real SDK would."""

import asyncio
import math
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from textual import events

import urpo_store
from urpo_store.tui import UrpoApp

SECOND = 10**9
#: "Now" of every test: 2025-06-15 15:07:00 UTC.
NOW = 1_750_000_020 * SECOND
STEP = 10 * SECOND
EXPORTS = 60
NEW_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1)


class Service:
    """A service that is instrumented with the SDK; what it exports gets times of our choice."""

    def __init__(self, name, instance, *views, delta=False):
        preferred = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)
        self.reader = InMemoryMetricReader(preferred_temporality=preferred if delta else None)
        resource = Resource({"service.name": name, "service.instance.id": instance})
        self.provider = MeterProvider([self.reader], resource=resource, views=views)
        self.meter = self.provider.get_meter("shop", "1.0")
        self.delta = delta

    def export(self, number):
        """The request of export `number`, as bytes."""
        message = encode_metrics(self.reader.get_metrics_data())
        now = NOW - (EXPORTS - 1 - number) * STEP
        for block in message.resource_metrics:
            for scope in block.scope_metrics:
                for metric in scope.metrics:
                    for point in getattr(metric, metric.WhichOneof("data")).data_points:
                        point.time_unix_nano = now
                        if point.start_time_unix_nano:
                            first = NOW - EXPORTS * STEP
                            point.start_time_unix_nano = now - STEP if self.delta else first
                        for exemplar in getattr(point, "exemplars", ()):
                            exemplar.time_unix_nano = now - SECOND
        return message.SerializeToString()


def in_trace(number):
    context = SpanContext(0xABCDEF0123456789 + number, 0x42 + number, False, TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(context))


def shop():
    """Requests of three services over ten minutes; one of them in trouble, one without requests."""
    exponential = View(
        instrument_type=Histogram, aggregation=ExponentialBucketHistogramAggregation()
    )
    bounds = ExplicitBucketHistogramAggregation(NEW_BOUNDS)
    fronts = [Service("storefront", f"pod-{i}") for i in (1, 2)]
    checkout = Service(
        "checkout",
        "pod-7",
        View(instrument_name="http.server.request.duration", aggregation=bounds),
    )
    mailer = Service("mailer", "pod-9", exponential, delta=True)
    old = [front.meter.create_histogram("http.server.duration", "ms") for front in fronts]
    new = checkout.meter.create_histogram(
        "http.server.request.duration", "s", "Duration of requests"
    )
    payments = checkout.meter.create_counter("payments", "{payment}", "Payments taken")
    cpu = checkout.meter.create_gauge("process.cpu.utilization", "1")
    sending = mailer.meter.create_histogram("messaging.process.duration", "s")
    queue = mailer.meter.create_gauge("queue.depth", "{message}")
    for number in range(EXPORTS):
        for index, histogram in enumerate(old):
            for route, base in (("/", 8), ("/cart", 30)):
                for visit in range(2 + index + round(2 * math.sin(number / 7))):
                    histogram.record(
                        base + 7 * visit,
                        {"http.method": "GET", "http.target": route, "http.status_code": 200},
                    )
        for visit in range(6):
            failed = visit == 0 and number >= 42 + number % 3
            attributes = {
                "http.request.method": "POST",
                "http.route": "/pay",
                "http.response.status_code": 500 if failed else 200,
            }
            if failed:
                attributes["error.type"] = "500"
            slow = 0.4 if number >= 42 else 0.04 * (1 + number % 4)
            new.record(slow * (1 + visit / 3), attributes, context=in_trace(number))
        payments.add(3 + number % 4, {"card": "visa" if number % 2 else "maestro"})
        cpu.set(0.5 + 0.45 * math.sin(number / 10))
        for visit in range(3):
            sending.record(
                0.05 * (visit + 1) * (1 + number % 5),
                {"messaging.destination.name": "mail", "messaging.operation.name": "process"},
            )
        queue.set(abs(round(20 * math.sin(number / 6))))
        for service in (*fronts, checkout, mailer):
            yield service.export(number)


def filled_store():
    store = urpo_store.open(retention=None)
    for request in shop():
        result = store.ingest(request)
        assert result.message == "", result.message
    # Nothing that depends on when the drain last looked.
    store.compress_cold()
    return store


def shown(app) -> str:
    """The screen as text, one line a row."""
    lines = (
        "".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()
    )
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


class Driver:
    """An app under test: keys, and the screen when nothing is under way any more."""

    def __init__(self, app, pilot):
        self.app = app
        self.pilot = pilot

    async def settle(self):
        """Until no load is under way and no message has led to another for some rounds.

        `Pilot.pause` waits until the process is idle, which takes far longer.
        """
        quiet = 0
        while quiet < ROUNDS:
            quiet += 1
            await self.pilot._wait_for_screen()
            screen = self.app.screen
            if screen._callbacks:
                quiet = 0
            if self.app.workers or getattr(screen, "_loading", False):
                await self.app.workers.wait_for_complete()
                quiet = 0
            if screen._layout_required or screen._repaint_required or screen._dirty_widgets:
                screen._on_timer_update()  # what a timer does 60 times a second
                quiet = 0
            await asyncio.sleep(0)

    def send(self, key):
        character = CHARACTERS.get(key, key if len(key) == 1 else None)
        event = events.Key(NAMES.get(key, key), character)
        event.set_sender(self.app)
        self.app.post_message(event)

    async def press(self, *keys):
        """Keys one after the other; several words are typed."""
        for key in keys:
            if " " in key:
                await self.type(key)
            else:
                self.send(key)
                await self.settle()
        return self.text

    async def type(self, text):
        for character in text:
            self.send(character)
        await self.settle()

    @property
    def text(self):
        return shown(self.app)


#: Hops of a message that the longest way from a key to its screen takes: the app, the screen, the widget,
#: its message to the screen, a new screen, its first drawing.
ROUNDS = 6

#: What Textual calls the keys that are no letters.
NAMES = {
    " ": "space",
    "-": "minus",
    ".": "full_stop",
    "=": "equals_sign",
    "/": "slash",
    "_": "underscore",
    "~": "tilde",
    ":": "colon",
    '"': "quotation_mark",
    "(": "left_parenthesis",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "?": "question_mark",
    "+": "plus",
}
CHARACTERS = {name: character for character, name in NAMES.items()}


def drive(test, storage, size=(100, 30), keys: Sequence[str] = (), **options):
    """Runs the coroutine function `test(driver)` on an app that shows `storage`, after `keys`."""
    app = UrpoApp(storage, clock=lambda: NOW, interval=0, **options)

    async def run():
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, pilot)
            await driver.settle()
            await driver.press(*keys)
            return await test(driver)

    return asyncio.run(run())
