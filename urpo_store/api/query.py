"""Queries in the JSON of the HTTP API.

In `where` null means absent, and {"regex": "5..", "flags": 0} is a pattern. Plain text, booleans
and numbers are taken as JSON types them, for people who write a query by hand.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from reprlib import repr as shown
from typing import Any

from ..errors import QueryError
from ..model import Aggregation, AttributeValue, MetricQuery, Time
from .scalars import Decode, JsonError, decode_as, decode_float, decode_int, enum_decoder, optional
from .values import decode_value, encode_value

_REGEX_FLAGS = re.ASCII | re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.UNICODE
#: Characters of a pattern in `where`.
MAX_PATTERN = 1000


def encode_query(query: MetricQuery) -> dict[str, Any]:
    """The JSON tree of a query; datetimes become Unix nanoseconds, texts stay as they are."""
    where = {
        key: (
            {"regex": value.pattern, "flags": value.flags}
            if isinstance(value, re.Pattern)
            else None
            if value is None
            else encode_value(value)
        )
        for key, value in query.where.items()
    }
    return {
        "metric": query.metric,
        "service": query.service,
        "where": where,
        "start": encode_time(query.start),
        "end": None if query.end is None else encode_time(query.end),
        "step": query.step,
        "aggregation": query.aggregation.value,
        "by": None if query.by is None else list(query.by),
        "limit": query.limit,
        "quantile": query.quantile,
    }


def encode_time(time: Time) -> int | str:
    """Unix nanoseconds of an aware datetime, exact to its microsecond; other times as they are."""
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is None:
        raise QueryError(f"{time!r} has no time zone; give an aware datetime.")
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def decode_query(tree: object) -> MetricQuery:
    """The reverse of `encode_query`; raises `QueryError`, naming the field."""
    if not isinstance(tree, dict):
        raise QueryError("A query is a JSON object; see docs/receivers.md.")
    unknown = tree.keys() - {item.name for item in dataclasses.fields(MetricQuery)}
    if unknown:
        raise QueryError(f"A query has no {', '.join(sorted(map(repr, unknown)))}.")
    if "metric" not in tree:
        raise QueryError('A query names a metric: {"metric": "http.server.request.duration"}.')
    values: dict[str, Any] = {}
    for name, content in tree.items():
        try:
            values[name] = _QUERY_FIELDS[name](content)
        except JsonError as error:
            raise QueryError(f"{name}: {error}") from None
    return MetricQuery(**values)


def _decode_where(tree: object) -> dict[str, AttributeValue | re.Pattern[str]]:
    if not isinstance(tree, dict):
        raise JsonError(f"{shown(tree)} is not an object.")
    return {key: _decode_condition(value) for key, value in tree.items()}


def _decode_condition(tree: object) -> AttributeValue | re.Pattern[str]:
    if tree is None or isinstance(tree, str | bool | int | float):
        return tree
    if isinstance(tree, dict) and "regex" in tree:
        pattern, flags = tree["regex"], tree.get("flags", 0)
        if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
            raise JsonError(f"a pattern is a text of at most {MAX_PATTERN} characters.")
        if type(flags) is not int or flags & ~int(_REGEX_FLAGS):
            raise JsonError(f"{shown(flags)} are no flags of a pattern.")
        try:
            return re.compile(pattern, flags)
        except (re.error, RecursionError, OverflowError, ValueError) as error:
            raise JsonError(f"{shown(pattern)} is no regular expression: {error}") from None
    return decode_value(tree)


def decode_time(tree: object) -> int | str:
    """A moment or a length of time: an integer of nanoseconds, or a text such as "-5m"."""
    if isinstance(tree, str) and not re.fullmatch(r"[0-9]+", tree, re.ASCII):
        return tree
    return decode_int(tree)


def _decode_names(tree: object) -> list[str]:
    if not isinstance(tree, list) or not all(isinstance(item, str) for item in tree):
        raise JsonError(f"{shown(tree)} is not a list of attribute keys.")
    return tree


_QUERY_FIELDS: dict[str, Decode] = {
    "metric": decode_as(str),
    "service": optional(decode_as(str)),
    "where": _decode_where,
    "start": decode_time,
    "end": optional(decode_time),
    "step": optional(decode_time),
    "aggregation": enum_decoder(Aggregation),
    "by": optional(_decode_names),
    "limit": optional(decode_int),
    "quantile": optional(decode_float),
}
