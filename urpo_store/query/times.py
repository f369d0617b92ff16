"""Moments, lengths of time, and the windows of a query; all become int nanoseconds."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import QueryError
from ..model import Aggregation, Duration, MetricQuery, Time

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
    "w": 7 * 86_400 * 10**9,
}
_PART = re.compile(r"(\d+)(?:\.(\d+))?(ns|us|µs|ms|s|m|h|d|w)", re.ASCII)
_LENGTH = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_RELATIVE = re.compile(r"(?:now)?\s*([+-]?)\s*(\S+)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = 2**63

#: A query may ask for so many instants; each costs room while a group is summed up.
MAX_WINDOWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows (t - step, t] for t = first, first + step, ...: `count` of them, ascending."""

    first: int
    step: int
    count: int

    @property
    def last(self) -> int:
        return self.first + (self.count - 1) * self.step


def parse_duration(duration: Duration, name: str = "step") -> int:
    """A length of time in nanoseconds, at least 1.

    Takes nanoseconds or text: "10s", "1.5h", "1h30m"; units ns, us, ms, s, m, h, d, w. Raises
    `QueryError`, which calls the argument `name`.
    """
    length = _length(duration) if isinstance(duration, str) else _index(duration)
    if length is None:
        raise QueryError(
            f"{name}={duration!r} is no length of time. Give nanoseconds as an int, or text such "
            'as "10s", "5m", "1h30m" (units ns, us, ms, s, m, h, d, w).'
        )
    if not 0 < length < _END_OF_TIME:
        raise QueryError(f"{name}={duration!r} is not between 1 ns and 2^63 ns.")
    return length


def parse_time(time: Time, now: int, name: str = "time") -> int:
    """A moment in Unix nanoseconds.

    Takes Unix nanoseconds, an aware datetime, or text: "now", "-5m" (five minutes ago; "5m" is the
    same), "+5m" (ahead), ISO 8601 with a zone. Raises `QueryError`, which calls the argument
    `name`.
    """
    moment = _moment(time, now, name)
    if moment is None:
        raise QueryError(
            f"{name}={time!r} is no moment. Give Unix nanoseconds as an int, an aware datetime, or "
            'text such as "now", "-5m", "2026-01-31T12:00:00Z".'
        )
    if not 0 <= moment < _END_OF_TIME:
        raise QueryError(f"{name}={time!r} is not between 1970 and 2262 (0 to 2^63 ns).")
    return moment


def parse_range(query: MetricQuery, now: int) -> tuple[int, int]:
    """The query's start and end (default: now); raises `QueryError` if they are reversed."""
    start = parse_time(query.start, now, "start")
    end = now if query.end is None else parse_time(query.end, now, "end")
    if start > end:
        raise QueryError(
            f"start={query.start!r} is later than end={query.end!r} by {(start - end) / 1e9:g} s; "
            "swap them."
        )
    return start, end


def parse_windows(query: MetricQuery, start: int, end: int) -> Windows | None:
    """The windows of the query; None if it has no step, which only RAW and LAST may lack."""
    if query.step is None:
        if query.quantile is None and query.aggregation in (Aggregation.RAW, Aggregation.LAST):
            return None
        name = (
            f"quantile={query.quantile!r}" if query.quantile is not None else query.aggregation.name
        )
        raise QueryError(
            f'{name} needs a step: the length of its windows, such as step="10s". Only RAW and '
            "LAST do without."
        )
    step = parse_duration(query.step)
    count = (end - start) // step + 1
    if count > MAX_WINDOWS:
        raise QueryError(
            f"step={query.step!r} makes {count} windows from start to end; at most {MAX_WINDOWS} "
            "are answered. Give a longer step or a shorter range."
        )
    return Windows(start, step, count)


def _index(value: object) -> int | None:
    """An int, or a numpy integer; no bool, no float."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _length(text: str) -> int | None:
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text)
    if not _LENGTH.fullmatch(text):
        return None
    total = 0
    for whole, fraction, unit in _PART.findall(text):
        # In integers, so that "0.1s" is 100,000,000 ns and nothing beside it.
        total += int(whole + fraction) * _UNITS[unit] // 10 ** len(fraction)
    return total


def _moment(time: Time, now: int, name: str) -> int | None:
    if isinstance(time, datetime):
        if time.utcoffset() is None:
            raise QueryError(
                f"{name}={time!r} has no time zone. Give an aware datetime, for example "
                "datetime.now(timezone.utc)."
            )
        since = time - _EPOCH
        return ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000
    if not isinstance(time, str):
        return _index(time)
    text = time.strip()
    if text == "now":
        return now
    if text.isascii() and text.isdigit():
        return int(text)
    relative = _RELATIVE.fullmatch(text)
    if relative and (length := _length(relative[2])) is not None and not relative[2].isdigit():
        if text.startswith("now") and not relative[1]:
            return None
        return now + length if relative[1] == "+" else now - length
    try:
        return _moment(datetime.fromisoformat(text), now, name)
    except ValueError as error:
        if isinstance(error, QueryError):
            raise
        return None
