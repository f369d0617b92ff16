"""Frames of HTTP/2 (RFC 9113), written and read one by one: what no client library would send."""

import socket
from typing import NamedTuple

from helpers.served import EXPORT

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
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
