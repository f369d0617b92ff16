"""Inflating with a cap."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urpo_store.errors import DecodeError
from urpo_store.receiver.decompress import TooLargeError, decompress


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.data())
def test_gzip_members_are_joined_and_cuts_are_errors(
    parts: list[bytes], data: st.DataObject
) -> None:
    body = b"".join(gzip.compress(part) for part in parts)
    assert decompress(body, "gzip", 10_000) == b"".join(parts)
    ends = {len(b"".join(gzip.compress(part) for part in parts[:n])) for n in range(len(parts) + 1)}
    cut = data.draw(st.integers(0, len(body) - 1).filter(lambda at: at not in ends))
    with pytest.raises(DecodeError):
        decompress(body[:cut], "gzip", 10_000)


@pytest.mark.parametrize("size", [999, 1000, 1001])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_the_limit_is_exact(encoding: str, size: int) -> None:
    body = (gzip if encoding == "gzip" else zlib).compress(bytes(size))
    if size <= 1000:
        assert decompress(body, encoding, 1000) == bytes(size)
    else:
        with pytest.raises(TooLargeError):
            decompress(body, encoding, 1000)


def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            decompress(bomb, "gzip", 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_the_number_of_members_is_limited() -> None:
    """Each costs zlib a set-up, and a body may hold millions of empty ones."""
    assert decompress(gzip.compress(b"") * 10_000, "gzip", 10) == b""
    with pytest.raises(DecodeError, match="more than 10000 members"):
        decompress(gzip.compress(b"") * 10_001, "gzip", 10)


@pytest.mark.parametrize("level", [0, 9])
def test_a_large_body_takes_linear_time(level: int) -> None:
    """What zlib leaves over (all of stored data, at first) is not copied each time."""
    data = bytes(range(256)) * (16 << 12)
    assert decompress(gzip.compress(data, level), "gzip", len(data)) == data
