"""Floods of HTTP/2 frames: rapid reset, settings, pings, windows of 0, headers without end."""

from collections import Counter

import pytest
from helpers.http2 import (
    AGREED,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    EXPORT_HEADERS,
    GOAWAY,
    HEADERS,
    HELLO,
    PING,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    exchange,
    export,
    frame,
)
from helpers.served import MIB

INVALID_ARGUMENT, DEADLINE_EXCEEDED, UNAVAILABLE = 3, 4, 14


def kinds(received):
    return Counter(found.kind for found in received)


def reset_codes(received):
    return {found.error for found in received if found.kind == RST_STREAM}


def test_rapid_reset(served):
    """20,000 calls that are taken back at once: most are refused before they are calls."""
    cancelled = b"\0\0\0\x08"
    flood = b"".join(
        frame(HEADERS, END_HEADERS, stream, EXPORT_HEADERS)
        + frame(RST_STREAM, 0, stream, cancelled)
        for stream in range(1, 40_001, 2)
    )
    with served.unharmed(32 * MIB):
        received, _ = exchange(
            served.grpc, AGREED + flood, lambda received: kinds(received)[RST_STREAM] >= 10_000
        )
        assert kinds(received)[RST_STREAM] >= 10_000
        assert reset_codes(received) <= {REFUSED_STREAM, ENHANCE_YOUR_CALM}


def test_a_flood_of_settings(served):
    """Each is acknowledged, once."""
    with served.unharmed(16 * MIB):
        received, _ = exchange(
            served.grpc,
            AGREED + frame(SETTINGS) * 20_000,
            lambda received: kinds(received)[SETTINGS] >= 20_002,
        )
        assert kinds(received)[SETTINGS] == 20_002
        assert kinds(received)[GOAWAY] == kinds(received)[RST_STREAM] == 0


def test_a_flood_of_pings(served):
    with served.unharmed(16 * MIB):
        received, closed = exchange(served.grpc, AGREED + frame(PING, payload=bytes(8)) * 20_000)
        (farewell,) = [found for found in received if found.kind == GOAWAY]
        assert closed and farewell.error == ENHANCE_YOUR_CALM
        assert farewell.payload.endswith(b"too_many_pings")


def test_a_window_of_0(served):
    """Calls whose answers the client does not take: so many a connection, the others are refused."""
    calls, most = 1_000, 128
    flood = b"".join(export(stream) for stream in range(1, 2 * calls + 1, 2))
    with served.unharmed(32 * MIB):
        received, _ = exchange(
            served.grpc,
            AGREED + frame(SETTINGS, payload=b"\0\4\0\0\0\0") + flood,
            lambda received: kinds(received)[RST_STREAM] + kinds(received)[HEADERS] >= calls,
        )
        assert kinds(received)[RST_STREAM] == calls - most
        assert reset_codes(received) == {REFUSED_STREAM}
        assert (kinds(received)[HEADERS], kinds(received)[DATA]) == (most, 0)


@pytest.mark.parametrize(
    ("hello", "most"),
    [(AGREED, 8 * MIB), (HELLO, 160 * MIB)],
    ids=["with agreement", "without agreement"],
)
def test_a_flood_of_continuation(served, hello, most):
    """Headers without end: the call is refused, and they are dropped as they come.

    Before the client has agreed to the settings of the server, that is after 16 MiB as HTTP/2 counts,
    where a header has 32 bytes more than it is long: half a million of these, 250 bytes each to gRPC.
    """
    piece = frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 1_000)
    flood = frame(HEADERS, 0, 1, EXPORT_HEADERS) + piece * 5_000
    with served.unharmed(most):
        received, _ = exchange(
            served.grpc,
            hello + flood + frame(CONTINUATION, END_HEADERS, 1),
            lambda received: kinds(received)[RST_STREAM] == 1,
        )
        (answer,) = [found for found in received if found.kind == HEADERS]
        assert answer.flags & END_STREAM
        assert b"grpc-status\x018" in answer.payload, "not RESOURCE_EXHAUSTED"
