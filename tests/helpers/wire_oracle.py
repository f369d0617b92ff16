"""What the scanner must find in a request, by protobuf's own decoder and the rules of rejection."""

import math

from drivers.scanner import Scanner
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from helpers import otlp

SCANNER = Scanner()
KINDS = {"gauge": 1, "sum": 2, "histogram": 3, "exponential_histogram": 4, "summary": 5}
INT, SUM, MIN, MAX = (1 << bit for bit in (24, 25, 26, 27))


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
        if (kind := metric.WhichOneof("data")) is not None and getattr(metric, kind).data_points
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
