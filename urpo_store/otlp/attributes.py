"""Attribute values between Python and OTLP's AnyValue; types are kept: 1, "1", 1.0, True differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from ..model import AttributeValue


def fill_any_value(target: AnyValue, value: AttributeValue, place: str) -> None:
    """Set `target`, an empty AnyValue, to `value`; `place` names it in errors.

    None leaves it empty: OTLP's "no value". Raises `ConfigError` for what OTLP cannot hold.
    """
    if value is None:
        return
    if isinstance(value, str):
        target.string_value = checked_text(value, place)
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, bytes | bytearray):
        target.bytes_value = bytes(value)
    elif isinstance(value, Integral):  # numpy's integers too
        number = int(value)
        if not -(2**63) <= number < 2**63:
            raise ConfigError(f"{place} is {number}, which is no int64; give a float or a text.")
        target.int_value = number
    elif isinstance(value, Real):
        target.double_value = float(value)
    elif isinstance(value, Mapping):
        target.kvlist_value.SetInParent()
        for key, item in value.items():
            entry = target.kvlist_value.values.add()
            entry.key = checked_text(key, f"a key of {place}")
            fill_any_value(entry.value, item, f"{place}[{key!r}]")
    elif isinstance(value, Sequence):
        target.array_value.SetInParent()
        for index, item in enumerate(value):
            fill_any_value(target.array_value.values.add(), item, f"{place}[{index}]")
    elif type(value).__module__ == "numpy" and hasattr(value, "item"):  # numpy.bool
        fill_any_value(target, value.item(), place)
    else:
        raise ConfigError(
            f"{place} is a {type(value).__qualname__}; an attribute value is a str, bool, int, "
            "float, bytes, None, or a sequence or mapping of them."
        )


def fill_attributes(
    target: Iterable[KeyValue], attributes: Mapping[str, AttributeValue], place: str
) -> None:
    """Append `attributes` to `target`, a repeated KeyValue field."""
    try:
        for key, value in attributes.items():
            entry = target.add()  # type: ignore[attr-defined]
            entry.key = checked_text(key, f"a key of {place}")
            entry.value.SetInParent()
            fill_any_value(entry.value, value, f"{place}[{key!r}]")
    except RecursionError:
        raise ConfigError(f"{place} is nested too deeply, or holds itself.") from None


def checked_text(value: object, place: str) -> str:
    """`value` if it is text that UTF-8 can hold; else a `ConfigError` that names `place`."""
    if not isinstance(value, str):
        raise ConfigError(f"{place} is {value!r}, a {type(value).__qualname__}; give a str.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{place} is {value!r}, which holds half of a surrogate pair.") from None
    return value


def value_from_any_value(value: AnyValue) -> AttributeValue:
    """The Python value of an AnyValue; None if it is empty."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_from_any_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_from_key_values(value.kvlist_value.values)
    # `string_value_strindex` refers to a table that metrics do not have: no value.
    if kind is None or kind == "string_value_strindex":
        return None
    plain: AttributeValue = getattr(value, kind)
    return plain


def attributes_from_key_values(entries: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    """A dict of the entries; of equal keys the last one counts."""
    return {entry.key: value_from_any_value(entry.value) for entry in entries}
