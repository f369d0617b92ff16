"""The hot ring: every published point is found once, as it was written, until it is drained."""

import pytest
from drivers.ring import HotRing
from helpers.slots import SERIES_START, SLOT, RingPoint, encode_claim, slots_in
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

EVERYTHING = 1 << 40


def publish(ring: HotRing, *points: RingPoint) -> int:
    claim = encode_claim(list(points))
    position = ring.claim(slots_in(claim))
    assert position is not None
    ring.publish(position, claim)
    return position


def drain(ring: HotRing, limit: int = EVERYTHING) -> list[RingPoint]:
    """As the engine drains: plain reads up to a boundary, then the tail."""
    points = []
    at, end = ring.tail, ring.committed(limit)
    start = None
    while at < end:
        time, value, series, payload, back, flags = SLOT.unpack(ring.slot(at))
        if series == SERIES_START:
            start = time
            at += 1
            continue
        assert start is not None, "the drain stopped between a START slot and its point"
        assert SLOT.unpack(ring.slot(at - back))[0] == start
        words = tuple(ring.payload(at, payload))
        points.append(RingPoint(series, time, value, start, flags, words))
        at += 1 + (payload + 3) // 4
    assert at == end
    ring.release(end)
    return points


def collect(ring: HotRing, wanted: int | dict[int, int]) -> list[RingPoint]:
    return [
        RingPoint(series, time, value, start, flags, words)
        for _, time, value, series, start, flags, _, words in ring.collect(wanted)
    ]


def numbered(count: int, series: int = 1, first: int = 0) -> list[RingPoint]:
    return [RingPoint(series, first + i, (first + i) ^ 0xABCDEF, 7) for i in range(count)]


def test_a_point_is_found_as_it_was_written() -> None:
    ring = HotRing(1024)
    point = RingPoint(5, -3, 2**64 - 1, start=-9, flags=0x0F000001, words=(1, 2**64 - 2, 3, 4, 5))
    publish(ring, point)
    assert collect(ring, 5) == collect(ring, {5: 1}) == [point]
    assert drain(ring) == [point]
    assert collect(ring, 5) == collect(ring, {5: 1}) == []


def test_each_point_has_the_start_time_of_the_nearest_start_slot() -> None:
    ring = HotRing(1024)
    points = [RingPoint(1, t, t, start=t // 3, words=(t,) * (t % 6)) for t in range(30)]
    publish(ring, *points)
    publish(ring, RingPoint(1, 30, 30, start=99))
    assert [p.start for p in collect(ring, 1)] == [t // 3 for t in range(30)] + [99]


def test_only_wanted_series_are_copied_and_marked_with_their_number() -> None:
    ring = HotRing(1024)
    publish(ring, *(RingPoint(series, series, 0) for series in (1, 2, 3, 4, 2)))
    found = ring.collect({2: 20, 3: 0, 4: 40})
    assert [(copy[3], copy[6]) for copy in found] == [(2, 20), (4, 40), (2, 20)]
    assert [copy[6] for copy in ring.collect(2)] == [1, 1]
    assert ring.collect({}) == []
    assert ring.collect({1_000_000: 1}) == []


def test_positions_ascend_and_are_those_of_the_claim() -> None:
    ring = HotRing(1024)
    first = publish(ring, *numbered(3))
    second = publish(ring, *numbered(2))
    assert [copy[0] for copy in ring.collect(1)] == [
        *(first + 1 + i for i in range(3)),
        *(second + 1 + i for i in range(2)),
    ]


def test_a_full_ring_has_no_room_until_the_drain_has_passed() -> None:
    ring = HotRing(1024)
    publish(ring, *numbered(511))
    publish(ring, *numbered(510))
    assert ring.used == 1023
    assert ring.claim(2) is None
    assert ring.claim(1) == 1023
    assert ring.claim(1) is None
    # The last slot is claimed and not published: the drain passes what is before it.
    assert len(drain(ring)) == 1021
    assert ring.used == 1
    assert ring.claim(512) == 1024


def test_a_point_behind_a_hole_is_found_but_not_drained() -> None:
    ring = HotRing(1024)
    early = encode_claim(numbered(2, 1))
    hole = ring.claim(slots_in(early))
    assert hole is not None
    publish(ring, *numbered(2, 2))
    assert collect(ring, {1: 1, 2: 1}) == collect(ring, 2) == numbered(2, 2)
    assert drain(ring) == []
    ring.publish(hole, early)
    assert collect(ring, {1: 1, 2: 1}) == numbered(2, 1) + numbered(2, 2)
    assert drain(ring) == numbered(2, 1) + numbered(2, 2)


def test_a_claimed_slot_does_not_show_the_point_of_the_lap_before() -> None:
    ring = HotRing(1024)
    for _ in range(3):
        publish(ring, *numbered(511))
        publish(ring, *numbered(511))
        drain(ring)
        hole = ring.claim(512)
        assert hole is not None
        assert collect(ring, 1) == collect(ring, {1: 1}) == []
        assert ring.committed(EVERYTHING) == hole
        ring.publish(hole, encode_claim(numbered(511)))
        assert collect(ring, 1) == collect(ring, {1: 1}) == numbered(511)
        drain(ring)


@pytest.mark.parametrize("before_end", range(1, 9))
def test_a_point_whose_payload_lies_around_the_end_of_the_array(before_end: int) -> None:
    ring = HotRing(1024)
    publish(ring, *numbered(511))
    drain(ring)
    publish(ring, *numbered(511 - before_end))
    drain(ring)
    assert ring.tail == 1024 - before_end
    point = RingPoint(9, 1, 2, start=3, words=tuple(range(100, 121)))
    after = RingPoint(9, 2, 3, start=3)
    publish(ring, point, after)
    assert collect(ring, 9) == collect(ring, {9: 1}) == [point, after]
    assert drain(ring) == [point, after]


def test_payload_that_looks_like_slots_is_only_payload() -> None:
    ring = HotRing(1024)
    # Each EXT slot has these numbers where a slot has series and payload, start and flags.
    looks_like_start = (0, 0, SERIES_START | 1 << 32, 0)
    looks_like_point = (5, 5, 1 | 8 << 32, 1)
    looks_like_ext = (5, 5, 0xFFFFFFFF, 1)
    points = [
        RingPoint(1, 1, 1, 4, words=looks_like_start * 3),
        RingPoint(1, 2, 2, 4, words=looks_like_point * 3),
        RingPoint(1, 3, 3, 4, words=looks_like_ext * 3),
    ]
    publish(ring, *points)
    assert collect(ring, 1) == collect(ring, {1: 1}) == points
    assert drain(ring, limit=1) == points


def test_the_drain_stops_at_boundaries_only() -> None:
    ring = HotRing(1024)
    # 5 points of 1 + 2 slots and a START slot: boundaries at multiples of 16.
    for n in range(6):
        publish(ring, *(RingPoint(1, n, i, start=n, words=(0,) * 8) for i in range(5)))
    assert ring.committed(0) == 0
    for limit in range(1, 100):
        assert ring.committed(limit) == min(-(-limit // 16) * 16, 96)
    assert [p.time for p in drain(ring, limit=20)] == [0] * 5 + [1] * 5
    assert [p.time for p in drain(ring)] == [2] * 5 + [3] * 5 + [4] * 5 + [5] * 5


def test_the_drain_may_stop_inside_a_claim_at_a_start_slot() -> None:
    ring = HotRing(1024)
    publish(ring, *(RingPoint(1, t, t, start=t) for t in range(10)))
    assert drain(ring, limit=3) == [RingPoint(1, t, t, start=t) for t in range(2)]
    assert collect(ring, 1) == [RingPoint(1, t, t, start=t) for t in range(2, 10)]


def test_laps_may_run_over() -> None:
    lap = 1024
    ring = HotRing(lap, first=(2**32 - 3) * lap)
    for turn in range(5 * 4):
        points = numbered(255, first=turn)
        publish(ring, *points)
        assert collect(ring, 1) == collect(ring, {1: 1}) == points
        if turn % 4 == 3:
            assert ring.tail % lap == 3 * 256
        assert drain(ring) == points
        assert collect(ring, 1) == collect(ring, {1: 1}) == []


def test_without_memory_there_is_no_ring() -> None:
    for fail_at in (1, 2):
        with pytest.raises(MemoryError):
            HotRing(1024, fail_at=fail_at)
    HotRing(1024, fail_at=3)


@pytest.mark.parametrize("fail_at", range(3, 9))
def test_without_memory_a_reader_fails_and_the_ring_stays(fail_at: int) -> None:
    ring = HotRing(1024, fail_at=fail_at)
    points = [RingPoint(1, i, i, 0, words=tuple(range(i))) for i in range(12)]
    publish(ring, *points)
    before = ring.bytes
    for _ in range(10):
        try:
            found = collect(ring, 1)
        except MemoryError:
            break
        assert found == points
    else:
        pytest.fail("no allocation failed")
    assert ring.bytes == before
    assert collect(ring, 1) == points


def test_arguments_are_checked() -> None:
    for capacity in (0, 1000):
        with pytest.raises(ValueError, match=f"capacity is {capacity}"):
            HotRing(capacity)
    with pytest.raises(ValueError, match="first is 5"):
        HotRing(1024, first=5)


points_of_a_claim = st.lists(
    st.builds(
        RingPoint,
        series=st.integers(1, 6),
        time=st.integers(-(2**63), 2**63 - 1),
        value=st.integers(0, 2**64 - 1),
        start=st.integers(0, 2),
        flags=st.integers(0, 2**32 - 1),
        words=st.lists(st.integers(0, 2**64 - 1), max_size=18).map(tuple),
    ),
    min_size=1,
    max_size=12,
)


class RingModel(RuleBasedStateMachine):
    """Against a list of claims: open, published or drained, in the order of their positions."""

    @initialize(first=st.sampled_from([0, 2**32 - 2, 12345]))
    def begin(self, first):
        self.ring = HotRing(64, first=first * 64)
        self.claims = []  # position, points, bytes, published

    @rule(points=points_of_a_claim)
    def claim(self, points):
        data = encode_claim(points)
        if slots_in(data) > 32:
            return
        position = self.ring.claim(slots_in(data))
        assert (position is None) == (self.used_before + slots_in(data) > 64)
        if position is not None:
            self.claims.append([position, points, data, False])

    @precondition(lambda self: any(not claim[3] for claim in self.claims))
    @rule(pick=st.randoms(use_true_random=False))
    def publish(self, pick):
        claim = pick.choice([claim for claim in self.claims if not claim[3]])
        self.ring.publish(claim[0], claim[2])
        claim[3] = True

    @rule(limit=st.integers(0, 40))
    def drain(self, limit):
        expected = []
        for claim in self.claims:
            if not claim[3]:
                break
            expected += claim[1]
        drained = drain(self.ring, limit)
        assert drained == expected[: len(drained)]
        if limit > 0:
            assert bool(drained) == bool(expected)
        if len(drained) < len(expected):
            assert limit < 64
        left = len(drained)
        while left or (self.claims and not self.claims[0][1]):
            taken = min(left, len(self.claims[0][1]))
            del self.claims[0][1][:taken]
            left -= taken
            if not self.claims[0][1]:
                del self.claims[0]

    @invariant()
    def finds_what_is_published(self):
        self.used_before = self.ring.used
        visible = [point for claim in self.claims if claim[3] for point in claim[1]]
        for series in range(1, 7):
            assert collect(self.ring, series) == [p for p in visible if p.series == series]
        wanted = {1: 3, 2: 0, 3: 1, 6: 2}
        assert collect(self.ring, wanted) == [p for p in visible if wanted.get(p.series)]


RingModel.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
test_as_the_model_says = RingModel.TestCase
