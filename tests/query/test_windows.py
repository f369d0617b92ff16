"""docs/queries.md, "Windows": where they begin and end, and what has a row."""

from __future__ import annotations

from helpers.memory_reader import MemoryReader
from helpers.questions import S, T, ask, counter, gauge, only, rows

from urpo_store.model import Aggregation


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    reader = MemoryReader()
    reader.add(gauge((0, 1), (0.000000001, 2), (10, 4), (10.000000001, 8), (20, 16)))
    answer = ask(reader, Aggregation.AVG, end=T + 20 * S)
    assert only(answer) == [(10, 3.0), (20, 12.0)]


def test_instants_begin_at_start_and_none_is_later_than_end() -> None:
    reader = MemoryReader()
    reader.add(gauge(*((t, t) for t in range(0, 100))))
    answer = ask(reader, Aggregation.LAST, start=T + 7 * S, end=T + 36 * S)
    assert only(answer) == [(7, 7), (17, 17), (27, 27)]
    assert answer[0].start_timestamps.tolist() == [T - 3 * S, T + 7 * S, T + 17 * S]


def test_a_window_without_points_gives_no_row() -> None:
    reader = MemoryReader()
    reader.add(gauge((5, 1), (55, 2)))
    assert only(ask(reader, Aggregation.LAST)) == [(10, 1), (60, 2)]
    assert ask(reader, Aggregation.LAST, start=T + 1000 * S, end=T + 2000 * S) == []


def test_windows_far_apart_are_found_by_division() -> None:
    reader = MemoryReader()
    reader.add(gauge((1, 1), (9, 2), (11, 3), (9_990, 4), (9_991, 5)))
    answer = ask(reader, Aggregation.COUNT, end=T + 10_000 * S)
    assert only(answer) == [(10, 2), (20, 1), (9_990, 1), (10_000, 1)]


def test_last_without_step_is_the_last_point_of_the_range() -> None:
    reader = MemoryReader()
    reader.add(counter((5, 1), (25, 2), (70, 3), start=T))
    (series,) = ask(reader, Aggregation.LAST, step=None)
    assert rows(series) == [(25, 2)]
    assert series.start_timestamps.tolist() == [T]


def test_last_without_step_of_a_group_stands_at_its_newest_point() -> None:
    reader = MemoryReader()
    reader.add(counter((15, 1), (25, 2)), attributes={"i": 1})
    reader.add(counter((17, 10)), attributes={"i": 2})
    (series,) = ask(reader, Aggregation.LAST, step=None, by=())
    assert rows(series) == [(25, 12)]
