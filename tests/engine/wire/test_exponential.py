"""Points of exponential histograms."""

import pytest
from drivers.scanner import Scanner
from helpers.wire_oracle import check
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)


def scanned(scale=3, offset=0, counts=(1,), **values):
    """The point of a request with one exponential histogram."""
    sent = ExportMetricsServiceRequest()
    metric = sent.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.exponential_histogram.aggregation_temporality = 2
    point = metric.exponential_histogram.data_points.add(
        **{"time_unix_nano": 1, "scale": scale, "count": sum(counts), **values}
    )
    point.positive.offset = offset
    point.positive.bucket_counts.extend(counts)
    data = sent.SerializeToString()
    assert check(data)
    ((*_, (found,)),) = Scanner().scan(data)
    return found


def test_zeros_at_the_ends_are_not_kept():
    found = scanned(offset=-5, counts=[0, 0, 3, 0, 4, 0])
    assert found[6] == [3 | 3 << 32, -3 % 2**32]
    assert found[7] == [0, 0, 0, 0, 0, 3, 0, 4]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, 0),
        ({"scale": 20}, 0),
        ({"scale": 21}, 8),
        ({"scale": -11, "offset": -1}, 0),
        ({"scale": -12}, 8),
        ({"scale": 0, "offset": 1023}, 0),
        ({"scale": 0, "offset": 1024}, 8),
        ({"scale": 0, "offset": -1075}, 0),
        ({"scale": 0, "offset": -1076}, 8),
        ({"scale": -1, "offset": 512}, 8),
        ({"count": 2}, 6),
        ({"count": 2, "zero_count": 1}, 0),
        ({"count": 7, "counts": ()}, 0),
    ],
)
def test_buckets_beyond_what_a_float_can_be_are_refused(values, reason):
    assert scanned(**values)[0] == reason


def test_a_mark_has_no_buckets():
    found = scanned(flags=1, counts=[1, 2])
    assert found[0] == 0
    assert found[6:8] == ([0, 0], [0] * 5)
