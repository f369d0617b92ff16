"""Identity: a known string, a known series by each level, a new series; memory of a series.

Budget: a known string <= 30 ns in a nogil loop. Times are of loops without the GIL inside the engine,
best of five, in nanoseconds for one look-up.
"""

import random
import time
from collections.abc import Callable
from typing import ClassVar

from drivers.interner import Interner
from drivers.series_index import SeriesIndex
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

LOOKUPS = 500_000


def raw_set(number: int) -> bytes:
    """Four attributes as the Python SDK writes them, about 120 bytes."""
    pairs = [
        ("http.route", AnyValue(string_value=f"/api/v1/item/{number % 97}")),
        ("http.request.method", AnyValue(string_value="GET")),
        ("user.id", AnyValue(string_value=f"u{number:07d}")),
        ("http.response.status_code", AnyValue(int_value=200)),
    ]
    attributes = [KeyValue(key=key, value=value) for key, value in pairs]
    return NumberDataPoint(attributes=attributes).SerializeToString()


def best(call: Callable[[int], object], keys: int) -> float:
    repeat = max(1, LOOKUPS // keys)
    found = float("inf")
    for _ in range(5):
        begin = time.perf_counter_ns()
        call(repeat)
        found = min(found, (time.perf_counter_ns() - begin) / (repeat * keys))
    return found


class Strings:
    """A known string: "any order" misses the caches as a real request's strings may, which stand one after
    the other in its bytes. 32 at a time, as a request's series are looked up, the misses overlap."""

    params: ClassVar = [
        [1_000, 10_000],
        [12, 40, 100],
        ["same order", "any order", "any order, 32 at a time"],
    ]
    param_names: ClassVar = ["strings", "bytes", "order"]

    def track_known(self, strings: int, size: int, order: str) -> float:
        choose = random.Random(1)
        keys = [b"%08d" % i + choose.randbytes(size - 8) for i in range(strings)]
        table = Interner()
        for key in keys:
            table.intern(key)
        if order != "same order":
            choose.shuffle(keys)
        # Anew, so that they lie in memory in the order in which they are asked for.
        keys = [bytes(bytearray(key)) for key in keys]
        together = order.endswith("at a time")
        return best(lambda repeat: table.find_all(keys, repeat, together=together), strings)

    track_known.unit = "ns"


class Series:
    """A known series, by the guess at what follows or by its raw bytes, in order and shuffled."""

    params: ClassVar = [
        [1_000, 10_000, 100_000, 1_000_000],
        ["guess", "table", "table, shuffled"],
    ]
    param_names: ClassVar = ["series", "how"]

    def track_known(self, series: int, how: str) -> float:
        index = SeriesIndex(max_series=2 * series)
        raw = [raw_set(i) for i in range(series)]
        for item in raw:
            index.resolve(attributes=item)
        if how == "table, shuffled":
            random.Random(1).shuffle(raw)
        guess = how == "guess"
        index.find_all(raw, 2, guess=guess)
        return best(lambda repeat: index.find_all(raw, repeat, guess=guess), series)

    track_known.unit = "ns"


class NewSeries:
    """A series that is not known yet: decoded, interned, created. Includes one call from Python."""

    def track_new(self) -> float:
        raw = [raw_set(i) for i in range(20_000)]
        index = SeriesIndex()
        begin = time.perf_counter_ns()
        for item in raw:
            index.resolve(attributes=item)
        return (time.perf_counter_ns() - begin) / len(raw)

    track_new.unit = "ns"

    def track_memory(self) -> float:
        index = SeriesIndex()
        before = index.memory
        for i in range(20_000):
            index.resolve(attributes=raw_set(i))
        return (index.memory - before) / 20_000

    track_memory.unit = "bytes"
