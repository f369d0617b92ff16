"""HTTP to a running `urpo-store serve`: connections that are kept, and errors that say what to do."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .. import errors
from ..errors import ConfigError, StoreClosedError, UnreachableError, UrpoStoreError

JSON = "application/json"

_PREFIX = "/api/urpo/v1"
_IDLE_CONNECTIONS = 8  # kept open for the next calls


class Answer(NamedTuple):
    """What the server answered to a call that went well."""

    status: int
    kind: str  # its media type
    content: bytes


class Transport:
    """Calls to the API behind `url`; any thread may make one at any time.

    A call raises `UnreachableError` when the server cannot be reached, and the error that the server
    names otherwise.
    """

    def __init__(self, url: str, token: str | None, timeout: float, tls_ca: str | None) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"the URL {url!r} is wrong: {error}.") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"the URL {url!r} is wrong; one looks like http://127.0.0.1:4318.")
        if parts.query or parts.fragment or parts.username is not None:
            raise ConfigError(f"the URL {url!r} has more than a host, a port and a path.")
        if token is not None and not token.isprintable():
            raise ConfigError("the token holds characters that a header cannot.")
        self.url = url.rstrip("/")
        self._host: str = parts.hostname
        self._port = port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._timeout = timeout
        self._headers: dict[str, str] = {}
        if token is not None:
            self._headers["Authorization"] = "Bearer " + token.encode().decode("latin-1")
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context()
            if tls_ca is not None:
                try:
                    self._tls.load_verify_locations(tls_ca)
                except OSError as error:
                    raise ConfigError(f"cannot use {tls_ca} as a TLS authority: {error}") from None
        # Guards the two below. A connection is either idle in the list or used by one call.
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def call(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        content_type: str = "",
        accept: str = JSON,
    ) -> Answer:
        """The answer to a call; raises the error that the server names."""
        headers = {**self._headers, "Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        answer = self._exchange(method, self._prefix + _PREFIX + target, body, headers)
        if answer.status != 200:
            raise self._error(answer)
        return answer

    def tree(self, answer: Answer) -> Any:
        """The JSON of an answer."""
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            raise self._no_urpo_store("with something else than JSON") from None

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        while True:
            connection, reused = self._connection()
            try:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except Exception as error:
                connection.close()
                # The server may close an idle connection at any moment, also just before we use it.
                # Asking again is safe: questions change nothing, a re-sent point is the same point.
                if reused and isinstance(error, ConnectionError | http.client.BadStatusLine):
                    continue
                if isinstance(error, OSError | http.client.HTTPException):
                    raise self._unreachable(error) from error
                raise
            except BaseException:
                connection.close()
                raise
            if answer.will_close:
                connection.close()
            else:
                self._keep(connection)
            kind = answer.headers.get_content_type()
            return Answer(answer.status, kind, content)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """A connection for one call, and whether it has been used before."""
        with self._lock:
            if self._closed:
                raise StoreClosedError(f"This client of {self.url} is closed; make another one.")
            if self._idle:
                return self._idle.pop(), True
        if self._tls is not None:
            return (
                http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._timeout, context=self._tls
                ),
                False,
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout), False

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _unreachable(self, error: Exception) -> UrpoStoreError:
        if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
            return self._no_urpo_store(f"with no HTTP ({type(error).__name__})")
        if isinstance(error, TimeoutError):
            return UnreachableError(
                f"{self.url} did not answer within {self._timeout:g} s. Ask for less, or give the "
                "client a longer timeout."
            )
        if isinstance(error, ConnectionRefusedError):
            return UnreachableError(
                f"Nothing listens at {self.url}. Start it with: urpo-store serve. "
                "If it runs elsewhere, name it with --url."
            )
        if isinstance(error, socket.gaierror):
            return UnreachableError(f"The host of {self.url} is not known: {error.strerror}.")
        if isinstance(error, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"The certificate of {self.url} is not trusted: {error.verify_message}. "
                "Name its authority with tls_ca (--tls-ca)."
            )
        reason = str(error) or type(error).__name__
        return UnreachableError(f"{self.url} cannot be reached: {reason}.")

    def _no_urpo_store(self, how: str) -> UrpoStoreError:
        return UnreachableError(
            f"{self.url} answers, but not as an urpo-store does: {how}. "
            "Give the HTTP port of urpo-store serve, 4318 unless it was changed."
        )

    def _error(self, answer: Answer) -> UrpoStoreError:
        status = answer.status
        try:
            tree = json.loads(answer.content)
        except (ValueError, RecursionError):
            tree = None
        message = tree.get("message") if isinstance(tree, dict) else None
        if not isinstance(message, str):
            return self._no_urpo_store(f"with status {status}")
        if status == 401:
            return ConfigError(
                f"{self.url} does not accept the token. Give the one that the server was started "
                "with: --auth-token, or URPO_STORE_AUTH_TOKEN."
            )
        kind = getattr(errors, str(tree.get("error")), None)
        if not (isinstance(kind, type) and issubclass(kind, UrpoStoreError)):
            kind = UrpoStoreError
        return kind(message)
