"""Both receivers on real sockets: ports, addresses, TLS, slow and hostile clients, shutdown."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from helpers.fake_storage import FakeStorage
from helpers.http2 import AGREED, END_HEADERS, EXPORT_HEADERS, HEADERS, exchange, frame
from helpers.raw_http import http
from helpers.requests import gauge_request
from helpers.served import gauge_request as gauge_request_of_now
from helpers.served import serving

from urpo_store.api.client import HttpStorage
from urpo_store.cli import main
from urpo_store.errors import ConfigError, UnreachableError
from urpo_store.receiver import Limits, Server
from urpo_store.receiver import server as receiver_server

METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def has_ipv6_loopback() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6_loopback(), reason="no IPv6 loopback here")


@contextlib.contextmanager
def taken(host: str = "127.0.0.1") -> Iterator[int]:
    """A port on which someone else listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_ports_are_reported_and_both_receivers_answer() -> None:
    storage = FakeStorage()
    with Server(storage, grpc_port=0, http_port=0) as server:
        assert server.grpc_port and server.http_port and server.grpc_port != server.http_port
        assert server.grpc_address == f"127.0.0.1:{server.grpc_port}"
        assert server.url == f"http://127.0.0.1:{server.http_port}"
        with grpc.insecure_channel(server.grpc_address) as channel:
            channel.unary_unary(METRICS)(gauge_request(), timeout=10)
        with HttpStorage(server.url) as client:
            client.ingest(gauge_request())
            assert client.receiver().grpc == server.grpc_address
    assert len(storage.requests) == 2 and not storage.closed


@needs_ipv6
def test_the_default_host_is_both_loopbacks() -> None:
    """SEMANTICS, HTTP API: "Listen on ::1 as well as 127.0.0.1 for the default host"."""
    storage = FakeStorage()
    with Server(storage, grpc_port=0, http_port=0) as server:
        for host in ("127.0.0.1", "[::1]", "localhost"):
            with grpc.insecure_channel(f"{host}:{server.grpc_port}") as channel:
                channel.unary_unary(METRICS)(gauge_request(), timeout=10)
            with HttpStorage(f"http://{host}:{server.http_port}") as client:
                client.ingest(gauge_request())
    assert len(storage.requests) == 6


@pytest.mark.parametrize("flag", ["--grpc-port", "--http-port"])
@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_a_taken_port_is_named_with_the_remedy(flag: str, host: str) -> None:
    with taken(host) as port:
        ports = {"grpc_port": 0, "http_port": 0}
        ports[flag[2:].replace("-", "_")] = port
        with pytest.raises(ConfigError) as caught:
            Server(FakeStorage(), **ports).start()
    other = port + 10 if port + 10 <= 65535 else port - 10
    assert str(caught.value) == (
        f"port {port} is in use by another process. Stop it, or choose another: "
        f"urpo-store serve {flag} {other}"
    )


def test_two_servers_do_not_share_a_port() -> None:
    """Linux would let them, each getting half of what is sent."""
    with Server(FakeStorage(), grpc_port=0, http_port=0) as one:
        for ports in ((one.grpc_port, None), (None, one.http_port)):
            with pytest.raises(ConfigError, match="in use"):
                Server(FakeStorage(), grpc_port=ports[0], http_port=ports[1]).start()


def test_nothing_stays_open_when_one_port_is_taken() -> None:
    with taken() as port:
        server = Server(FakeStorage(), grpc_port=port, http_port=0)
        with pytest.raises(ConfigError):
            server.start()
        with pytest.raises(UnreachableError):
            HttpStorage(f"http://127.0.0.1:{server.http_port}").stats()


def test_a_port_can_be_used_again_at_once() -> None:
    with Server(FakeStorage(), grpc_port=0, http_port=0) as one, HttpStorage(one.url) as client:
        client.stats()
    with Server(FakeStorage(), grpc_port=one.grpc_port, http_port=one.http_port) as two:
        assert two.http_port == one.http_port


def test_start_and_stop_again() -> None:
    server = Server(FakeStorage(), grpc_port=0, http_port=0)
    server.start()
    with pytest.raises(ConfigError, match="already"):
        server.start()
    server.stop()
    server.stop()
    with server, HttpStorage(server.url) as client:
        assert client.services()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "0.0.0.0"}, "--auth-token"),
        ({"host": ""}, "every address"),
        ({"host": "::"}, "--insecure"),
        ({"host": "192.0.2.1"}, "192.0.2.1 can be reached"),
        ({"token": " "}, "token is empty"),
        ({"tls_cert": "x"}, "both"),
        ({"http_port": 70000}, "--http-port is 70000"),
        ({"grpc_port": -1}, "0 to 65535"),
        ({"grpc_port": None, "http_port": None}, "neither"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Server(FakeStorage(), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "192.0.2.1", "token": "x"}, "not an address of this machine"),
        ({"host": "does-not-exist.invalid", "token": "x"}, "not known"),
        ({"tls_cert": "/none/c.pem", "tls_key": "/none/k.pem"}, "cannot read /none"),
    ],
)
def test_options_that_the_system_refuses(options: dict[str, object], words: str) -> None:
    ports = {"grpc_port": 0, "http_port": 0}
    with pytest.raises(ConfigError, match=words):
        Server(FakeStorage(), **{**ports, **options}).start()


def test_other_hosts_with_a_token_or_insecure() -> None:
    for options in ({"token": "x"}, {"insecure": True}):
        with Server(FakeStorage(), host="0.0.0.0", grpc_port=0, http_port=0, **options) as server:
            with HttpStorage(f"http://127.0.0.1:{server.http_port}", token="x") as client:
                assert client.services()
            status = http(
                server.http_port or 0,
                b"GET /-/healthy HTTP/1.1\r\nHost: metrics.example\r\nConnection: close\r\n\r\n",
            ).split()[1]
            assert status == (b"401" if "token" in options else b"200")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", key, "-out", cert],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    return cert, key


def test_tls(certificate: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    cert, key = certificate
    storage = FakeStorage()
    with Server(storage, grpc_port=0, http_port=0, tls_cert=cert, tls_key=key) as server:
        assert server.url.startswith("https://")
        with HttpStorage(server.url, tls_ca=str(cert)) as client:
            client.ingest(gauge_request())
        with pytest.raises(UnreachableError, match="not trusted"):
            HttpStorage(server.url).stats()
        with pytest.raises(UnreachableError):
            HttpStorage(server.url.replace("https", "http")).stats()
        flags = ["stats", "--json", "--url", server.url]
        assert main([*flags, "--tls-ca", str(cert)]) == 0
        assert main(flags) == 1
        assert "(--tls-ca)" in capsys.readouterr().err
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        with grpc.secure_channel(server.grpc_address, credentials) as channel:
            channel.unary_unary(METRICS)(gauge_request(), timeout=10)
    assert len(storage.requests) == 2


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    path.write_text("nonsense")
    for ports in ((None, 0), (0, None)):
        with pytest.raises(ConfigError, match="TLS cannot use"):
            Server(
                FakeStorage(), grpc_port=ports[0], http_port=ports[1], tls_cert=path, tls_key=path
            ).start()


def test_the_http_client_on_the_grpc_port() -> None:
    with (
        Server(FakeStorage(), grpc_port=0, http_port=None) as server,
        pytest.raises(UnreachableError, match=r"HTTP port|cannot be reached"),
    ):
        HttpStorage(f"http://{server.grpc_address}", timeout=5).stats()


def test_more_calls_than_allowed_are_told_to_come_back() -> None:
    """A call that has begun counts until it is over, whatever it waits for."""
    storage = FakeStorage()
    with Server(storage, grpc_port=0, http_port=None, limits=Limits(connections=4)) as server:
        address = ("127.0.0.1", server.grpc_port or 0)
        with contextlib.ExitStack() as stack:
            channel = stack.enter_context(grpc.insecure_channel(server.grpc_address))
            send = channel.unary_unary(METRICS)
            send(gauge_request(), timeout=10)
            waiting = stack.enter_context(socket.create_connection(address))
            waiting.sendall(AGREED)
            with pytest.raises(grpc.RpcError) as caught:
                # One more each time, as it may be one of them that finds no place beside ours.
                for n in range(1, 101, 2):
                    waiting.sendall(frame(HEADERS, END_HEADERS, n, EXPORT_HEADERS))
                    send(gauge_request(), timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "Too many calls" in (caught.value.details() or "")
            trailers = dict(caught.value.trailing_metadata())
            info = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
            assert info.retry_delay.seconds == 1
            assert server.status().refused.keys() == {"grpc UNAVAILABLE"}
            waiting.close()
            deadline = time.monotonic() + 10
            while True:
                try:
                    send(gauge_request(), timeout=10)
                    break
                except grpc.RpcError:
                    assert time.monotonic() < deadline, "calls that are gone are still counted"


FEW_THREADS = """
import threading, urpo_store
from urpo_store.receiver import Server
start = threading.Thread.start
left = 4

def start_or_refuse(thread):
    global left
    if thread.name.startswith("urpo-store-grpc"):
        if not left:
            print("refused", flush=True)
            raise RuntimeError("can't start new thread")
        left -= 1
    start(thread)

threading.Thread.start = start_or_refuse
with urpo_store.open() as store, Server(store, grpc_port=0, http_port=0) as server:
    print(server.grpc_address, "(gRPC) and", server.http_address, "(HTTP)", flush=True)
    threading.Event().wait()
"""


def test_calls_are_answered_where_no_more_threads_can_be_started() -> None:
    """A limit on the threads of a container must not end the loop that serves all calls."""
    go_on = threading.Event()

    def message() -> Iterator[bytes]:
        assert go_on.wait(30)
        yield gauge_request_of_now()

    with (
        serving(program=("-c", FEW_THREADS)) as (process, _, port),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        calls = [channel.stream_unary(METRICS).future(message(), timeout=20) for _ in range(20)]
        # Calls that wait for their message have taken every thread, and another one needs its own.
        assert process.stdout.readline() == "refused\n"
        go_on.set()
        assert [call.result(20) for call in calls] == [b""] * 20


def test_a_server_without_any_thread_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("urpo-store-grpc"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Server(FakeStorage(), grpc_port=0, http_port=None).start()


def test_a_call_without_a_message_is_refused() -> None:
    storage = FakeStorage()
    with (
        Server(storage, grpc_port=0, http_port=None) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.stream_unary(METRICS)(iter(()), timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "The call has no message."
    assert not storage.requests


def test_a_handshake_of_tls_that_never_begins(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    storage = FakeStorage()
    with (
        Server(
            storage,
            grpc_port=0,
            http_port=None,
            tls_cert=cert,
            tls_key=key,
            limits=Limits(header_seconds=0.2),
        ) as server,
        socket.create_connection(("127.0.0.1", server.grpc_port), timeout=10) as silent,
    ):
        assert silent.recv(100) == b""


def test_idle_connections_of_grpc_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that comes back later connects again."""
    monkeypatch.setattr(receiver_server, "_IDLE_SECONDS", 1)
    storage = FakeStorage()
    with (
        Server(storage, grpc_port=0, http_port=None) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        send = channel.unary_unary(METRICS)
        send(gauge_request(), timeout=10)
        received, closed = exchange(("127.0.0.1", server.grpc_port), AGREED)
        assert closed and b"connection idle" in received[-1].payload
        send(gauge_request(), timeout=10)
    assert len(storage.requests) == 2


def test_stop_lets_a_request_in_progress_finish() -> None:
    storage = FakeStorage()
    entered, go_on = threading.Event(), threading.Event()

    def wait(name: str) -> None:
        if name == "ingest":
            entered.set()
            go_on.wait(10)

    storage.before = wait
    server = Server(storage, grpc_port=0, http_port=0).start()
    answers: list[object] = []

    def over_http() -> None:
        with HttpStorage(server.url) as client:
            answers.append(client.ingest(gauge_request()).accepted)

    def over_grpc() -> None:
        with grpc.insecure_channel(server.grpc_address) as channel:
            answers.append(channel.unary_unary(METRICS)(gauge_request(), timeout=10))

    for send in (over_http, over_grpc):
        entered.clear()
        threads = [threading.Thread(target=send)]
        threads[0].start()
        assert entered.wait(10)
        if send is over_grpc:
            break
        go_on.set()
        threads[0].join()
        go_on.clear()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    stopping.join(0.2)
    assert stopping.is_alive()
    go_on.set()
    stopping.join(10)
    threads[0].join(10)
    assert answers == [1, b""]
