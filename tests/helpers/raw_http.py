"""Requests over HTTP as bytes on a socket."""

import contextlib
import socket


def http(port: int, request: bytes, host: str = "127.0.0.1", finish: bool = True) -> bytes:
    """Send bytes, read until the server closes."""
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                answer += piece
        return answer


def post(body: bytes, *headers: str, path: str = "/v1/metrics") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
