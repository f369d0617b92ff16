"""Each form of a stream is chosen where it is small, and read as the reference reads it."""

import numpy as np
import pytest
from helpers.columns import Column, decoded_words, reference_words, round_trip


def stream_tag(column: Column) -> int:
    """Of a column of integers without prediction, whose offset takes one byte."""
    data = round_trip(column)
    assert data[0] == 4 and data[1] & 23 == 0
    return data[3]


def test_rare_events_are_sparse() -> None:
    column = np.zeros(480, np.int64)
    column[[5, 100, 101, 400]] = 3, 2**40, 7, 1
    assert stream_tag(column) == 2


def test_few_numbers_far_apart_are_a_dictionary() -> None:
    column = np.random.default_rng(1).choice([0, 17, 65537, 1048576], 480)
    assert stream_tag(column) == 3


def test_numbers_that_crowd_are_binned() -> None:
    assert stream_tag(np.random.default_rng(1).poisson(3, 480)) >= 4


@pytest.mark.parametrize("entries", [0, 3, 33])
def test_a_dictionary_of_too_many_entries_is_refused(entries: int) -> None:
    """None, more than the stream has numbers, or more than there may be."""
    column = np.zeros(1, np.int64)
    data = bytes([4, 0, 0, 3, entries, 0, 0])
    assert decoded_words(column, data, 2) is None
    assert reference_words(column, data, 2) is None
    if entries == 3:
        assert decoded_words(column, data, 3) == [0, 0, 0]
