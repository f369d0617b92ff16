"""OTLP/JSON to OTLP protobuf.

The mapping is proto3's JSON mapping with OTLP's deviations (opentelemetry-proto,
docs/specification.md, "JSON Protobuf Encoding"): trace and span ids are hex, enums are integers.

Readers in the field differ. Where they do, this one is

- liberal in how numbers, names and enums are written: a 64-bit integer is a string or a number, 1e3
  and "1.0" are integers, keys are lowerCamelCase or the original names;
- strict in structure: one member of a oneof, no null in a list, nothing after the object.

`null` means "unset". The JavaScript SDK sends `{"asDouble": null}` for NaN: such a point has no value,
and the store rejects that point alone. Of a repeated key, the last one counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ..errors import DecodeError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

#: How deep messages may be nested; protobuf's own decoder has this limit.
MAX_DEPTH = 100

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*", re.ASCII)
_SHOWN = 60  # characters of a wrong value in an error message
_PLACE = 200  # characters of its path


def request_from_json(data: bytes | bytearray | memoryview | str) -> bytes:
    """The protobuf bytes of an `ExportMetricsServiceRequest` given as OTLP/JSON.

    Raises `DecodeError`, naming the place ("resourceMetrics[0].scopeMetrics[1]...") and the value.
    """
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    tree = _parse(data)
    if type(tree) is not dict:
        raise DecodeError(f"The request is not a JSON object but {_show(tree)}.")
    request = ExportMetricsServiceRequest()
    try:
        _fill(request, tree, 0)
        return request.SerializeToString()
    except _WrongValue as error:
        raise DecodeError(f"{error.place()}: {error.reason}") from None
    except RecursionError:
        raise DecodeError(_TOO_DEEP) from None


class _Number(str):
    """A JSON number as it was written, so that an int64 written 9007199254740993.0 stays exact."""

    __slots__ = ()


class _WrongValue(Exception):
    """A value that does not fit its field; gathers the path to it while the stack unwinds."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def place(self) -> str:
        place = "".join(reversed(self.path)).lstrip(".") or "the request"
        return place if len(place) <= _PLACE else place[:_PLACE] + "..."


_TOO_DEEP = f"The JSON is nested deeper than {MAX_DEPTH} messages."


def _show(value: object) -> str:
    if isinstance(value, _Number):
        text = str(value)
    else:
        try:
            text = json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            text = type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _parse(data: bytes | bytearray | memoryview | str) -> Any:
    if isinstance(data, str):
        text = data
    else:
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError as error:
            raise DecodeError(f"The JSON is not UTF-8: {error.reason} at {error.start}.") from None
    if not text or text.isspace():
        raise DecodeError('The JSON body is empty; an empty request is written "{}".')
    try:
        return json.loads(
            text, parse_float=_Number, parse_int=_parse_int, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise DecodeError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise DecodeError(
            f"The request is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None


def _parse_int(text: str) -> int | _Number:
    # Turning digits into an int takes quadratic time; no integer of OTLP has more than 20.
    return int(text) if len(text) <= 32 else _Number(text)


def _refuse_constant(name: str) -> NoReturn:
    raise DecodeError(f'{name} is not JSON; as a value it is written "{name}", with quotes.')


# Scalars: each function takes a parsed JSON value and returns what the field takes.


def _integer(value: object, low: int, high: int) -> int:
    if type(value) is int:
        number = value
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        try:
            exact = Decimal(value)
        except InvalidOperation:  # an exponent beyond Decimal's own range
            raise _WrongValue(f"{_show(value)} is out of range ({low} to {high}).") from None
        # Checked before int(): 1e999999999 is a short text, but a very long integer.
        if exact.adjusted() > 20:
            raise _WrongValue(f"{_show(value)} is out of range ({low} to {high}).")
        if exact != exact.to_integral_value():
            raise _WrongValue(f"{_show(value)} is not an integer.")
        number = int(exact)
    else:
        raise _WrongValue(f"{_show(value)} is not an integer.")
    if not low <= number <= high:
        raise _WrongValue(f"{_show(value)} is out of range ({low} to {high}).")
    return number


def _integers(low: int, high: int) -> Callable[[object], int]:
    return lambda value: _integer(value, low, high)


_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def _double(value: object) -> float:
    if isinstance(value, str):
        if value in _WORDS and not isinstance(value, _Number):
            return _WORDS[value]
        if not _NUMBER.fullmatch(value):
            raise _WrongValue(f"{_show(value)} is not a number.")
        number = float(value)
    elif type(value) is int:
        number = float(value)
    else:
        raise _WrongValue(f"{_show(value)} is not a number.")
    if number in (_WORDS["Infinity"], _WORDS["-Infinity"]):
        raise _WrongValue(f'{_show(value)} does not fit a double; infinity is "Infinity".')
    return number


def _bool(value: object) -> bool:
    if type(value) is not bool:
        raise _WrongValue(f"{_show(value)} is neither true nor false.")
    return value


def _string(value: object) -> str:
    if type(value) is not str:  # a _Number is no string
        raise _WrongValue(f"{_show(value)} is not a string.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _WrongValue(f"{_show(value)} holds half of a surrogate pair.") from None
    return value


def _base64(value: object) -> bytes:
    text = _string(value).replace("-", "+").replace("_", "/").rstrip("=")
    if not _BASE64.fullmatch(text) or len(text) % 4 == 1:
        raise _WrongValue(f"{_show(value)} is not base64.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise _WrongValue(f"{_show(value)} is not base64: {error}.") from None


# Stands for a trace or span id that cannot be read. No id has this length, so the store drops and
# counts the exemplar and keeps the point, as it does for any id of a wrong length.
_UNREADABLE_ID = b"\x00"


def _hex(value: object) -> bytes:
    text = _string(value)
    return bytes.fromhex(text) if _HEX.fullmatch(text) else _UNREADABLE_ID


def _enum(field: FieldDescriptor) -> Callable[[object], int]:
    kind = field.enum_type
    names = {value.name: value.number for value in kind.values} if kind is not None else {}

    def convert(value: object) -> int:
        if type(value) is str and value in names:
            return names[value]
        # Numbers that OTLP does not define are kept: the store rejects their points and says so.
        return _integer(value, -(2**31), 2**31 - 1)

    return convert


class _Field(NamedTuple):
    """How one field of a message is read."""

    name: str
    repeated: bool
    oneof: str  # "" if it is in none
    scalar: Callable[[object], Any] | None  # None: a message


@cache
def _fields(descriptor: Descriptor) -> dict[str, _Field]:
    """The fields of a message by their JSON names and by their original names."""
    fields: dict[str, _Field] = {}
    for field in descriptor.fields:
        oneof = field.containing_oneof
        # protobuf puts an optional scalar into a oneof of its own.
        shared = oneof.name if oneof is not None and len(oneof.fields) > 1 else ""
        entry = _Field(field.name, _is_repeated(field), shared, _scalar(field))
        fields[field.json_name] = entry
        fields[field.name] = entry
    return fields


def _is_repeated(field: FieldDescriptor) -> bool:
    # `is_repeated` came with protobuf 6.31, `label` went with 7.
    repeated: bool | None = getattr(field, "is_repeated", None)
    if repeated is None:
        repeated = getattr(field, "label", 0) == 3  # LABEL_REPEATED
    return repeated


def _scalar(field: FieldDescriptor) -> Callable[[object], Any] | None:
    kind = field.type
    if kind == field.TYPE_MESSAGE:
        return None
    if kind == field.TYPE_ENUM:
        return _enum(field)
    if kind == field.TYPE_BYTES:
        return _hex if field.name in ("trace_id", "span_id") else _base64
    if kind == field.TYPE_STRING:
        return _string
    if kind == field.TYPE_BOOL:
        return _bool
    if kind in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
        return _double
    if kind in (field.TYPE_INT64, field.TYPE_SINT64, field.TYPE_SFIXED64):
        return _integers(-(2**63), 2**63 - 1)
    if kind in (field.TYPE_UINT64, field.TYPE_FIXED64):
        return _integers(0, 2**64 - 1)
    if kind in (field.TYPE_UINT32, field.TYPE_FIXED32):
        return _integers(0, 2**32 - 1)
    return _integers(-(2**31), 2**31 - 1)


def _fill(message: Message, tree: dict[str, Any], depth: int) -> None:
    """Set the fields of `message` from a JSON object."""
    if depth > MAX_DEPTH:
        raise _WrongValue(_TOO_DEEP)
    fields = _fields(message.DESCRIPTOR)
    chosen: dict[str, _Field] = {}
    for key, value in tree.items():
        field = fields.get(key)
        if field is None or value is None:
            continue  # unknown fields are ignored; null is unset
        try:
            if field.oneof and chosen.setdefault(field.oneof, field) is not field:
                raise _WrongValue(
                    f"given beside {chosen[field.oneof].name}, of which only one may be set."
                )
            if field.repeated:
                _fill_list(message, field, value, depth)
            elif field.scalar is not None:
                setattr(message, field.name, field.scalar(value))
            elif type(value) is not dict:
                raise _WrongValue(f"{_show(value)} is not an object.")
            else:
                child = getattr(message, field.name)
                # Of a key in both spellings the last one counts, as of a repeated key.
                child.Clear()
                child.SetInParent()
                _fill(child, value, depth + 1)
        except _WrongValue as error:
            error.path.append(f".{key}")
            raise


def _fill_list(message: Message, field: _Field, values: object, depth: int) -> None:
    if type(values) is not list:
        raise _WrongValue(f"{_show(values)} is not a list.")
    message.ClearField(field.name)
    target = getattr(message, field.name)
    for index, value in enumerate(values):
        try:
            if field.scalar is not None:
                target.append(field.scalar(value))
            elif type(value) is not dict:
                raise _WrongValue(f"{_show(value)} is not an object.")
            else:
                _fill(target.add(), value, depth + 1)
        except _WrongValue as error:
            error.path.append(f"[{index}]")
            raise
