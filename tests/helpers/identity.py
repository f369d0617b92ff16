"""Raw bytes of resources, scopes and attribute sets, as producers send them; and series made of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from drivers.series_index import SeriesIndex
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

Pairs = Mapping[str, Any] | Iterable[tuple[str, Any]]

#: Seconds after which a series is idle.
IDLE = 600
OVERFLOW = "urpo.overflow"
SUM = 2
DELTA, CUMULATIVE = 1, 2
COUNTER: dict[str, Any] = {"kind": SUM, "temporality": CUMULATIVE, "monotonic": 1}


def any_value(value: Any) -> AnyValue:
    """A typed value; None is the value without a type."""
    found = AnyValue()
    if isinstance(value, bool):
        found.bool_value = value
    elif isinstance(value, str):
        found.string_value = value
    elif isinstance(value, int):
        found.int_value = value
    elif isinstance(value, float):
        found.double_value = value
    elif isinstance(value, bytes):
        found.bytes_value = value
    elif isinstance(value, dict):
        found.kvlist_value.SetInParent()
        found.kvlist_value.values.extend(key_values(value))
    elif isinstance(value, list | tuple):
        found.array_value.SetInParent()
        found.array_value.values.extend(any_value(item) for item in value)
    return found


def key_values(pairs: Pairs) -> list[KeyValue]:
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [KeyValue(key=key, value=any_value(value)) for key, value in items]


def attributes(pairs: Pairs = ()) -> bytes:
    """The attribute fields of a data point, tags included."""
    return NumberDataPoint(attributes=key_values(pairs)).SerializeToString()


def resource(pairs: Pairs = (), dropped: int = 0) -> bytes:
    """The body of a Resource."""
    return Resource(
        attributes=key_values(pairs), dropped_attributes_count=dropped
    ).SerializeToString()


def scope(name: str = "", version: str = "", pairs: Pairs = (), dropped: int = 0) -> bytes:
    """The body of an InstrumentationScope."""
    return InstrumentationScope(
        name=name, version=version, attributes=key_values(pairs), dropped_attributes_count=dropped
    ).SerializeToString()


def field(number: int, data: bytes) -> bytes:
    """A field of bytes, tag and length in front."""
    length, head = len(data), bytearray([number << 3 | 2])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + data


def resolve(index: SeriesIndex, pairs: Pairs = (), **parts: Any) -> int:
    """The id of a series, which is made if need be."""
    return add(index, pairs, **parts)[0]


def add(index: SeriesIndex, pairs: Pairs, **parts: Any) -> tuple[int, int | None]:
    """The id of a series, and the source's hash if its set collapsed."""
    number, _, source = index.resolve(attributes=attributes(pairs), **parts)
    return number, source


def full(max_series: int = 4, **options: Any) -> SeriesIndex:
    """An index with no room: `max_series` series of another metric are in use."""
    index = SeriesIndex(max_series=max_series, **options)
    for i in range(max_series):
        index.resolve(name=b"other", attributes=attributes({"k": i}))
    return index
