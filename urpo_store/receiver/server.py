"""Both receivers on ports of their own: what `urpo-store serve` runs.

Threads: one for uvicorn's event loop; for gRPC its poller and one for each call in progress. Any of
them may call the storage at any time.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import uvicorn

from ..errors import ConfigError
from ..interfaces import MetricStorage
from ..model import ReceiverStatus
from .app import asgi_app
from .arrivals import Arrivals
from .grpc_service import add_metrics_service
from .http_protocol import limited_protocol
from .limits import Limits
from .listen import check_free, hosts_for, listen, resolves_to_loopback

logger = logging.getLogger("urpo_store.receiver")

# Beyond those of the calls that may wait, so that further calls are refused at once.
_SPARE_GRPC_THREADS = 8
_IDLE_SECONDS = 75  # longer than the 60 s between exports of an SDK
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0  # for requests that are being answered when the server stops


class Server:
    """The gRPC and the HTTP receiver of one storage.

        with Server(storage) as server:
            print(server.grpc_address, server.http_address)
            ...

    Port 0 chooses a free one, which `grpc_port` or `http_port` then tells; None leaves that receiver
    out. The default host is loopback, 127.0.0.1 and ::1. Any other host needs a `token`, or
    `insecure=True`: everyone who reaches it may read and write. `tls_cert` and `tls_key` are paths
    of PEM files, for both receivers.

    Raises `ConfigError` for options that do not fit, and from `start` if a port is taken. `stop` lets
    requests in progress finish; it does not close the storage.
    """

    def __init__(
        self,
        storage: MetricStorage,
        *,
        host: str = "127.0.0.1",
        grpc_port: int | None = 4317,
        http_port: int | None = 4318,
        token: str | None = None,
        insecure: bool = False,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        cors_origins: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> None:
        _check_access(host, token, insecure)
        if (tls_cert is None) != (tls_key is None):
            raise ConfigError("TLS needs both --tls-cert and --tls-key.")
        _check_ports(grpc_port, http_port)
        self.arrivals = Arrivals()
        self._storage = storage
        self._hosts = hosts_for(host)
        self._ports: dict[str, int | None] = {"grpc": grpc_port, "http": http_port}
        self._token = token
        self._insecure = insecure
        self._tls = None if tls_cert is None or tls_key is None else (Path(tls_cert), Path(tls_key))
        self._cors_origins = cors_origins
        self._limits = limits or Limits()
        self._grpc: grpc.Server | None = None
        self._http: _HttpThread | None = None
        # Start and stop exclude each other; any thread may call them.
        self._lock = threading.Lock()

    @property
    def grpc_port(self) -> int | None:
        return self._ports["grpc"]

    @property
    def http_port(self) -> int | None:
        return self._ports["http"]

    @property
    def grpc_address(self) -> str:
        """The first address of the gRPC receiver, such as "127.0.0.1:4317"; "" without it."""
        return _address(self._hosts[0], self.grpc_port)

    @property
    def http_address(self) -> str:
        return _address(self._hosts[0], self.http_port)

    @property
    def url(self) -> str:
        """The URL of the HTTP API, for `urpo_store.client.HttpStorage`; "" without HTTP."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self.http_address}" if self.http_address else ""

    def status(self) -> ReceiverStatus:
        return self.arrivals.status()

    def start(self) -> Self:
        """Listen; return when both receivers answer."""
        with self._lock:
            if self._grpc is not None or self._http is not None:
                raise ConfigError("the server has been started already.")
            if self._tls is not None:
                _check_certificate(*self._tls)
            try:
                # Both ports are tried before anything answers on either.
                sockets = self._listen_http()
                try:
                    self._start_grpc()
                except BaseException:
                    for listener in sockets:
                        listener.close()
                    raise
                if sockets:
                    self._start_http(sockets)
            except BaseException:
                self._stop()
                raise
        return self

    def stop(self) -> None:
        """Stop listening, answer what has come, return. Calling it again does nothing."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _stop(self) -> None:
        # Both stop accepting at once. Then each waits for its answers in progress.
        server, self._grpc = self._grpc, None
        stopped = server.stop(_STOP_SECONDS) if server is not None else None
        http, self._http = self._http, None
        if http is not None:
            http.stop()
        if stopped is not None:
            stopped.wait()

    def _start_grpc(self) -> None:
        port = self._ports["grpc"]
        if port is None:
            return
        credentials = None
        if self._tls is not None:
            cert, key = self._tls
            credentials = grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])
        # gRPC's errors of binding say little, so the system is asked first. Port 0 may find a port that
        # is free on the first address only; that server is thrown away.
        for _ in range(16):
            check_free(self._hosts, port, "--grpc-port")
            server = self._grpc_server()
            bound = port
            try:
                for host in self._hosts:
                    address = _address(host, bound)
                    if credentials is None:
                        bound = server.add_insecure_port(address)
                    else:
                        bound = server.add_secure_port(address, credentials)
                    if bound == 0:
                        break
            except RuntimeError as error:
                logger.debug("binding gRPC: %s", error)
                bound = 0
            if bound != 0:
                break
        else:
            raise ConfigError(f"gRPC cannot listen on {', '.join(self._hosts)} port {port}.")
        server.start()
        self._grpc = server
        self._ports["grpc"] = bound
        self.arrivals.listening("grpc", self.grpc_address)

    def _grpc_server(self) -> grpc.Server:
        limits = self._limits
        threads = limits.connections + _SPARE_GRPC_THREADS
        header_ms = round(limits.header_seconds * 1000)
        server = grpc.server(
            _GrpcThreads(threads, thread_name_prefix="urpo-store-grpc"),
            options=[
                ("grpc.max_receive_message_length", limits.request_bytes),
                ("grpc.max_allowed_incoming_connections", limits.connections),
                ("grpc.server_handshake_timeout_ms", header_ms),
                # Until a client has acknowledged our settings, it may send headers of 16 MiB.
                ("grpc.http2.settings_timeout", header_ms),
                ("grpc.max_connection_idle_ms", _IDLE_SECONDS * 1000),
                # Linux would let a second server share the port, and each would get half of the calls.
                ("grpc.so_reuseport", 0),
                # SDKs and the Collector ping to keep connections open; that is no abuse.
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.max_concurrent_streams", 128),
            ],
        )
        add_metrics_service(
            server,
            self._storage,
            token=self._token,
            other_signals=True,
            limits=limits,
            arrivals=self.arrivals,
        )
        return server

    def _listen_http(self) -> list[socket.socket]:
        port = self._ports["http"]
        if port is None:
            return []
        sockets = listen(self._hosts, port, "--http-port")
        self._ports["http"] = sockets[0].getsockname()[1]
        return sockets

    def _start_http(self, sockets: list[socket.socket]) -> None:
        app = asgi_app(
            self._storage,
            token=self._token,
            insecure=self._insecure,
            cors_origins=self._cors_origins,
            other_signals=True,
            limits=self._limits,
            arrivals=self.arrivals,
        )
        tls = {}
        if self._tls is not None:
            tls = {"ssl_certfile": str(self._tls[0]), "ssl_keyfile": str(self._tls[1])}
        config = uvicorn.Config(
            app,
            http=limited_protocol(self._limits, self.arrivals),
            ws="none",
            lifespan="off",
            log_config=None,  # the program around this decides what is logged
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=int(_STOP_SECONDS),
            **tls,  # type: ignore[arg-type]
        )
        self._http = _HttpThread(config, sockets)
        self._http.start()
        self.arrivals.listening("http", self.http_address)


class _GrpcThreads(ThreadPoolExecutor):
    """A pool that goes on with the threads it has when the system gives no more.

    gRPC calls `submit` in the loop that serves all calls, and an error there ends the loop. Where the
    number of threads is limited, as in a container, one burst of calls would end the server.
    """

    def __init__(self, most: int, thread_name_prefix: str) -> None:
        super().__init__(most, thread_name_prefix)
        # Without a single thread nothing would be answered: fail here, at the start.
        self.submit(int)

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            # The work is in the queue: a thread takes it when it is free.
            if not self._threads:
                raise


class _HttpThread:
    """uvicorn in a thread of its own."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._sockets = sockets
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="urpo-store-http", daemon=True)

    def start(self) -> None:
        self._thread.start()
        if not self._started.wait(_START_SECONDS) or self._error is not None:
            raise ConfigError(f"the HTTP receiver did not start: {self._error!r}")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        async def serve() -> None:
            serving = asyncio.ensure_future(self._server.serve(sockets=self._sockets))
            while not (self._server.started or serving.done()):
                await asyncio.sleep(0.001)
            self._started.set()
            await serving

        try:
            asyncio.run(serve())
        except BaseException as error:
            self._error = error
            logger.error("the HTTP receiver failed", exc_info=error)
        finally:
            for listener in self._sockets:
                listener.close()
            self._started.set()


def serve(
    storage: MetricStorage, *, stop: threading.Event | None = None, **options: object
) -> None:
    """Run a `Server` with these options until `stop` is set (for ever without one)."""
    with Server(storage, **options):  # type: ignore[arg-type]
        (stop or threading.Event()).wait()


def _address(host: str, port: int | None) -> str:
    if port is None:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_access(host: str, token: str | None, insecure: bool) -> None:
    """Refuse to listen where other machines can reach it, without a token and without `insecure`."""
    if token is not None and not token.strip():
        raise ConfigError("the token is empty; give one, or none at all.")
    if token is None and not insecure and not resolves_to_loopback(host):
        raise ConfigError(
            f"{host or 'every address'} can be reached from other machines. Guard it with "
            "--auth-token, or say --insecure to let everyone in."
        )


def _check_ports(grpc_port: int | None, http_port: int | None) -> None:
    if grpc_port is None and http_port is None:
        raise ConfigError("neither a gRPC nor an HTTP port is given; there is nothing to run.")
    for flag, port in (("--grpc-port", grpc_port), ("--http-port", http_port)):
        if port is not None and not 0 <= port <= 65535:
            raise ConfigError(f"{flag} is {port}; a port is a number from 0 to 65535.")


def _check_certificate(cert: Path, key: Path) -> None:
    """Raise what is wrong with it; gRPC only prints it and fails to listen."""
    for path in (cert, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}.") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"TLS cannot use the certificate {cert} with the key {key}: {error}. Both are PEM "
            "files, the key without a password."
        ) from None


def _no_password() -> str:
    raise ValueError("the key has a password")  # instead of asking at the terminal
