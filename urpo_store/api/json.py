"""The JSON of the HTTP API: every public dataclass, there and back.

The server writes and the client reads with the same table of codecs, made from the type hints of
`model`. What JSON cannot say plainly is written so:

    integers beyond 2**53     as strings ("1700000000000000000"): many readers have only doubles
    NaN                       null
    infinities                "Infinity", "-Infinity"
    attribute values          typed, as OTLP/JSON writes AnyValue: {"intValue": "1"},
                              {"stringValue": "1"}, {"doubleValue": 1.0}; {} is "no value"
    exemplar values           {"intValue": "1"} or {"doubleValue": 1.5}; ids are hex
    enums                     their value ("p95", "exponential_histogram")

In the `where` of a query null means absent, and {"regex": "5..", "flags": 0} is a pattern; plain
text, booleans and numbers are taken as what they are in JSON, for people who write it by hand.

Readers ignore keys they do not know, and take the default for keys that are missing where there is
one: both sides may be of neighbouring versions.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from reprlib import repr as shown  # bounded, whatever a stranger sent
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .. import model
from ..errors import QueryError, UrpoStoreError
from ..model import AttributeValue, MetricQuery, MetricSeries

T = TypeVar("T")
Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]

#: Integers up to here are exact in every reader of JSON.
MAX_PLAIN_INT = 2**53

#: Columns with a row of several numbers a point.
_TWO_DIMENSIONS = {
    (model.HistogramColumns, "bucket_counts"),
    (model.ExponentialHistogramColumns, "positive_counts"),
    (model.ExponentialHistogramColumns, "negative_counts"),
    (model.SummaryColumns, "values"),
}


class JsonError(UrpoStoreError, ValueError):
    """JSON that does not have the shape of what is read from it."""


def dumps(tree: object) -> bytes:
    """Compact UTF-8 JSON of what the encoders here return."""
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def encode(value: object) -> Any:
    """The JSON tree of a dataclass of `model`, or of a list of them."""
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if value is None or isinstance(value, str):
        return value
    kind: Any = type(value)
    return _codec(kind)[0](value)


def decode(kind: type[T], tree: object) -> T:
    """A `kind` (a dataclass of `model`) from its JSON tree; raises `JsonError`."""
    hint: Any = kind
    value: T = _codec(hint)[1](tree)
    return value


# Scalars.


def _encode_int(value: int) -> int | str:
    number = int(value)
    return number if -MAX_PLAIN_INT <= number <= MAX_PLAIN_INT else str(number)


def _decode_int(tree: object) -> int:
    if type(tree) is int:
        return tree
    if isinstance(tree, str) and re.fullmatch(r"-?[0-9]{1,40}", tree, re.ASCII):
        return int(tree)
    raise JsonError(f"{shown(tree)} is not an integer.")


def _encode_float(value: float) -> float | str | None:
    number = float(value)
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return None
    return "Infinity" if number > 0 else "-Infinity"


_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _decode_float(tree: object) -> float:
    if tree is None:
        return math.nan
    if isinstance(tree, str) and tree in _WORDS:
        return _WORDS[tree]
    if isinstance(tree, int | float) and not isinstance(tree, bool):
        try:
            return float(tree)
        except OverflowError:
            raise JsonError(f"{shown(tree)} does not fit a double.") from None
    raise JsonError(f"{shown(tree)} is not a number.")


def _decode_as(kind: type) -> Decode:
    def check(tree: object) -> object:
        if type(tree) is not kind:
            raise JsonError(f"{shown(tree)} is not a {kind.__name__}.")
        return tree

    return check


def _decode_hex(tree: object) -> bytes:
    try:
        return bytes.fromhex(tree)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise JsonError(f"{shown(tree)} is not hex.") from None


# Attribute values.


def encode_value(value: AttributeValue) -> dict[str, Any]:
    """An attribute value as OTLP/JSON writes AnyValue: {"intValue": "1"}; None is {}."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool | np.bool_):
        return {"boolValue": bool(value)}
    if isinstance(value, int | np.integer):
        return {"intValue": str(int(value))}
    if isinstance(value, float | np.floating):
        return {"doubleValue": "NaN" if math.isnan(value) else _encode_float(float(value))}
    if isinstance(value, bytes | bytearray):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        entries = [{"key": key, "value": encode_value(item)} for key, item in value.items()]
        return {"kvlistValue": {"values": entries}}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [encode_value(item) for item in value]}}
    raise JsonError(f"{value!r}, a {type(value).__qualname__}, is no attribute value.")


def decode_value(tree: object) -> AttributeValue:
    """The reverse of `encode_value`."""
    if not isinstance(tree, dict) or len(tree) > 1:
        raise JsonError(f'{shown(tree)} is no typed value; one looks like {{"intValue": "1"}}.')
    for kind, content in tree.items():
        if kind == "stringValue" and isinstance(content, str):
            return content
        if kind == "boolValue" and isinstance(content, bool):
            return content
        if kind == "intValue":
            number = _decode_int(content)
            if not -(2**63) <= number < 2**63:
                raise JsonError(f"{number} is no int64.")
            return number
        if kind == "doubleValue":
            return _decode_float(content)
        if kind == "bytesValue" and isinstance(content, str):
            try:
                return base64.b64decode(content, validate=True)
            except ValueError:
                raise JsonError(f"{shown(content)} is not base64.") from None
        if kind == "arrayValue":
            return [decode_value(item) for item in _decode_items(content)]
        if kind == "kvlistValue":
            return dict(map(_decode_entry, _decode_items(content)))
        raise JsonError(f"{shown(tree)} is no typed value.")
    return None


def _decode_items(tree: object) -> list[Any]:
    """The values of an arrayValue or kvlistValue."""
    items = tree.get("values") or [] if isinstance(tree, dict) else None
    if not isinstance(items, list):
        raise JsonError(f'{shown(tree)} is not {{"values": [...]}}.')
    return items


def _decode_entry(tree: object) -> tuple[str, AttributeValue]:
    if not isinstance(tree, dict) or not isinstance(tree.get("key"), str):
        raise JsonError(f'{shown(tree)} is not {{"key": "...", "value": {{...}}}}.')
    return tree["key"], decode_value(tree.get("value", {}))


def _encode_attributes(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    return {key: encode_value(value) for key, value in attributes.items()}


def _decode_attributes(tree: object) -> dict[str, AttributeValue]:
    if not isinstance(tree, dict):
        raise JsonError(f"{shown(tree)} is not an object of attributes.")
    return {key: decode_value(value) for key, value in tree.items()}


# Columns.


def _encode_column(column: Any) -> Any:
    array = np.asarray(column)
    if array.dtype.kind == "f":
        values = array.tolist()
        if bool(np.isfinite(array).all()):
            return values
        return _map_nested(_encode_float, values)
    if array.dtype.kind in "iu" and array.size:
        low, high = int(array.min()), int(array.max())
        if low > MAX_PLAIN_INT:  # times
            return _map_nested(str, array.tolist())
        if low < -MAX_PLAIN_INT or high > MAX_PLAIN_INT:
            return _map_nested(_encode_int, array.tolist())
    return array.tolist()


def _map_nested(convert: Encode, values: list[Any]) -> list[Any]:
    if not values or not isinstance(values[0], list):
        return list(map(convert, values))
    return [
        _map_nested(convert, item) if isinstance(item, list) else convert(item) for item in values
    ]


def _column(dtype: np.dtype[Any], dimensions: int) -> tuple[Encode, Decode]:
    scalar: Decode = {"f": _decode_float, "b": _decode_as(bool)}.get(dtype.kind, _decode_int)

    def decode_column(tree: object) -> Any:
        if not isinstance(tree, list):
            raise JsonError(f"a column is a list, not {shown(tree)}.")
        numbers = _map_nested(scalar, tree)
        try:
            array = np.array(numbers, dtype=dtype)
        except (ValueError, OverflowError) as error:
            raise JsonError(f"a column of {dtype}: {error}") from None
        if dimensions == 2 and array.ndim == 1 and not array.size:
            return array.reshape(0, 0)
        if array.ndim != dimensions:
            raise JsonError(f"a column with {array.ndim} dimensions instead of {dimensions}.")
        return array

    return _encode_column, decode_column


# Dataclasses, by their type hints.


@cache
def _codec(hint: Any, owner: tuple[type, str] | None = None) -> tuple[Encode, Decode]:
    """How a value of this type is written and read; `owner` is the field that has the type."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass_codec(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return lambda value: value.value, _enum_decoder(hint)
    simple: dict[Any, tuple[Encode, Decode]] = {
        int: (_encode_int, _decode_int),
        float: (_encode_float, _decode_float),
        str: (str, _decode_as(str)),
        bool: (bool, _decode_as(bool)),
        bytes: (bytes.hex, _decode_hex),
        float | int: (encode_value, decode_value),
    }
    if hint in simple:
        return simple[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is np.ndarray or origin is npt.NDArray:
        # NDArray[x] stands for ndarray[shape, dtype[x]]; newer numpys keep it as an alias.
        (dtype,) = arguments if origin is npt.NDArray else typing.get_args(arguments[1])
        return _column(np.dtype(dtype), 2 if owner in _TWO_DIMENSIONS else 1)
    if origin in (typing.Union, types.UnionType):
        return _union_codec([item for item in arguments if item is not types.NoneType])
    if arguments and arguments[0] is str and arguments[1] is int:
        return dict, lambda tree: {key: _decode_int(value) for key, value in tree.items()}
    if origin in (Mapping, dict):
        return _encode_attributes, _decode_attributes
    raise TypeError(f"no JSON for {hint!r}")


def _enum_decoder(kind: type[enum.Enum]) -> Decode:
    def read(tree: object) -> enum.Enum:
        try:
            return kind(tree)
        except ValueError:
            known = ", ".join(str(item.value) for item in kind)
            raise JsonError(f"{shown(tree)} is none of {known}.") from None

    return read


def _union_codec(members: Sequence[Any]) -> tuple[Encode, Decode]:
    """One type or none; of several dataclasses the one that has a key which the others lack."""
    codecs = [(member, *_codec(member)) for member in members]
    if len(codecs) == 1:
        (_, write_one, read_one) = codecs[0]
        return (
            lambda value: None if value is None else write_one(value),
            lambda tree: None if tree is None else read_one(tree),
        )

    def write(value: object) -> Any:
        return None if value is None else encode(value)

    def read(tree: Any) -> Any:
        if tree is None:
            return None
        if not isinstance(tree, dict):
            raise JsonError(f"{shown(tree)} is not an object.")
        # Exponential histograms have a scale, explicit ones have bounds.
        for member, _, read_member in codecs:
            required = {item.name for item in dataclasses.fields(member)}
            if required <= tree.keys():
                return read_member(tree)
        raise JsonError(f"an object with the keys {sorted(tree)} is none of the known ones.")

    return write, read


def _dataclass_codec(kind: type) -> tuple[Encode, Decode]:
    hints = typing.get_type_hints(kind)
    fields = [
        (item, *_codec(hints[item.name], (kind, item.name))) for item in dataclasses.fields(kind)
    ]

    def write(value: object) -> dict[str, Any]:
        return {
            item.name: write_field(getattr(value, item.name)) for item, write_field, _ in fields
        }

    def read(tree: object) -> Any:
        if not isinstance(tree, dict):
            raise JsonError(f"a {kind.__name__} is an object, not {shown(tree)}.")
        values = {}
        for item, _, read_field in fields:
            if item.name in tree:
                try:
                    values[item.name] = read_field(tree[item.name])
                except JsonError as error:
                    raise JsonError(f"{kind.__name__}.{item.name}: {error}") from None
            elif (
                item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
            ):
                raise JsonError(f"a {kind.__name__} without {item.name!r}.")
        return kind(**values)

    return write, read


# Queries and their answers.

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


def encode_time(time: model.Time) -> int | str:
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
    return _decode_int(tree)


def _optional(read: Decode) -> Decode:
    return lambda tree: None if tree is None else read(tree)


def _decode_names(tree: object) -> list[str]:
    if not isinstance(tree, list) or not all(isinstance(item, str) for item in tree):
        raise JsonError(f"{shown(tree)} is not a list of attribute keys.")
    return tree


_QUERY_FIELDS: dict[str, Decode] = {
    "metric": _decode_as(str),
    "service": _optional(_decode_as(str)),
    "where": _decode_where,
    "start": decode_time,
    "end": _optional(decode_time),
    "step": _optional(decode_time),
    "aggregation": _enum_decoder(model.Aggregation),
    "by": _optional(_decode_names),
    "limit": _optional(_decode_int),
    "quantile": _optional(_decode_float),
}


def encode_parts(items: Sequence[object], limit: int) -> Iterator[bytes]:
    """The JSON array of `items` in pieces; `QueryError` as soon as it is longer than `limit` bytes.

    One item at a time, so that an answer that is far too long is never built.
    """
    total = 0
    separator = b"["
    for item in items:
        piece = separator + dumps(encode(item))
        total += len(piece)
        if total > limit:
            raise QueryError(
                f"The answer is longer than {limit} bytes. Ask for a shorter time range, a longer "
                "step, fewer series (limit, where, by), or raise the limit of the server."
            )
        yield piece
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


def decode_series(tree: object) -> list[MetricSeries]:
    """The series of the answer to a query."""
    if not isinstance(tree, dict) or not isinstance(tree.get("series"), list):
        raise JsonError("the answer to a query is an object with a list of series.")
    return [decode(MetricSeries, item) for item in tree["series"]]
