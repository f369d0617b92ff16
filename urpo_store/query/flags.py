"""The flags of `urpo-store query`, and the query that they describe."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Protocol

from ..errors import QueryError
from ..model import Aggregation, AttributeValue, MetricQuery


class QueryFlags(Protocol):
    """What `urpo-store query` was given."""

    metric: str
    service: str | None
    where: Sequence[str]
    start: str
    end: str | None
    step: str | None
    agg: str
    by: Sequence[str] | None
    limit: int | None


_TYPED = re.compile(
    r"(?P<key>.+?):(?P<type>int|bool|double|bytes|text|json|absent)=(?P<value>.*)", re.S
)


def parse_where(flag: str) -> tuple[str, AttributeValue | re.Pattern[str]]:
    """One --where: k=v, k:int=5, k~regex, ...; raises QueryError that says what is wrong."""
    typed = _TYPED.fullmatch(flag)
    equals, tilde = flag.find("="), flag.find("~")
    if tilde > 0 and (equals < 0 or tilde < equals):
        key, _, pattern = flag.partition("~")
        try:
            return key, re.compile(pattern)
        except re.error as error:
            raise QueryError(f"--where {flag!r}: {pattern!r} is no regex: {error}") from None
    if typed and typed.start("value") == equals + 1:
        return typed["key"], _typed_value(flag, typed["type"], typed["value"])
    if equals < 1:
        raise QueryError(f"--where {flag!r} is not KEY=VALUE, KEY:TYPE=VALUE or KEY~REGEX")
    key, _, value = flag.partition("=")
    return key, value


def _typed_value(flag: str, kind: str, value: str) -> AttributeValue:
    try:
        match kind:
            case "int":
                return int(value)
            case "double":
                return float(value)
            case "bytes":
                return base64.b64decode(value, validate=True)
            case "bool" if value in ("true", "false"):
                return value == "true"
            case "text":
                return value
            case "json":
                parsed: AttributeValue = json.loads(value)
                return parsed
            case "absent" if not value:
                return None
    except ValueError:
        pass
    raise QueryError(f"--where {flag!r}: {value!r} is no {kind}")


def query_from_flags(flags: QueryFlags) -> MetricQuery:
    """The query that the flags describe; raises QueryError."""
    try:
        aggregation = Aggregation(flags.agg.lower())
    except ValueError:
        names = " ".join(aggregation.value for aggregation in Aggregation)
        raise QueryError(f"--agg {flags.agg!r} is none of: {names}") from None
    by = flags.by
    return MetricQuery(
        metric=flags.metric,
        service=flags.service,
        where=dict(parse_where(flag) for flag in flags.where),
        start=_moment(flags.start),
        end=None if flags.end is None else _moment(flags.end),
        step=flags.step,
        aggregation=aggregation,
        by=None if by is None else () if by in (["none"], [""]) else tuple(by),
        limit=flags.limit,
    )


def _moment(value: str) -> int | str:
    return int(value) if value.isdigit() else value
