"""OTLP requests for tests."""

from urpo_store.model import Gauge, MetricPoint
from urpo_store.otlp import request_from_point

TIME = 1_700_000_000_000_000_000


def gauge_request(metric: str = "queue.depth", filler: int = 0) -> bytes:
    """A request with one point; `filler` bytes in an attribute make it larger."""
    attributes = {"filler": "x" * filler} if filler else {}
    return request_from_point(
        MetricPoint(
            service="mailer",
            metric=metric,
            value=Gauge(3),
            timestamp=TIME,
            attributes=attributes,
        )
    )


GAUGE_JSON = {
    "resourceMetrics": [
        {
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "queue.depth",
                            "gauge": {"dataPoints": [{"timeUnixNano": str(TIME), "asInt": "3"}]},
                        }
                    ]
                }
            ]
        }
    ]
}
