"""The options of `urpo_store.open()`, checked: a value is honoured or refused, never ignored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError

_SIZES = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_SIZES |= {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

#: Below this, not even the hot ring and the tables fit.
MINIMUM_MEMORY = 8 << 20
#: Overflow series may be as many again, and all ids are below 2^24.
MAXIMUM_SERIES = 8_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """The options of an embedded store; lengths of time in ns, sizes in bytes.

    `retention` 0 keeps points of any age. The last four are for small machines and for tests.
    """

    retention: int = 24 * 3600 * 10**9
    memory_limit: int = 64 << 20
    max_series: int = 100_000
    max_attributes: int = 128
    max_string: int = 16384
    ring_slots: int = 32768
    drain_interval: int = 10**9


def parse_size(name: str, value: object) -> int:
    """Bytes from an int or from text such as "64MiB"; raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
        if match and match[2] in _SIZES:
            return int(float(match[1]) * _SIZES[match[2]])
    raise ConfigError(f'{name}={value!r} is not a size; write bytes, or text such as "64MiB"')


def parse_span(name: str, value: object) -> int:
    """Nanoseconds from an int or from text such as "24h"; raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", value.strip().lower())
        if match and match[2] in _SECONDS and float(match[1]) > 0:
            return round(float(match[1]) * _SECONDS[match[2]] * 10**9)
    raise ConfigError(
        f'{name}={value!r} is not a length of time; write nanoseconds, or text such as "24h"'
    )


def parse_count(name: str, value: object, least: int, most: int) -> int:
    """An int within its bounds; raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise ConfigError(f"{name}={value!r} is not a whole number from {least} to {most}")


def parse_options(given: dict[str, Any]) -> Options:
    """Options from keyword arguments; raises ConfigError for what is unknown or wrong."""
    values: dict[str, int] = {}
    for name, value in given.items():
        match name:
            case "retention":
                values[name] = 0 if value is None else parse_span(name, value)
            case "memory_limit":
                values[name] = parse_size(name, value)
                if values[name] < MINIMUM_MEMORY:
                    raise ConfigError(
                        f"memory_limit={value!r} is too small; the least is "
                        f"{MINIMUM_MEMORY >> 20}MiB"
                    )
            case "max_series":
                values[name] = parse_count(name, value, 1, MAXIMUM_SERIES)
            case "max_attributes":
                values[name] = parse_count(name, value, 1, 10_000)
            case "max_string":
                values[name] = parse_count(name, value, 16, 1 << 20)
            case "ring_slots":
                values[name] = parse_count(name, value, 1024, 1 << 24)
                if value & (value - 1):
                    raise ConfigError(f"ring_slots={value!r} is not a power of two")
            case "drain_interval":
                values[name] = parse_span(name, value)
            case "hot_window" | "sync":
                raise ConfigError(
                    f"{name}={value!r} is an option of durable stores, which are not built yet; "
                    "leave it out and open an in-memory store: urpo_store.open()"
                )
            case _:
                known = ", ".join(Options.__dataclass_fields__)
                raise ConfigError(f"{name}={value!r} is not an option; there are: {known}")
    return Options(**values)
