"""Which series a point belongs to, whatever came before it and wherever its temporality stands.

The model reads the same bytes by protobuf's decoder and knows no expectations, guesses or batches.
"""

import random

import pytest
from helpers.otlp import field, varint
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import urpo_store
from urpo_store import MetricQuery

BASE = 1_700_000_000_000_000_000
#: Numbers whose last bytes look like a temporality, or a monotonicity, at the end of the message.
LOOKS_LIKE_DELTA = int.from_bytes(b"abcdef\x10\x01", "little")
LOOKS_LIKE_MONOTONIC = int.from_bytes(b"abcd\x10\x02\x18\x01", "little")


def attribute(key, value):
    value = field(1, 2, value.encode()) if isinstance(value, str) else field(3, 0, varint(value))
    return field(7, 2, field(1, 2, key.encode()) + field(2, 2, value))


def point(time, value, *attributes):
    """With the value last, so that a message of points may end in any eight bytes."""
    start, now = (each.to_bytes(8, "little") for each in (BASE - 1, time))
    body = field(2, 1, start) + field(3, 1, now) + b"".join(attributes)
    return field(1, 2, body + field(6, 1, value.to_bytes(8, "little", signed=True)))


def total(name, points, *, before=b"", behind=b""):
    return field(2, 2, field(1, 2, name.encode()) + field(7, 2, before + b"".join(points) + behind))


def gauge(name, points):
    return field(2, 2, field(1, 2, name.encode()) + field(5, 2, b"".join(points)))


def request(*metrics, service="s"):
    name = field(1, 2, b"service.name") + field(2, 2, field(1, 2, service.encode()))
    return field(1, 2, field(1, 2, field(1, 2, name)) + field(2, 2, b"".join(metrics)))


def expected(requests):
    """{identity: {time: value}} by protobuf; points without temporality are refused."""
    found = {}
    for each in requests:
        for block in ExportMetricsServiceRequest.FromString(each).resource_metrics:
            (service,) = (a.value.string_value for a in block.resource.attributes)
            for metric in block.scope_metrics[0].metrics:
                data = getattr(metric, metric.WhichOneof("data"))
                temporality = getattr(data, "aggregation_temporality", 0)
                if metric.HasField("sum") and temporality not in (1, 2):
                    continue
                what = (service, metric.name, temporality, getattr(data, "is_monotonic", False))
                for each_point in data.data_points:
                    attributes = {
                        a.key: a.value.string_value or a.value.int_value
                        for a in each_point.attributes
                    }
                    key = (*what, tuple(sorted(attributes.items(), key=repr)))
                    found.setdefault(key, {})[each_point.time_unix_nano] = each_point.as_int
    return found


TEMPORALITIES = {"": 0, "unspecified": 0, "delta": 1, "cumulative": 2}


def stored(store):
    found = {}
    for name in {info.name for info in store.metrics()}:
        for series in store.query_metrics(MetricQuery(name, start=0, end=2**62)):
            kind = series.kind.value
            key = (
                series.service,
                series.metric,
                TEMPORALITIES[series.temporality or ""],
                kind == "counter",
                tuple(sorted(series.attributes.items(), key=repr)),
            )
            points = zip(series.timestamps.tolist(), series.int_values.tolist(), strict=True)
            assert not found.setdefault(key, {}), "two series of one identity"
            found[key].update(points)
    return found


@pytest.fixture
def store():
    with urpo_store.open(retention=None, memory_limit="256MiB") as opened:
        yield opened


def test_random_requests(store):
    """Orders, sets that begin alike, and temporalities change from request to request."""
    chance = random.Random(7)
    sets = [
        (),
        (attribute("a", 1),),
        (attribute("a", "1"),),
        (attribute("a", 1), attribute("b", "x")),
        (attribute("b", "x"), attribute("a", 1)),
        (attribute("a", 1), attribute("b", "x"), attribute("c", "y")),
        (attribute("a", 1), attribute("c", "y")),
    ]
    says = [varint(2 << 3) + b"\x01", varint(2 << 3) + b"\x02", b""]
    grows = [varint(3 << 3) + b"\x01", varint(3 << 3) + b"\x00", b""]
    sent = []
    order = list(range(len(sets)))
    for number in range(400):
        if chance.random() < 0.4:
            chance.shuffle(order)
        metrics = []
        for name in ("m", "n"):
            points = []
            for index in order[: chance.randrange(1, 8)]:
                value = chance.choice([number, -number, LOOKS_LIKE_DELTA, LOOKS_LIKE_MONOTONIC])
                points.append(point(BASE + number, value, *sets[index]))
            if chance.random() < 0.3:
                metrics.append(gauge(name, points))
                continue
            before = chance.choice(grows) + chance.choice(says)
            behind = chance.choice(says) + chance.choice(grows)
            if chance.random() < 0.3:
                # In the midst of the points, too.
                points.insert(chance.randrange(len(points) + 1), chance.choice(says))
            metrics.append(total(name, points, before=before, behind=behind))
        sent.append(request(*metrics, service=chance.choice(["s", "t"])))
    rejected = sum(store.ingest(each).rejected for each in sent)
    assert rejected > 0
    points = {name: dict(sorted(each.items())) for name, each in expected(sent).items()}
    assert stored(store) == points
    store.compress_cold()
    assert stored(store) == points
    assert store.stats().points == sum(map(len, points.values()))


@pytest.mark.parametrize("value", [1, LOOKS_LIKE_DELTA, LOOKS_LIKE_MONOTONIC])
def test_a_wrong_guess_of_the_temporality(store, value):
    """The message ends like one with a temporality of its own; what it says stands in front of it."""
    says = varint(2 << 3) + b"\x02" + varint(3 << 3) + b"\x00"
    sent = [
        request(total("m", [point(BASE + i, value, attribute("a", 1))], before=says))
        for i in range(3)
    ]
    # The same series as a delta: what the guess leads to exists.
    other = varint(2 << 3) + b"\x01"
    sent.insert(1, request(total("m", [point(BASE, value, attribute("a", 1))], behind=other)))
    for each in sent:
        assert store.ingest(each).accepted == 1
    assert stored(store) == expected(sent)


def test_a_point_without_temporality_is_refused_though_its_message_ends_like_one_with_it(store):
    result = store.ingest(request(total("m", [point(BASE, LOOKS_LIKE_DELTA)])))
    assert (result.accepted, result.rejected) == (0, 1)
    assert "aggregation_temporality" in result.message
    # What it is taken for at first is known now; that changes nothing.
    says = varint(2 << 3) + b"\x01"
    assert store.ingest(request(total("m", [point(BASE, 1)], behind=says))).accepted == 1
    assert store.ingest(request(total("m", [point(BASE, LOOKS_LIKE_DELTA)]))).rejected == 1
    assert store.stats().points == 1


def test_what_was_noted_of_a_refused_metric_is_noted_of_the_next_one(store):
    """Its points looked like a known series' until its end; health hears of the gauge at their time."""
    says = varint(2 << 3) + b"\x01"
    store.ingest(request(total("t", [point(BASE, 1)], behind=says), gauge("g", [point(BASE, 1)])))
    time = BASE + 1_000_000_000
    result = store.ingest(
        request(total("t", [point(time, LOOKS_LIKE_DELTA)]), gauge("g", [point(time, 2)]))
    )
    assert (result.accepted, result.rejected) == (1, 1)
    assert store.get_service_health("s", "5m", at=time).last_seen == time


def test_attributes_that_go_on_behind_the_expected_ones(store):
    """The bytes expected are a prefix of those that come."""
    short, long = (attribute("a", 1),), (attribute("a", 1), attribute("b", 2))
    sent = [request(gauge("m", [point(BASE + i, i), point(BASE + i, i, *short)])) for i in range(2)]
    sent.append(request(gauge("m", [point(BASE + 2, 2), point(BASE + 2, 3, *long)])))
    # They end where the expected ones go on.
    sent.append(request(gauge("m", [point(BASE + 3, 4, *short), point(BASE + 3, 5)])))
    for each in sent:
        assert store.ingest(each).accepted == 2
    assert stored(store) == expected(sent)


def test_attributes_in_pieces_among_other_fields(store):
    """They are gathered, and what is expected may be a part of them."""
    chance = random.Random(11)
    a, b, c = attribute("a", 1), attribute("b", "x"), attribute("c", 3)
    sets = [(), (a,), (b,), (a, b), (a, b, c), (c,)]
    sent = []
    for number in range(200):
        points = []
        for index in chance.sample(range(len(sets)), 4):
            parts = [field(3, 1, (BASE + number).to_bytes(8, "little"))]
            parts.append(field(6, 1, number.to_bytes(8, "little")))
            pieces = list(sets[index])
            for part in parts:
                pieces.insert(chance.randrange(len(pieces) + 1), part)
            points.append(field(1, 2, b"".join(pieces)))
        sent.append(request(gauge("m", points)))
    for each in sent:
        assert store.ingest(each).accepted == 4
    assert stored(store) == {key: dict(sorted(v.items())) for key, v in expected(sent).items()}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("points", "padding"),
    [(70_000, 1), (9_000, 600)],
    ids=["more points than a batch", "a large request of few points"],
)
@pytest.mark.parametrize("wrong", [False, True])
def test_one_metric_in_several_batches(store, points, padding, known, wrong):
    """Its temporality stands behind points that have been handed over by then, or is guessed wrong."""
    text = attribute("text", "x" * padding)
    says = varint(2 << 3) + b"\x02" + varint(3 << 3) + b"\x01"
    end = LOOKS_LIKE_DELTA if wrong else 7
    sent = []
    for number in range(1 + known):
        values = [
            point(BASE + number, i if i < points - 1 else end, attribute("i", i % 5000), text)
            if i < 5000
            else point(BASE + 10 + i + number * points, end, attribute("i", i % 5000), text)
            for i in range(points)
        ]
        where = {"before": says} if wrong else {"behind": says}
        sent.append(request(total("m", values, **where)))
    for each in sent:
        assert store.ingest(each).accepted == points
    assert store.stats().series == 5000
    assert stored(store) == {key: dict(sorted(v.items())) for key, v in expected(sent).items()}
