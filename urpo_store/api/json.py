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

Readers ignore keys they do not know, and take the default for keys that are missing where there is
one: both sides may be of neighbouring versions.

msgspec was tried instead. Nearly every rule above would be a hook of it, so this code would stay,
and its errors name neither the class nor what is expected. It prints and parses five times as fast
(2 ms of an answer of 2,500 points), but Python clients that need speed take Arrow (`arrow_ipc`).
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from reprlib import repr as shown
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .. import model
from ..errors import QueryError
from ..model import MetricSeries
from .columns import column_codec
from .scalars import (
    Decode,
    Encode,
    JsonError,
    decode_as,
    decode_float,
    decode_hex,
    decode_int,
    dumps,
    encode_float,
    encode_int,
    enum_decoder,
)
from .values import decode_attributes, decode_value, encode_attributes, encode_value

T = TypeVar("T")

#: Columns with a row of several numbers a point.
_TWO_DIMENSIONS = {
    (model.HistogramColumns, "bucket_counts"),
    (model.ExponentialHistogramColumns, "positive_counts"),
    (model.ExponentialHistogramColumns, "negative_counts"),
    (model.SummaryColumns, "values"),
}


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


@cache
def _codec(hint: Any, owner: tuple[type, str] | None = None) -> tuple[Encode, Decode]:
    """How a value of this type is written and read; `owner` is the field that has the type."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass_codec(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return lambda value: value.value, enum_decoder(hint)
    simple: dict[Any, tuple[Encode, Decode]] = {
        int: (encode_int, decode_int),
        float: (encode_float, decode_float),
        str: (str, decode_as(str)),
        bool: (bool, decode_as(bool)),
        bytes: (bytes.hex, decode_hex),
        float | int: (encode_value, decode_value),
    }
    if hint in simple:
        return simple[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is np.ndarray or origin is npt.NDArray:
        # NDArray[x] stands for ndarray[shape, dtype[x]]; newer numpys keep it as an alias.
        (dtype,) = arguments if origin is npt.NDArray else typing.get_args(arguments[1])
        return column_codec(np.dtype(dtype), 2 if owner in _TWO_DIMENSIONS else 1)
    if origin in (typing.Union, types.UnionType):
        return _union_codec([item for item in arguments if item is not types.NoneType])
    if arguments and arguments[0] is str and arguments[1] is int:
        return dict, lambda tree: {key: decode_int(value) for key, value in tree.items()}
    if origin in (Mapping, dict):
        return encode_attributes, decode_attributes
    raise TypeError(f"no JSON for {hint!r}")


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


class AnswerTooLongError(QueryError):
    """The answer has more bytes than the server sends at a time."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The answer is longer than {limit} bytes. Ask for a shorter time range, a longer "
            "step, fewer series (limit, where, by), or raise the limit of the server."
        )


def encode_parts(items: Sequence[object], limit: int) -> Iterator[bytes]:
    """The JSON array of `items` in pieces; `AnswerTooLongError` as soon as it is longer than `limit` bytes.

    One item at a time, so that an answer that is far too long is never built.
    """
    total = 0
    separator = b"["
    for item in items:
        piece = separator + dumps(encode(item))
        total += len(piece)
        if total > limit:
            raise AnswerTooLongError(limit)
        yield piece
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


def decode_series(tree: object) -> list[MetricSeries]:
    """The series of the answer to a query."""
    if not isinstance(tree, dict) or not isinstance(tree.get("series"), list):
        raise JsonError("the answer to a query is an object with a list of series.")
    return [decode(MetricSeries, item) for item in tree["series"]]
