"""What is wrong, odd or large: told, not hidden, and no reason to fall over."""

import math

import pytest
from helpers.terminal import NOW, SECOND, drive

import urpo_store
from urpo_store import Counter, Gauge, Histogram, MetricPoint, Summary


def put(store, service, metric, value, before=0, attributes=None, **options):
    point = MetricPoint(
        service, metric, value, attributes or {}, timestamp=NOW - before * SECOND, **options
    )
    return store.store_metric(point)


@pytest.fixture
def empty():
    with urpo_store.open(retention=None) as store:
        yield store


def screen(store, *keys, size=(120, 30), **options):
    async def look(driver):
        return driver.text

    return drive(look, store, size, keys, **options)


def row(text, start):
    return next(line for line in text.splitlines() if line.startswith(start))


def duration(count, **options):
    histogram = Histogram(count, count * 0.02, [count, 0], [0.1])
    return {"metric": "http.server.request.duration", "value": histogram, "unit": "s", **options}


def test_a_silent_service_is_pointed_out(empty):
    put(empty, "gone", **duration(5), before=250)
    put(empty, "here", **duration(5))
    text = screen(empty)
    assert "4 min !" in row(text, "gone ")
    assert "!" not in row(text, "here ")


def test_saturation_is_shown_where_it_is_known_and_told_when_high(empty):
    for name, share in (("full", 0.97), ("half", 0.5)):
        put(empty, name, "process.cpu.utilization", Gauge(share), unit="1")
    put(empty, "unknown", "queue.depth", Gauge(1.0))
    text = screen(empty)
    assert "97 % !" in row(text, "full ")
    assert "50 %" in row(text, "half ") and "!" not in row(text, "half ")
    assert "%" not in row(text, "unknown ")
    # A service without requests has no health, and the screen says so.
    assert "no request metric" in row(text, "unknown ")


def test_a_service_without_requests_leads_to_its_metrics(empty):
    put(empty, "worker", "queue.depth", Gauge(1.0))
    assert "sends no request metric; press m" in screen(empty, "enter")
    assert row(screen(empty, "enter", "m"), "queue.depth")


def counted(metric, count, attributes, before, unit="s"):
    histogram = Histogram(count, count * 0.02, [count, 0], [0.1])
    options = {"start_timestamp": NOW - 290 * SECOND, "unit": unit, "before": before}
    return {"metric": metric, "value": histogram, "attributes": attributes, **options}


def test_operations_of_all_protocols_are_listed(empty):
    """HTTP and gRPC side by side: rates add up, and errors are those of service health."""
    for index in range(30):
        before = 290 - 10 * index
        for attributes, each in (
            ({"http.request.method": "GET", "http.route": "/a"}, 4),
            ({"http.request.method": "GET", "http.route": "/a", "error.type": "500"}, 1),
        ):
            name = "http.server.request.duration"
            put(empty, "both", **counted(name, each * index, attributes, before))
        for status, each in ((0, 2), (5, 1), (13, 1)):  # not found is the caller's fault
            attributes = {
                "rpc.service": "Shop",
                "rpc.method": "Buy",
                "rpc.grpc.status_code": status,
            }
            name = "rpc.server.duration"
            put(empty, "both", **counted(name, each * 1000 * index, attributes, before, "ms"))
    health = empty.get_service_health("both", "5m", NOW)
    text = screen(empty, "enter", size=(160, 30))
    assert "20.0 %" in row(text, "GET /a") and "25.0 %" in row(text, "Shop Buy")
    rate = health.request_rate
    assert rate == pytest.approx((5 + 4000) / 10, rel=0.05)
    assert f"requests/s {rate:.0f}"[:13] in text
    assert "health by http.server.request.duration, rpc.server.duration" in text
    # The way to the metric of an operation.
    assert "rpc.server.duration of both rpc.service=Shop" in screen(
        empty, "enter", "enter", size=(200, 30)
    )


def test_operations_out_of_spans(empty):
    for index in range(30):
        for kind in ("SPAN_KIND_SERVER", "SPAN_KIND_CLIENT"):
            for status, each in (("STATUS_CODE_UNSET", 3), ("STATUS_CODE_ERROR", 1)):
                attributes = {"span.name": "GET /x", "span.kind": kind, "status.code": status}
                name = "traces.span.metrics.duration"
                put(empty, "s", **counted(name, each * index, attributes, 290 - 10 * index))
    text = screen(empty, "enter", size=(120, 30))
    found = row(text, "GET /x")
    # 4 a window of 10 s: calls of its own as a client are not counted.
    assert "0.4" in found and "25.0 %" in found and "spans:traces.span.metrics.duration" in text


def test_the_namespace_is_part_of_the_name(empty):
    put(empty, "shop/pay", "process.cpu.utilization", Gauge(0.5), unit="1")
    assert "50 %" in row(screen(empty), "shop/pay ")


def test_refused_points_are_told_with_the_reason(empty):
    refused = put(empty, "s", "m", Histogram(1, 1.0, [1], [2.0, 1.0]))
    assert refused.rejected == 1
    for key in ("1", "2", "3"):
        text = screen(empty, key)
        assert "all were refused" in text or key == "3"
        assert empty.rejections()[0].reason[:30] in text
    put(empty, "s", "other", Gauge(1.0))
    text = screen(empty, "3")
    assert "1 !" in row(text, "s ")
    assert "1 refused (see 3)" in text and "Refused lately" in text


def test_overflow_is_told():
    with urpo_store.open(retention=None, max_series=10) as store:
        for index in range(30):
            put(store, "s", "m", Gauge(1.0), attributes={"id": str(index)})
        text = screen(store, "3")
    assert "collapsed (see 3)" in text and "urpo.overflow" in text
    assert "11 of 10" in row(text, "series")


def test_a_gap_is_a_gap_and_a_reset_no_fall(empty):
    values = [10, 20, 30, None, None, None, None, None, 80, 90, 3, 9]
    for index, value in enumerate(values):
        if value is not None:
            before = 10 * (len(values) - 1 - index)
            put(empty, "s", "jobs", Counter(value), before, start_timestamp=NOW - 1000 * SECOND)
    text = screen(empty, "2", "enter", "v", "v", size=(100, 24))
    chart = [line for line in text.splitlines() if "│" in line]
    columns = {
        x for line in chart for x, character in enumerate(line) if "\u2800" < character < "\u2900"
    }
    first, last = min(columns), max(columns)
    missing = [x for x in range(first, last) if x not in columns]
    # Six steps of ten seconds without a point, and the moment of the reset.
    per_step = (last - first) / (len(values) - 1)
    assert len(missing) >= 5 * per_step
    # The fall from 90 to 3 within ten seconds would cross the rows in between.
    low = chart[len(chart) // 2]
    assert not any("\u2800" < character < "\u2900" for character in low[last - 3 : last + 1])


def test_a_rate_over_few_exports_is_not_doubled(empty):
    """An export each 10 s, in a chart that has room for windows of 2 s."""
    for index in range(33):
        before = 320 - 10 * index
        put(empty, "s", "jobs", Counter(50 * index), before, start_timestamp=NOW - 1000 * SECOND)
    text = screen(empty, "2", "enter", size=(200, 30))
    assert "every 10 s" in text and row(text, "*  s ").split()[2:5] == ["5/s"] * 3


def test_odd_values_and_names(empty):
    long = "m" * 300
    put(empty, "s", long, Gauge(math.nan))
    put(empty, "字字字字", "größe", Gauge(math.inf), attributes={"名": "東京"})
    put(empty, "\x1b[31mred", "esc\x1b[2Jape", Gauge(-1.7e308))
    put(empty, "s", "summary", Summary(3, 1.5, [(0.5, 1.0), (0.99, 2.0)]))
    put(empty, "s", "no points in the range", Gauge(1.0), before=4000)
    count = len(empty.metrics())

    async def all_metrics(driver):
        found = [await driver.press(key) for key in ("3", "1", "enter", "1", "2")]
        for _ in range(count):
            await driver.press("enter")
            found += [await driver.press("v"), await driver.press("v"), await driver.press("e")]
            await driver.press("escape", "escape", "down")
        return found

    for size in ((40, 10), (200, 60)):
        found = drive(all_metrics, empty, size)
        assert len(found) == 5 + 3 * count
        assert not any("\x1b" in text for text in found)
        assert all("Exemplars" in text for text in found[7::3])


def test_ten_thousand_series(empty):
    points = [
        MetricPoint("s", "m", Gauge(float(i)), {"id": str(i)}, timestamp=NOW) for i in range(10_000)
    ]
    for point in points:
        empty.store_metric(point)
    text = screen(empty, "2", "enter", "B")  # each series by itself
    assert "each series" in text and "more, not drawn" in text
    # Those with the largest last values are the ones that are listed.
    assert 'id="9999"' in screen(empty, "2", "enter", "B", "s", "g", size=(120, 30))


class OneByOne:
    """A storage that tells of one service at a time, as the interface asks of every storage."""

    def __init__(self, store):
        self._store = store
        self.asked = []

    def __getattr__(self, name):
        if name == "health":
            raise AttributeError(name)
        return getattr(self._store, name)

    def get_service_health(self, service, window="5m", at=None):
        self.asked.append(service)
        return self._store.get_service_health(service, window, at)


def test_a_storage_that_knows_no_health_of_all(store):
    slow = OneByOne(store)
    assert screen(slow) == screen(store)
    assert screen(slow, "3") == screen(store, "3")
    assert set(slow.asked) == {"checkout", "mailer", "storefront"}


def test_many_services_one_by_one_are_asked_in_turns(empty):
    for number in range(300):
        put(empty, f"service-{number:03}", **duration(5))
    slow = OneByOne(empty)

    async def look(driver):
        first = len(slow.asked)
        await driver.press("R", "R", "end")
        return first, driver.text

    first, text = drive(look, slow, (100, 24))
    assert first <= 150 and len(set(slow.asked)) == 300
    # Not asked about, its row would be empty.
    assert "no request metric" in row(text, "service-299")
