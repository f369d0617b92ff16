"""What the client says when nobody, or somebody else, answers."""

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from urpo_store import errors
from urpo_store.api.client import HttpStorage


def test_nothing_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(errors.UnreachableError, match=f"Nothing listens at {url}.*serve"):
            HttpStorage(url).stats()


def test_an_unknown_host() -> None:
    with pytest.raises(errors.UnreachableError, match=r"not known|cannot be reached"):
        HttpStorage("http://does-not-exist.invalid:1").stats()


def one_answer(answer: bytes) -> Iterator[str]:
    """The URL of a server that says `answer` to everyone, or nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.recv(1)

        thread = threading.Thread(target=talk)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "not as an urpo-store does"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "status 404"),
        (b"\x00\x00\x04\x00\n", "with no HTTP"),
    ],
)
def test_something_else_listens(answer: bytes, words: str) -> None:
    for url in one_answer(answer):
        with (
            HttpStorage(url, timeout=10) as client,
            pytest.raises(errors.UnreachableError, match=words),
        ):
            client.stats()


def test_a_server_that_says_nothing() -> None:
    for url in one_answer(b""):
        with (
            HttpStorage(url, timeout=0.05) as client,
            pytest.raises(errors.UnreachableError, match=r"within 0\.05 s"),
        ):
            client.stats()


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:4318", "ftp://host", "http://", "http://h:port", "http://u:p@h", "http://h?q"],
)
def test_wrong_urls(url: str) -> None:
    with pytest.raises(errors.ConfigError, match="URL"):
        HttpStorage(url)


def test_http_client_takes_our_header_bytes() -> None:
    """A token of any text is sent as UTF-8: http.client encodes headers as latin-1."""
    header = "Bearer " + "ü".encode().decode("latin-1")
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.putrequest("GET", "/")
    connection.putheader("Authorization", header)
    assert "ü".encode() in b"".join(connection._buffer)
