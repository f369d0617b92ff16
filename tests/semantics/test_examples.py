"""The rules on histories that are small enough to check by hand."""

from fractions import Fraction

import pytest

from semantics.points import MINUTE, SECOND, Counts, Heard, Identity, Opening, Point
from semantics.streams import MOST, Role, place
from semantics.told import told_by
from semantics.windows import Range, increase, rate

T = 1_700_000_000 * SECOND
ORDERS = Identity("shop", "orders")
ALWAYS = [Opening(T - 3600 * SECOND)]


def points(series, start, values):
    """From (seconds after T, value); `start` in seconds after T, None: unknown."""
    begin = 0 if start is None else T + start * SECOND
    return [Point(series, T + int(at * SECOND), begin, value) for at, value in values]


def heard(*parts, openings=ALWAYS):
    store = Heard(list(openings))
    for part in parts:
        store.add(part)
    return store


def roles(found):
    return [placed.role for placed in place(sorted(found, key=lambda point: point.time))]


def told(store, series=ORDERS, window=0):
    return [
        (each.increase, None if each.begin is None else (each.begin - T) // SECOND)
        for each in told_by(store, series, T + window * SECOND)
    ]


def seconds(rows):
    return {(t - T) // SECOND: value for t, value in rows.items()}


def asked(start, end, step):
    return Range(T + start * SECOND, T + end * SECOND, step * SECOND)


# ---- streams


def test_a_point_continues_the_stream_with_its_start():
    one = points(ORDERS, -100, [(0, 50), (10, 51)])
    two = points(ORDERS, -200, [(5, 10), (15, 12)])
    found = place(sorted(one + two, key=lambda point: point.time))
    assert [placed.stream for placed in found] == [0, 1, 0, 1]
    assert [placed.predecessor and placed.predecessor.value for placed in found] == [
        None,
        None,
        50,
        10,
    ]


def test_starts_that_differ_by_a_tenth_of_a_second_are_one_stream():
    first = Point(ORDERS, T, T - SECOND, 1)
    second = Point(ORDERS, T + SECOND, T - SECOND + SECOND // 10, 2)
    third = Point(ORDERS, T + 2 * SECOND, T - SECOND + 2 * (SECOND // 10), 3)
    assert roles([first, second, third]) == [Role.FIRST, Role.CONTINUES, Role.CONTINUES]
    far = Point(ORDERS, T + SECOND, T - SECOND + SECOND // 10 + 1, 2)
    assert roles([first, far]) == [Role.FIRST, Role.FIRST]


def test_one_start_and_two_writers_are_told_apart_by_their_totals():
    both = points(ORDERS, -9, [(0, 100), (1, 7), (2, 101), (3, 9), (4, 105), (5, 9)])
    found = place(both)
    assert [placed.stream for placed in found] == [0, 1, 0, 1, 0, 1]


def test_a_later_start_is_a_reset_and_so_is_an_unknown_one():
    first = points(ORDERS, -9, [(0, 100)])
    assert roles(first + points(ORDERS, 5, [(10, 3)])) == [Role.FIRST, Role.RESET]
    assert roles(points(ORDERS, None, [(0, 100), (10, 3)])) == [Role.FIRST, Role.RESET]


def test_a_histogram_continues_only_where_no_bucket_falls():
    series = Identity("shop", "latency")
    found = points(series, -9, [(0, Counts(5, (3, 2))), (1, Counts(6, (2, 4)))])
    assert roles(found) == [Role.FIRST, Role.FIRST]


def test_a_stream_loses_its_place_to_another_after_five_minutes():
    many = [Point(ORDERS, T + n, T - (n + 1) * SECOND, 1) for n in range(MOST)]
    late = Point(ORDERS, T + 5 * MINUTE, T - 100 * SECOND, 1)
    assert roles([*many, late])[-1] is Role.NO_PLACE
    later = Point(ORDERS, T + 5 * MINUTE + 1, T - 100 * SECOND, 1)
    back = Point(ORDERS, T + 11 * MINUTE, T - SECOND, 9)  # the first one, which was silent longest
    assert roles([*many, later, back])[-2:] == [Role.FIRST, Role.RETURNED]


# ---- first points


def test_a_first_point_counts_if_the_store_was_open_at_its_start():
    assert told(heard(points(ORDERS, -60, [(0, 5), (10, 7)]))) == [(5, -60), (2, 0)]


def test_a_viewer_that_is_started_later_shows_no_spike():
    store = heard(points(ORDERS, -60, [(0, 500), (10, 510)]), openings=[Opening(T - 30 * SECOND)])
    assert told(store) == [(10, 0)]
    assert told(store, window=-60) == [(500, -60), (10, 0)]  # (d): a longer range counts it


def test_the_store_must_have_been_open_since():
    times = [Opening(T - 90 * SECOND, T - 50 * SECOND), Opening(T - 30 * SECOND)]
    assert told(heard(points(ORDERS, -60, [(0, 500)]), openings=times)) == []


def test_a_service_without_a_name_has_no_first_point_that_counts_for_that():
    unknown = Identity("unknown_service:python", "orders")
    assert told(heard(points(unknown, -60, [(0, 5)])), unknown) == []


def test_a_replay_counts_what_began_after_the_service_was_first_heard():
    other = Identity("shop", "visits")
    later = [Opening(T + 3600 * SECOND)]
    replay = heard(points(other, -100, [(-60, 1)]), points(ORDERS, -60, [(0, 5)]), openings=later)
    assert told(replay) == [(5, -60)]
    assert told(replay, other) == []


def test_a_set_that_is_new_beside_others_of_its_start_counts():
    usual = Identity("shop", "orders", "ok")
    failed = Identity("shop", "orders", "failed")
    late_viewer = [Opening(T - 5 * SECOND)]
    store = heard(
        points(usual, -600, [(0, 900), (10, 910)]),
        points(failed, -600, [(10, 1), (20, 3)]),
        openings=late_viewer,
    )
    assert told(store, usual) == [(10, 0)]
    assert told(store, failed) == [(1, 0), (2, 10)]


def test_what_was_given_up_is_not_counted_again():
    store = heard(points(ORDERS, -60, [(0, 500), (10, 510)]))
    store.given_up[ORDERS] = T - 30 * SECOND
    assert told(store) == [(10, 0)]


def test_a_first_point_without_a_start_is_a_baseline():
    assert told(heard(points(ORDERS, None, [(0, 5), (10, 7)]))) == [(2, 0)]


# ---- deltas


def test_a_delta_covers_the_time_since_its_start_or_since_the_last_one_of_that_start():
    series = Identity("shop", "orders", delta=True)
    moving = [Point(series, T + n * SECOND, T + (n - 1) * SECOND, n) for n in range(1, 4)]
    assert told(heard(moving), series) == [(1, 0), (2, 1), (3, 2)]
    constant = points(series, -10, [(0, 4), (5, 2)])
    assert told(heard(constant), series) == [(4, -10), (2, 0)]
    assert told(heard(points(series, None, [(0, 4)])), series) == [(4, None)]


# ---- windows


def test_increase_is_what_was_told_in_the_window():
    store = heard(points(ORDERS, -60, [(0, 60), (10, 80), (30, 90)]))
    assert seconds(increase(store, [ORDERS], asked(0, 40, 10))) == {0: 60, 10: 20, 30: 10}


@pytest.mark.parametrize("every", [1, 4, 5, 7, 10, 15, 20, 30, 60])
@pytest.mark.parametrize("step", [1, 7, 10, 60, 90, 600])
def test_a_constant_rate_is_flat_at_any_export_interval_and_step(every, step):
    store = heard(points(ORDERS, 0, [(at, 10 * at) for at in range(every, 1801, every)]))
    start = step * -(-every // step)
    found = rate(store, [ORDERS], asked(start + step, 1800, step))
    assert set(found.values()) == {10}


def test_the_live_edge_goes_on_for_one_cover_and_ends_where_the_service_is_newer():
    store = heard(points(ORDERS, 0, [(60, 600), (120, 1200)]))
    found = seconds(rate(store, [ORDERS], asked(130, 130, 20)))
    assert found == {130: 10}  # half of the window is told, the other half goes on
    assert rate(store, [ORDERS], asked(150, 150, 20)) == {}  # no cover meets it
    newer = points(Identity("shop", "visits"), 0, [(181, 1)])
    store.add(newer)
    assert seconds(rate(store, [ORDERS], asked(130, 130, 20))) == {130: 5}


def test_two_processes_of_one_identity_add_up():
    one = points(ORDERS, -3600, [(at, 36_000 + at) for at in range(0, 121, 10)])
    two = points(ORDERS, -1800, [(at, 9_000 + at) for at in range(5, 121, 10)])
    store = heard(one, two, openings=[Opening(T - SECOND)])
    found = seconds(rate(store, [ORDERS], asked(60, 110, 10)))
    assert set(found.values()) == {Fraction(2)}


def test_a_cover_that_is_longer_than_an_hour_is_not_spread_back_over_the_end():
    for next_one, found in ((3660, Fraction(1)), (3661, Fraction(5, 6))):
        store = heard(points(ORDERS, 0, [(50, 50), (next_one, next_one)]))
        assert seconds(rate(store, [ORDERS], asked(60, 60, 60))) == {60: found}
