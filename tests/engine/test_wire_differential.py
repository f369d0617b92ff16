"""The scanner against protobuf's own decoder: the same bytes accepted, and every number equal."""

import math
import random

import pytest
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError
from helpers import otlp
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from urpo_store.engine.wire import Scanner

SCANNER = Scanner()
KINDS = {"gauge": 1, "sum": 2, "histogram": 3, "exponential_histogram": 4, "summary": 5}
INT, SUM, MIN, MAX = (1 << bit for bit in (24, 25, 26, 27))
EXAMPLES = 200

uint64 = st.one_of(st.integers(0, 5), st.integers(0, 2**64 - 1))
int64 = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63)]),
    st.integers(-(2**63), 2**63 - 1),
)
double = st.floats(width=64)
text = st.text(max_size=6)
times = st.one_of(st.integers(1, 2**63 - 1), st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]))


def test_protobuf_is_upb():
    """What is compared with is the reference decoder, not its slow Python twin."""
    assert api_implementation.Type() == "upb"


@st.composite
def any_values(draw, depth=3):
    value = ExportMetricsServiceRequest().resource_metrics.add().resource.attributes.add().value
    kind = draw(st.integers(0, 8 if depth else 6))
    match kind:
        case 0:
            pass
        case 1:
            value.string_value = draw(text)
        case 2:
            value.bool_value = draw(st.booleans())
        case 3:
            value.int_value = draw(int64)
        case 4:
            value.double_value = draw(double)
        case 5:
            value.bytes_value = draw(st.binary(max_size=5))
        case 6:
            value.string_value_strindex = draw(st.integers(0, 5))
        case 7:
            value.array_value.SetInParent()
            for item in draw(st.lists(any_values(depth - 1), max_size=3)):
                value.array_value.values.append(item)
        case 8:
            value.kvlist_value.SetInParent()
            for key, item in draw(st.dictionaries(text, any_values(depth - 1), max_size=3)).items():
                value.kvlist_value.values.add(key=key).value.CopyFrom(item)
    return value


def fill_attributes(draw, attributes):
    for key, value in draw(st.dictionaries(text, any_values(), max_size=3)).items():
        attributes.add(key=key).value.CopyFrom(value)


def fill_exemplars(draw, exemplars):
    for _ in range(draw(st.integers(0, 2))):
        exemplar = exemplars.add(time_unix_nano=draw(times))
        if draw(st.booleans()):
            exemplar.as_int = draw(int64)
        elif draw(st.booleans()):
            exemplar.as_double = draw(double)
        exemplar.trace_id = draw(st.sampled_from([b"", b"t" * 16, b"t" * 15]))
        exemplar.span_id = draw(st.sampled_from([b"", b"s" * 8, b"s" * 9]))
        fill_attributes(draw, exemplar.filtered_attributes)


def fill_common(draw, point):
    point.time_unix_nano = draw(times)
    point.start_time_unix_nano = draw(st.one_of(st.just(0), st.just(5), times))
    point.flags = draw(st.sampled_from([0, 0, 0, 1, 2, 2**32 - 1]))
    fill_attributes(draw, point.attributes)


def fill_number(draw, point):
    fill_common(draw, point)
    fill_exemplars(draw, point.exemplars)
    match draw(st.integers(0, 2)):
        case 0:
            point.as_int = draw(int64)
        case 1:
            point.as_double = draw(double)


def fill_histogram(draw, point):
    fill_common(draw, point)
    fill_exemplars(draw, point.exemplars)
    bounds = draw(st.lists(st.floats(allow_nan=False), max_size=4, unique=True))
    point.explicit_bounds.extend(sorted(bounds) if draw(st.integers(0, 4)) else bounds)
    if draw(st.integers(0, 4)) == 0:
        point.explicit_bounds.append(math.nan)
    size = len(point.explicit_bounds) + 1 if draw(st.integers(0, 4)) else draw(st.integers(0, 3))
    point.bucket_counts.extend(draw(st.lists(uint64, min_size=size, max_size=size)))
    point.count = sum(point.bucket_counts) % 2**64 if draw(st.integers(0, 4)) else draw(uint64)
    for name in ("sum", "min", "max"):
        if draw(st.booleans()):
            setattr(point, name, draw(double))


def fill_exponential(draw, point):
    fill_common(draw, point)
    fill_exemplars(draw, point.exemplars)
    point.scale = draw(st.one_of(st.integers(-12, 21), st.sampled_from([2**31 - 1, -(2**31)])))
    for side in (point.positive, point.negative):
        if draw(st.booleans()):
            side.offset = draw(
                st.one_of(st.integers(-50, 50), st.sampled_from([2**31 - 1, -(2**31)]))
            )
            side.bucket_counts.extend(draw(st.lists(st.integers(0, 3), max_size=6)))
    point.zero_count = draw(st.integers(0, 2))
    point.zero_threshold = draw(double)
    total = point.zero_count + sum(point.positive.bucket_counts) + sum(point.negative.bucket_counts)
    point.count = total if draw(st.integers(0, 4)) else draw(uint64)
    for name in ("sum", "min", "max"):
        if draw(st.booleans()):
            setattr(point, name, draw(double))


def fill_summary(draw, point):
    fill_common(draw, point)
    point.count = draw(uint64)
    point.sum = draw(double)
    for _ in range(draw(st.integers(0, 3))):
        point.quantile_values.add(quantile=draw(double), value=draw(double))


FILL = {
    "gauge": fill_number,
    "sum": fill_number,
    "histogram": fill_histogram,
    "exponential_histogram": fill_exponential,
    "summary": fill_summary,
}


@st.composite
def requests(draw):
    request = ExportMetricsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        block = request.resource_metrics.add(schema_url=draw(text))
        fill_attributes(draw, block.resource.attributes)
        block.resource.dropped_attributes_count = draw(st.integers(0, 3))
        if draw(st.booleans()):
            block.resource.entity_refs.add(type="service", id_keys=["service.name"])
        for _ in range(draw(st.integers(0, 2))):
            scope = block.scope_metrics.add(schema_url=draw(text))
            scope.scope.name = draw(text)
            scope.scope.version = draw(text)
            fill_attributes(draw, scope.scope.attributes)
            for _ in range(draw(st.integers(0, 2))):
                metric = scope.metrics.add(name=draw(text), unit=draw(text), description=draw(text))
                fill_attributes(draw, metric.metadata)
                kind = draw(st.sampled_from([*KINDS, None]))
                if kind is None:
                    continue
                data = getattr(metric, kind)
                data.SetInParent()
                if hasattr(data, "aggregation_temporality"):
                    data.aggregation_temporality = draw(st.sampled_from([0, 1, 2, 2]))
                if kind == "sum":
                    data.is_monotonic = draw(st.booleans())
                for _ in range(draw(st.integers(0, 3))):
                    FILL[kind](draw, data.data_points.add())
    return request


# ---- what must come out ----


def plain(value):
    """An AnyValue, with types that tell 1 from true and NaN equal to itself."""
    match value.WhichOneof("value"):
        case None | "string_value_strindex":
            return None
        case "array_value":
            return ["list", *(plain(item) for item in value.array_value.values)]
        case "kvlist_value":
            return attributes_of(value.kvlist_value.values)
        case "double_value":
            return ("double", otlp.bits(value.double_value))
        case kind:
            return (type(getattr(value, kind)).__name__, getattr(value, kind))


def attributes_of(items):
    return {item.key: plain(item.value) for item in items}


def normal(value):
    """A scanned value, in the same terms."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return ["list", *map(normal, value)]
    if isinstance(value, float):
        return ("double", otlp.bits(value))
    return None if value is None else (type(value).__name__, value)


def good_exemplar(exemplar):
    return (
        exemplar.WhichOneof("value") is not None
        and len(exemplar.trace_id) in (0, 16)
        and len(exemplar.span_id) in (0, 8)
        and exemplar.time_unix_nano < 2**63
    )


def bucket_range_is_good(scale, offset, counts):
    if not -11 <= scale <= 20:
        return False
    if not counts:
        return True
    low, high = offset, offset + len(counts) - 1
    if scale >= 0:
        return high >> scale < 1024 and low >> scale >= -1075
    width = 1 << -scale
    return high * width < 1024 and low * width + width >= -1074


def trimmed(side):
    counts, offset = list(side.bucket_counts), side.offset
    while counts and counts[-1] == 0:
        counts.pop()
    while counts and counts[0] == 0:
        counts.pop(0)
        offset += 1
    return (offset, counts) if counts else (0, [])


def presence(point):
    flags = 0
    for name, flag in (("sum", SUM), ("min", MIN), ("max", MAX)):
        flags |= flag if point.HasField(name) else 0
    return flags


def expected_point(metric, kind, data, point):
    """(reason, value bits, flags, layout, row) by the rules, from protobuf's parse."""
    stale = point.flags & 1
    value, flags, layout, row, reason = 0, 0, [], [], 0
    if kind in ("gauge", "sum"):
        which = point.WhichOneof("value")
        if which is None and not stale:
            reason = 3
        elif which == "as_int":
            value, flags = point.as_int % 2**64, INT
        elif which == "as_double":
            value = otlp.bits(point.as_double)
    elif kind == "histogram":
        counts, bounds = list(point.bucket_counts), list(point.explicit_bounds)
        if stale:
            counts, bounds, extremes = [], [], [0, 0, 0]
        else:
            extremes = [otlp.bits(getattr(point, name)) for name in ("sum", "min", "max")]
            extremes = [
                bits if point.HasField(name) else 0
                for bits, name in zip(extremes, ("sum", "min", "max"), strict=True)
            ]
        value, flags, layout = point.count, presence(point), [otlp.bits(b) for b in bounds]
        row = extremes + counts
        if len(counts) != len(bounds) + 1 and (counts or bounds):
            reason = 5
        elif not stale:
            if counts and sum(counts) % 2**64 != point.count:
                reason = 6
            if any(map(math.isnan, bounds)) or bounds != sorted(set(bounds)):
                reason = 7
    elif kind == "exponential_histogram":
        scale, sides = point.scale, [trimmed(point.positive), trimmed(point.negative)]
        zero = [point.zero_count, otlp.bits(point.zero_threshold)]
        extremes = [
            otlp.bits(getattr(point, name)) if point.HasField(name) else 0
            for name in ("sum", "min", "max")
        ]
        if stale:
            scale, sides, zero, extremes = 0, [(0, []), (0, [])], [0, 0], [0, 0, 0]
        value, flags = point.count, presence(point)
        (up, ups), (down, downs) = sides
        layout = [scale % 2**32 | len(ups) << 32, up % 2**32 | down % 2**32 << 32]
        row = extremes + zero + ups + downs
        if not stale:
            has_buckets = point.positive.bucket_counts or point.negative.bucket_counts
            good = all(bucket_range_is_good(scale, *side) for side in sides)
            if not good:
                reason = 8
            total = (point.zero_count + sum(ups) + sum(downs)) % 2**64
            if total != point.count and (has_buckets or point.zero_count):
                reason = 6
    else:
        pairs = [] if stale else [(q.quantile, q.value) for q in point.quantile_values]
        value, flags = point.count, SUM
        layout = [otlp.bits(q) for q, _ in pairs]
        row = [0 if stale else otlp.bits(point.sum), *(otlp.bits(v) for _, v in pairs)]
    if kind not in ("gauge", "summary") and data.aggregation_temporality not in (1, 2):
        reason = 4
    if point.time_unix_nano == 0:
        reason = 1
    elif point.time_unix_nano >= 2**63 or point.start_time_unix_nano >= 2**63:
        reason = 2
    elif not metric.name:
        reason = 10
    if stale:
        value, flags = 0, 0
    return reason, value, flags | point.flags & 0xFFFFFF, layout, row


def check(data):
    """The scanner and protobuf agree on these bytes."""
    try:
        parsed = ExportMetricsServiceRequest.FromString(data)
    except DecodeError:
        parsed = None
    found = SCANNER.scan(data)
    assert (found is None) == (parsed is None), "one accepts what the other refuses"
    if parsed is None:
        return False
    expected = [
        (block, scope, metric)
        for block in parsed.resource_metrics
        for scope in block.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data") is not None
    ]
    assert len(found) == len(expected)
    for (resource, scope, metric, points), (want_block, want_scope, want) in zip(
        found, expected, strict=True
    ):
        kind = want.WhichOneof("data")
        data = getattr(want, kind)
        assert normal(resource) == attributes_of(want_block.resource.attributes)
        assert scope[:3] == (want_scope.scope.name, want_scope.scope.version, want_scope.schema_url)
        assert normal(scope[3]) == attributes_of(want_scope.scope.attributes)
        temporality = getattr(data, "aggregation_temporality", 0) % 2**32
        monotonic = getattr(data, "is_monotonic", False)
        assert metric == (
            want.name,
            want.unit,
            want.description,
            KINDS[kind],
            temporality,
            monotonic,
        )
        assert len(points) == len(data.data_points)
        for point, sent in zip(points, data.data_points, strict=True):
            assert normal(point[1]) == attributes_of(sent.attributes)
            reason, *stored = expected_point(want, kind, data, sent)
            assert point[0] == reason
            if reason:
                continue
            assert point[2:4] == (sent.time_unix_nano, sent.start_time_unix_nano)
            assert list(point[4:8]) == stored
            exemplars = list(getattr(sent, "exemplars", ()))
            assert point[9] == sum(not good_exemplar(exemplar) for exemplar in exemplars)
            kept = []
            at = 0
            while at < len(point[8]):
                size = int.from_bytes(point[8][at : at + 4], "little")
                kept.append(type(exemplars[0]).FromString(point[8][at + 4 : at + 4 + size]))
                at += 4 + size
            good = [exemplar for exemplar in exemplars if good_exemplar(exemplar)]
            assert [e.SerializeToString(deterministic=True) for e in kept] == [
                e.SerializeToString(deterministic=True) for e in good
            ]
    return True


relaxed = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@relaxed
@given(requests(), st.integers(0, 2**32))
def test_any_order_of_the_same_request(request, seed):
    data = request.SerializeToString()
    assert check(data)
    assert check(otlp.reverse_fields(data))
    assert check(otlp.shuffle_fields(data, seed))
    assert check(otlp.unpack_packed(data))
    assert check(otlp.split_messages(data, seed))
    assert check(otlp.add_unknown(data, seed))
    assert check(otlp.add_unknown(otlp.shuffle_fields(otlp.split_messages(data, seed), seed), seed))


@relaxed
@given(requests(), st.integers(0, 2**32))
@example(ExportMetricsServiceRequest(), 0)
def test_mutated_bytes(request, seed):
    data = request.SerializeToString()
    chance = random.Random(seed)
    for _ in range(20):
        check(mutated(data, chance))


def mutated(data, chance):
    """A few bytes changed, taken out, put in, or copied from elsewhere."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(5):
            case 0 if out:
                out[at % len(out)] = chance.randrange(256)
            case 1 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 2:
                del out[at : at + chance.randint(1, 4)]
            case 3:
                out[at:at] = chance.randbytes(chance.randint(1, 4))
            case 4 if out:
                begin = chance.randrange(len(out))
                out[at:at] = out[begin : begin + chance.randint(1, 30)]
    return bytes(out)


@pytest.mark.parametrize(
    "tail", [b"", b"\x0a\x00", b"\x0a", b"\x0b", b"\x0c", b"\x00", b"\x07\x00"]
)
def test_odd_ends(tail):
    check(tail)
