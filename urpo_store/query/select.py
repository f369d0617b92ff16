"""Which series a query reads, and which of them belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import QueryError
from ..model import Attributes, AttributeValue, BoolArray, Int64Array, MetricQuery
from .source import Reader, Stream, UInt32Array
from .text import value_text


def select(reader: Reader, query: MetricQuery) -> list[Stream]:
    """The streams of the query's metric with the ids of the series that `service` and `where` keep.

    Streams of which nothing is kept are left out. Raises `QueryError` for a condition that no
    attribute value could meet.
    """
    if not isinstance(query.metric, str) or not query.metric:
        raise QueryError(f"metric={query.metric!r} is no name; give the metric's name as text.")
    if query.service is not None and not isinstance(query.service, str):
        raise QueryError(
            f"service={query.service!r} is no name; give the service's name as text, or None for "
            "all."
        )
    if not isinstance(query.where, Mapping):
        raise QueryError(
            f"where={query.where!r} is no mapping; give attribute keys and what their values must "
            "be, such as {'http.route': '/pay'}."
        )
    where = {key: _condition(key, value) for key, value in query.where.items()}
    kept = []
    for stream in reader.streams(query.metric):
        ids = stream.ids
        if query.service is not None:
            ids = ids[_equals(reader, reader.service_column(ids), query.service)]
        for key, condition in where.items():
            if not len(ids):
                break
            ids = ids[_meets(reader, reader.attribute_column(ids, key), condition)]
        if len(ids):
            kept.append(replace(stream, ids=ids))
    return kept


def _meets(
    reader: Reader, column: UInt32Array, condition: AttributeValue | re.Pattern[str]
) -> BoolArray:
    if condition is None:
        absent: BoolArray = column == 0
        return absent
    if not isinstance(condition, re.Pattern):
        return _equals(reader, column, condition)
    # Each distinct value is matched once, however many series have it.
    values, inverse = np.unique(column, return_inverse=True)
    matches = np.array(
        [
            bool(value) and condition.fullmatch(value_text(reader.value(int(value)))) is not None
            for value in values
        ],
        np.bool_,
    )
    met: BoolArray = matches[inverse]
    return met


def _equals(reader: Reader, column: UInt32Array, value: AttributeValue) -> BoolArray:
    wanted = reader.find_value(value)
    equal: BoolArray = column == wanted if wanted else np.zeros(len(column), np.bool_)
    return equal


def _condition(key: str, value: Any) -> AttributeValue | re.Pattern[str]:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, bytes):
            raise QueryError(
                f"where[{key!r}] is a pattern of bytes; values are matched as text: "
                f"re.compile({value.pattern.decode('latin-1')!r})."
            )
        return value
    return _value(f"where[{key!r}]", value)


def _value(place: str, value: Any) -> AttributeValue:
    """A value in exactly one of OTLP's types; a wrong type is named here, not in the engine."""
    if value is None or isinstance(value, str | bool | bytes):
        return value
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return _value(place, value.item())
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise QueryError(f"{place} is {value}, which no attribute can be: it is no int64.")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _value(f"{place}[{name!r}]", item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytearray):
        return [_value(f"{place}[{index}]", item) for index, item in enumerate(value)]
    raise QueryError(
        f"{place} is a {type(value).__qualname__}; a condition is a str, bool, int, float, bytes, "
        "list or dict (that very value), None (absent) or a compiled pattern."
    )


@dataclass(frozen=True, slots=True)
class Groups:
    """Which of a stream's series are merged.

    Group g has the members order[offsets[g]:offsets[g + 1]], which are indexes into the stream's
    ids; groups stand in the order of their first member. `attributes[g]` are the group's keys.
    """

    order: Int64Array
    offsets: Int64Array
    attributes: Sequence[Attributes]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def members(self, g: int) -> Int64Array:
        return self.order[self.offsets[g] : self.offsets[g + 1]]


def group(reader: Reader, ids: UInt32Array, by: Sequence[str] | None) -> Groups | None:
    """The groups that `by` makes of the series; None if every series stands for itself."""
    if by is None:
        return None
    keys = list(dict.fromkeys(by))
    if not keys:
        return Groups(np.arange(len(ids)), np.array([0, len(ids)]), [{}])
    columns = np.stack([reader.attribute_column(ids, key) for key in keys])
    if len(keys) == 1:
        _, first, inverse = np.unique(columns[0], return_index=True, return_inverse=True)
    else:
        _, first, inverse = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    # np.unique sorts by value id, which means nothing; the order of creation does.
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    member_of = rank[inverse.reshape(-1)]
    order = np.argsort(member_of, kind="stable")
    offsets = np.zeros(len(first) + 1, np.int64)
    np.cumsum(np.bincount(member_of, minlength=len(first)), out=offsets[1:])
    attributes: list[Attributes] = []
    for member in np.sort(first):
        values = columns[:, member]
        attributes.append(
            {
                key: reader.value(int(value))
                for key, value in zip(keys, values, strict=True)
                if value
            }
        )
    return Groups(order, offsets, attributes)
