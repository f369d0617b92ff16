"""Points of collapsed sources: added to totals, and none is counted twice."""

import random
import struct
from typing import Any

import pytest
from helpers.identity import COUNTER, CUMULATIVE, DELTA, SUM, add, full
from hypothesis import given, settings
from hypothesis import strategies as st

HISTOGRAM, EXPONENTIAL = 3, 4
FLAG_STALE, FLAG_INT, FLAG_SUM, FLAG_MIN, FLAG_MAX = 1, 1 << 24, 1 << 25, 1 << 26, 1 << 27
DATA_ADD = 1


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def from_bits(word: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", word))[0])


def test_deltas_of_collapsed_sources_are_added_by_the_chunks() -> None:
    index = full()
    delta, source = add(index, {"user": 1}, kind=SUM, temporality=DELTA, monotonic=1)
    total, _ = add(index, {"user": 1}, **COUNTER)
    assert source is not None
    assert (index.options(delta), index.options(total)) == (DATA_ADD, 0)
    assert index.observe(delta, source, time=5, value=3, flags=FLAG_INT, start=2) == (
        5,
        3,
        FLAG_INT,
        2,
        [],
    )
    assert index.counts["overflowed_points"] == 1


# ---- totals --------------------------------------------------------------------------------------


class Counters:
    """Sends points of collapsed sources of one metric; `last` is the collapsed series' newest point."""

    def __init__(self, **kind: Any) -> None:
        self.index = full()
        self.kind = {**COUNTER, **kind}
        self.last: Any = None

    def send(self, user: object, time: int, value: float, start: int = 1, flags: int = 0) -> Any:
        number, source = add(self.index, {"user": user}, **self.kind)
        assert source is not None
        is_int = isinstance(value, int)
        word = value & 0xFFFF_FFFF_FFFF_FFFF if isinstance(value, int) else bits(value)
        found = self.index.observe(
            number, source, time=time, value=word, start=start, flags=flags | FLAG_INT * is_int
        )
        if found is None:
            return None
        self.last = found
        total = found[1]
        if found[2] & FLAG_INT:
            return total - (1 << 64) * (total >> 63)
        return from_bits(total)


def test_a_source_seen_first_is_a_baseline() -> None:
    counters = Counters()
    assert counters.send("a", 10, 1_000) is None
    assert counters.send("b", 10, 5_000) is None
    assert counters.index.counts["baseline_points"] == 2
    assert counters.send("a", 20, 1_003) == 3
    assert counters.send("b", 20, 5_010) == 13
    assert counters.send("a", 30, 1_003) == 13


def test_the_total_begins_where_its_first_baseline_was() -> None:
    counters = Counters()
    counters.send("a", 10, 1_000, start=3)
    counters.send("a", 20, 1_003, start=3)
    assert counters.last[3] == 10
    counters.send("a", 30, 1_009, start=3)
    assert counters.last[3] == 10


def test_resets_count_the_value_itself() -> None:
    """By a newer start time, or because the value fell."""
    counters = Counters()
    counters.send("a", 10, 100)
    assert counters.send("a", 20, 110) == 10
    assert counters.send("a", 30, 4) == 14
    assert counters.send("a", 40, 50, start=35) == 64
    assert counters.send("a", 50, 51, start=36) == 65, "a jittering start is no reset"


def test_what_is_sent_again_or_late_is_not_counted_again() -> None:
    counters = Counters()
    counters.send("a", 10, 100)
    assert counters.send("a", 20, 110) == 10
    assert counters.send("a", 20, 110) is None
    assert counters.send("a", 15, 105) is None
    assert counters.send("a", 30, 111) == 11


def test_the_total_never_goes_back_in_time() -> None:
    counters = Counters()
    counters.send("a", 10, 0)
    counters.send("b", 11, 0)
    assert counters.send("a", 100, 5) == 5
    assert counters.send("b", 90, 2) == 7
    assert counters.last[0] == 100


def test_integers_stay_exact_and_become_floats_when_they_do_not_fit() -> None:
    counters = Counters()
    big = 2**53 + 1
    counters.send("a", 10, 0)
    assert counters.send("a", 20, big) == big
    assert counters.send("a", 30, 2 * big) == 2 * big
    counters.send("b", 10, 0)
    assert counters.send("b", 40, 2**63 - 1) == pytest.approx(2.0**63 + 2.0**54)
    assert not counters.last[2] & FLAG_INT


def test_floats_and_integers_add_up() -> None:
    counters = Counters()
    counters.send("a", 10, 0.5)
    counters.send("b", 10, 7)
    assert counters.send("a", 20, 1.0) == 0.5
    assert counters.send("b", 20, 9) == 2.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_does_not_spoil_the_total(value: float) -> None:
    counters = Counters()
    counters.send("a", 10, 1.0)
    assert counters.send("a", 20, value) is None
    assert counters.send("a", 30, 4.0) == 3.0


def test_a_stale_mark_of_one_source_is_not_passed_on() -> None:
    counters = Counters()
    counters.send("a", 10, 1)
    assert counters.send("a", 20, 0, flags=FLAG_STALE) is None
    assert counters.send("a", 30, 4) == 3
    gauges = Counters(kind=1, temporality=0, monotonic=0)
    assert gauges.send("a", 10, 1) == 1
    assert gauges.send("a", 20, 0, flags=FLAG_STALE) is None


def test_sums_that_may_fall_are_the_sum_of_what_was_said_last() -> None:
    counters = Counters(monotonic=0)
    assert counters.send("a", 10, 100) == 100
    assert counters.send("b", 11, -30) == 70
    assert counters.send("a", 20, 40) == 10
    assert counters.send("b", 21, 5, start=20) == 45


def test_of_gauges_the_last_one_wins() -> None:
    gauges = Counters(kind=1, temporality=0, monotonic=0)
    assert [gauges.send(user, 10, value) for user, value in (("a", 3.5), ("b", 9.0))] == [3.5, 9.0]
    assert gauges.index.counts["baseline_points"] == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 50), st.booleans()), min_size=1, max_size=60
    )
)
@settings(max_examples=60, deadline=None)
def test_the_total_is_what_the_sources_gained(steps: list[tuple[int, int, bool]]) -> None:
    """Sources grow and restart at random; the total is the sum of gains since each baseline."""
    counters = Counters()
    value: dict[int, int] = {}
    start: dict[int, int] = {}
    gained = 0
    for time, (user, by, restart) in enumerate(steps, start=10):
        if restart and user in value:
            value[user], start[user] = 0, time
        seen = user in value
        value[user] = value.get(user, 1_000) + by
        total = counters.send(user, time, value[user], start=start.get(user, 1))
        if seen:
            gained += by
            assert total == gained
        else:
            assert total is None


def test_at_most_65536_sources_are_remembered_and_memory_follows_their_number() -> None:
    counters = Counters()
    number, _ = add(counters.index, {"user": 0}, **COUNTER)
    choose = random.Random(5)
    sources = [choose.getrandbits(64) for _ in range(66_000)]
    before = counters.index.memory

    def send(time: int, some: list[int]) -> int:
        stored = 0
        for source in some:
            found = counters.index.observe(
                number, source, time=time, value=time, flags=FLAG_INT, start=1
            )
            stored += found is not None
        return stored

    send(1, sources[:20])
    assert counters.index.memory - before < 10_000
    assert send(2, sources[20:]) == 0
    assert send(3, sources) == 65_536
    assert counters.index.counts["baseline_points"] == 66_000 + (66_000 - 65_536)


# ---- histograms ----------------------------------------------------------------------------------


def histogram(counts: list[int], bounds: tuple[float, ...], total: float) -> list[int]:
    row = [bits(total), bits(1.0), bits(2.0), *counts]
    return [len(bounds) | len(row) << 16, *map(bits, bounds), *row]


def exponential(
    counts: list[int], offset: int, total: float, scale: int = 3, zero: int = 0
) -> list[int]:
    row = [bits(total), bits(1.0), bits(2.0), zero, bits(0.0), *counts]
    layout = [scale & 0xFFFF_FFFF | len(counts) << 32, offset & 0xFFFF_FFFF]
    return [len(layout) | len(row) << 16, *layout, *row]


class Histograms:
    def __init__(self, kind: int) -> None:
        self.index = full()
        self.kind = {"kind": kind, "temporality": CUMULATIVE}

    def send(
        self,
        user: str,
        time: int,
        count: int,
        words: list[int],
        flags: int = FLAG_SUM | FLAG_MIN | FLAG_MAX,
    ) -> Any:
        number, source = add(self.index, {"user": user}, **self.kind)
        assert source is not None
        found = self.index.observe(
            number, source, time=time, value=count, start=1, flags=flags, payload=words
        )
        if found is None:
            return None
        _, count, flags, _, words = found
        layout, row = words[0] & 0xFFFF, words[0] >> 16 & 0xFFFF
        values = words[1 + layout : 1 + layout + row]
        assert values[1:3] == [0, 0]
        assert not flags & (FLAG_MIN | FLAG_MAX)
        return count, from_bits(values[0]) if flags & FLAG_SUM else None, values[3:]


def test_histograms_add_up_by_bucket() -> None:
    many = Histograms(HISTOGRAM)
    bounds = (1.0, 2.0)
    assert many.send("a", 10, 6, histogram([1, 2, 3], bounds, 9.0)) is None
    assert many.send("b", 10, 1, histogram([0, 0, 1], bounds, 5.0)) is None
    assert many.send("a", 20, 8, histogram([2, 2, 4], bounds, 12.5)) == (2, 3.5, [1, 0, 1])
    assert many.send("b", 20, 4, histogram([3, 0, 1], bounds, 6.5)) == (5, 5.0, [4, 0, 1])


def test_a_histogram_whose_count_or_bucket_falls_has_begun_anew() -> None:
    many = Histograms(HISTOGRAM)
    bounds = (1.0,)
    many.send("a", 10, 5, histogram([5, 0], bounds, 1.0))
    assert many.send("a", 20, 2, histogram([1, 1], bounds, 4.0)) == (2, 4.0, [1, 1])
    assert many.send("a", 30, 4, histogram([4, 0], bounds, 5.0)) == (6, 9.0, [5, 1])


def test_other_bounds_are_a_baseline_again() -> None:
    many = Histograms(HISTOGRAM)
    many.send("a", 10, 5, histogram([5, 0], (1.0,), 1.0))
    assert many.send("a", 20, 7, histogram([7, 0], (1.0,), 2.0)) == (2, 1.0, [2, 0])
    assert many.send("a", 30, 9, histogram([9, 0, 0], (1.0, 2.0), 3.0)) is None
    assert many.send("a", 40, 10, histogram([10, 0, 0], (1.0, 2.0), 3.5)) == (1, 0.5, [1, 0, 0])


def test_the_sum_is_known_only_while_every_source_has_one() -> None:
    many = Histograms(HISTOGRAM)
    many.send("a", 10, 1, histogram([1], (), 1.0))
    many.send("b", 10, 1, histogram([1], (), 0.0), flags=0)
    assert many.send("a", 20, 2, histogram([2], (), 3.0)) == (1, 2.0, [1])
    assert many.send("b", 20, 2, histogram([2], (), 0.0), flags=0) == (2, None, [2])
    assert many.send("a", 30, 3, histogram([3], (), 4.0)) == (3, None, [3])


def test_exponential_histograms_add_up_where_their_buckets_agree() -> None:
    many = Histograms(EXPONENTIAL)
    many.send("a", 10, 3, exponential([1, 2], -1, 3.0))
    many.send("b", 10, 4, exponential([1, 2], -1, 3.0, zero=1))
    assert many.send("a", 20, 5, exponential([2, 3], -1, 5.0)) == (2, 2.0, [0, 0, 1, 1])
    assert many.send("b", 20, 7, exponential([2, 2], -1, 4.0, zero=3)) == (5, 3.0, [2, 0, 2, 1])
    assert many.send("a", 30, 7, exponential([2, 3, 2], -1, 6.0)) is None, "other buckets"
    assert many.index.counts["baseline_points"] == 3


def test_without_memory_a_source_is_as_before() -> None:
    for n in range(1, 6):
        counters = Counters()
        counters.send("a", 10, 100)
        number, source = add(counters.index, {"user": "a"}, **COUNTER)
        assert source is not None
        counters.index.fail_allocation(n)
        try:
            found = counters.index.observe(
                number, source, time=20, value=107, flags=FLAG_INT, start=1
            )
        except MemoryError:
            counters.index.fail_allocation(0)
            found = counters.index.observe(
                number, source, time=20, value=107, flags=FLAG_INT, start=1
            )
        counters.index.fail_allocation(0)
        assert found is not None
        assert found[1] == 7, f"allocation {n}"
