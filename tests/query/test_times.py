"""SEMANTICS "Time and retention": moments, lengths, and the range of a query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from helpers.memory_reader import MemoryReader
from helpers.questions import T, ask, gauge

from urpo_store.errors import QueryError
from urpo_store.model import Aggregation, MetricQuery
from urpo_store.query.times import Windows, parse_duration, parse_range, parse_time, parse_windows

NOW = 1_700_000_000 * 10**9
S = 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("-5m", NOW - 300 * S),
        ("1h", NOW - 3600 * S),
        ("+5m", NOW + 300 * S),
        ("now-5m", NOW - 300 * S),
        ("now + 1s", NOW + S),
        ("-1h30m", NOW - 5400 * S),
        ("-0.1s", NOW - 10**8),
        ("-1ns", NOW - 1),
        (NOW, NOW),
        (np.int64(NOW), NOW),
        (str(NOW), NOW),
        (0, 0),
        (datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC), NOW + 1000),
        (datetime(2023, 11, 15, 0, 13, 20, tzinfo=timezone(timedelta(hours=2))), NOW),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20+00:00", NOW),
    ],
)
def test_times_are_nanoseconds_datetimes_and_text(text: Any, expected: int) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "wrong",
    ["", "soon", "-5", "5 minutes", "-5x", "now5m", 1.5, True, None, [], "-m", "--5m", "\u0665m"],
)
def test_what_is_no_time_is_named(wrong: Any) -> None:
    with pytest.raises(QueryError, match=r"start=.* is no moment\. Give Unix nanoseconds"):
        parse_time(wrong, NOW, "start")


def test_a_datetime_without_a_zone_is_refused() -> None:
    for naive in (datetime(2023, 11, 14), "2023-11-14T22:13:20"):
        with pytest.raises(QueryError, match="has no time zone"):
            parse_time(naive, NOW)


@pytest.mark.parametrize("beyond", [-1, 2**63, "-100000w"])
def test_times_beyond_int64_are_refused(beyond: Any) -> None:
    with pytest.raises(QueryError, match="not between 1970 and 2262"):
        parse_time(beyond, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10 * S),
        ("5m", 300 * S),
        ("1h30m", 5400 * S),
        ("1.5h", 5400 * S),
        ("100ms", 10**8),
        ("3us", 3000),
        ("3µs", 3000),
        ("7ns", 7),
        ("1d", 86_400 * S),
        ("1w", 7 * 86_400 * S),
        (250, 250),
        ("250", 250),
        (np.int64(5), 5),
    ],
)
def test_durations_are_nanoseconds_or_text(text: Any, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("wrong", ["", "0s", 0, -1, "-10s", "10 s", "s", 1.0, True, None, 2**63])
def test_what_is_no_duration_is_named(wrong: Any) -> None:
    with pytest.raises(QueryError, match="step="):
        parse_duration(wrong)


def test_the_default_range_is_the_last_five_minutes() -> None:
    assert parse_range(MetricQuery("m"), NOW) == (NOW - 300 * S, NOW)


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(QueryError, match=r"start='now' is later than end='-5m' by 300 s; swap"):
        parse_range(MetricQuery("m", start="now", end="-5m"), NOW)


def test_a_step_that_makes_too_many_windows_is_refused() -> None:
    query = MetricQuery("m", step=1, aggregation=Aggregation.SUM)
    with pytest.raises(QueryError, match=r"step=1 makes 300000000001 windows .* longer step"):
        parse_windows(query, NOW - 300 * S, NOW)


def test_windows_end_at_or_before_end() -> None:
    windows = parse_windows(MetricQuery("m", step=10), 100, 129)
    assert windows == Windows(100, 10, 3) and windows.last == 120


def test_step_is_required_except_for_raw_and_last() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1)))
    for aggregation in Aggregation:
        if aggregation in (Aggregation.RAW, Aggregation.LAST):
            assert len(ask(reader, aggregation, step=None, start=T)) == 1
        else:
            with pytest.raises(QueryError, match=f"{aggregation.name} needs a step"):
                ask(reader, aggregation, step=None)
    with pytest.raises(QueryError, match=r"quantile=0\.5 needs a step"):
        ask(reader, Aggregation.RAW, step=None, quantile=0.5)
