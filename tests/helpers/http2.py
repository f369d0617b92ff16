"""Frames of HTTP/2 (RFC 9113), written and read one by one: what no client library would send."""

import socket
import struct
from contextlib import suppress
from typing import NamedTuple

from helpers.served import EXPORT

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4  # a setting
SETTINGS_TIMEOUT, REFUSED_STREAM, ENHANCE_YOUR_CALM = 4, 7, 11


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def error(self) -> int:
        """The error code of a RST_STREAM or a GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == RST_STREAM else self.payload[4:8])


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def frames(received: bytes) -> list[Frame]:
    """The whole frames in what was received."""
    found, at = [], 0
    while (end := at + 9 + int.from_bytes(received[at : at + 3])) <= len(received) and at < end - 8:
        head = received[at : at + 9]
        found.append(Frame(head[3], head[4], int.from_bytes(head[5:]), received[at + 9 : end]))
        at = end
    return found


def literal(name: bytes, value: bytes) -> bytes:
    """A header that is not indexed (RFC 7541, 6.2.2); both shorter than 127 bytes."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


#: The begin of a connection, with and without the client's agreement to the server's settings.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)
AGREED = HELLO + frame(SETTINGS, ACK)
#: The headers of an export: POST, http, and the rest in words.
EXPORT_HEADERS = (
    b"\x83\x86"
    + literal(b":path", EXPORT.encode())
    + literal(b":authority", b"localhost")
    + literal(b"content-type", b"application/grpc")
    + literal(b"te", b"trailers")
)
#: An export request of no bytes, as gRPC frames it.
EMPTY_MESSAGE = bytes(5)


def exchange(address, sent: bytes, until=lambda received: False) -> tuple[list[Frame], bool]:
    """What is answered, until it is enough or the server hangs up; and whether it did."""
    with socket.create_connection(address, timeout=10) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while not until(frames(received)):
                piece = connection.recv(1 << 20)
                if not piece:
                    return frames(received), True
                received += piece
        except ConnectionError:
            return frames(received), True
        return frames(received), False


class HalfCall:
    """A call that sends `size` bytes of a longer message, and then stops."""

    def __init__(self, connection: socket.socket, size: int) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._unsent = bytearray(HELLO + frame(HEADERS, END_HEADERS, 1, EXPORT_HEADERS))
        self._unread = b""
        self._message = b"\0" + (size + 1).to_bytes(4, "big") + bytes(11)
        self._windows = {0: 65_535, 1: 65_535}  # of the connection and of the stream
        self._initial = 65_535  # what a stream has at first; when that changes, all windows do
        self.left = size
        self.over = False

    def go_on(self, sending: bool) -> int:
        """Read what has come; send a frame of the message if there is room. How much was sent."""
        try:
            while not self.over:
                self._read(self._connection.recv(65_536))
        except BlockingIOError:
            pass
        except ConnectionError:
            self.over = True
        size = min(16_384, self.left, *self._windows.values())
        if sending and size > 0 and not self._unsent:
            self._unsent += frame(DATA, 0, 1, self._message.ljust(size, b"\0")[:size])
            self._message = b""
            self.left -= size
            self._windows = {stream: window - size for stream, window in self._windows.items()}
        else:
            size = 0
        with suppress(BlockingIOError, ConnectionError):
            del self._unsent[: self._connection.send(self._unsent)]
        return size

    def _read(self, piece: bytes) -> None:
        self._unread += piece
        found = frames(self._unread)
        self._unread = self._unread[sum(9 + len(each.payload) for each in found) :]
        for each in found:
            if each.kind == WINDOW_UPDATE:
                self._windows[each.stream] += int.from_bytes(each.payload)
            elif each.kind == SETTINGS and not each.flags & ACK:
                for at in range(0, len(each.payload), 6):
                    name, value = struct.unpack_from("!HI", each.payload, at)
                    if name == INITIAL_WINDOW_SIZE:
                        self._windows[1] += value - self._initial
                        self._initial = value
                self._unsent += frame(SETTINGS, ACK)
            elif each.kind == PING and not each.flags & ACK:
                self._unsent += frame(PING, ACK, 0, each.payload)
        self.over = not piece or any(each.kind == RST_STREAM for each in found)


def export(stream: int = 1, message: bytes = EMPTY_MESSAGE, flags: int = END_STREAM) -> bytes:
    """A call of Export on one stream."""
    return frame(HEADERS, END_HEADERS, stream, EXPORT_HEADERS) + frame(DATA, flags, stream, message)
