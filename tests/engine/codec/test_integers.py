"""Integer columns: what is said once, and what each prediction is for."""

import numpy as np
import pytest
from helpers.columns import INTS, TIMES, Column, decoded_words, reference_words, round_trip, shape


def test_times_are_written_like_ints() -> None:
    times = shape("schedule", 480)
    assert round_trip(times, TIMES) == round_trip(times, INTS)


def tag_and_flags(column: Column) -> tuple[int, int]:
    data = round_trip(column)
    return data[0], data[1]


def test_a_constant_and_a_line_need_no_stream() -> None:
    assert round_trip(np.full(480, 7)) == b"\x02\x0e"
    assert round_trip(np.arange(5, -475, -1))[0] == 3


@pytest.mark.parametrize(
    ("name", "predictions"),
    [
        ("small ints", {0}),
        ("drift", {1}),
        ("parabola", {2}),
        ("schedule", {7}),
        ("any ints", set()),
    ],
)
def test_predictions_follow_the_shape(name: str, predictions: set[int]) -> None:
    tag, flags = tag_and_flags(shape(name, 480))
    assert (tag == 4) == bool(predictions)
    assert tag == 0 or flags & 7 in predictions


def test_what_divides_all_differences_is_said_once() -> None:
    random = np.random.default_rng(3)
    steps = random.integers(0, 50, 480)
    tag, flags = tag_and_flags(11 + 4096 * steps)
    assert tag == 4 and flags & 16
    # Nearly as small as without the factor.
    assert len(round_trip(11 + 4096 * steps)) <= len(round_trip(steps)) + 8


@pytest.mark.parametrize("flags", [0x20, 0x06, 0x16])
def test_flags_that_do_not_fit_are_refused(flags: int) -> None:
    column = np.zeros(1, np.int64)
    data = bytes([4, flags]) + bytes(12)
    assert decoded_words(column, data, 2) is None
    assert reference_words(column, data, 2) is None
