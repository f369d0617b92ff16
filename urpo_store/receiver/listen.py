"""Addresses and ports: where to listen, and what to say when that is not possible."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

from ..errors import ConfigError
from .guard import is_loopback

_BACKLOG = 512


def hosts_for(host: str) -> list[str]:
    """The addresses to bind for `host`; for the default, 127.0.0.1, also ::1.

    Some SDKs resolve "localhost" to ::1 and do not try the other.
    """
    if host in ("127.0.0.1", "localhost"):
        return ["127.0.0.1", "::1"] if _has_ipv6_loopback() else ["127.0.0.1"]
    return [host]


def resolves_to_loopback(host: str) -> bool:
    """Whether every address of `host` is loopback; "" and "0.0.0.0" stand for all addresses."""
    if is_loopback(host):
        return True
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return bool(host) and all(is_loopback(str(address[0])) for *_, address in found)


def _has_ipv6_loopback() -> bool:
    try:
        with closing(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def listen(hosts: list[str], port: int, flag: str) -> list[socket.socket]:
    """Listening sockets on all `hosts` at one port; 0 chooses one that is free on all of them.

    Raises `ConfigError`; `flag` is the option that chooses another port.
    """
    for attempt in range(16):
        sockets: list[socket.socket] = []
        try:
            for host in hosts:
                chosen = port or (sockets[0].getsockname()[1] if sockets else 0)
                sockets.append(_listen_one(host, chosen, flag))
        except BaseException as error:
            for opened in sockets:
                opened.close()
            # A port that is free on the first address may be taken on the second.
            if port == 0 and sockets and attempt < 15 and isinstance(error, ConfigError):
                continue
            raise
        return sockets
    raise AssertionError("unreachable")


def check_free(hosts: list[str], port: int, flag: str) -> None:
    """Raise the `ConfigError` that `listen` would, for servers that bind by themselves."""
    for listener in listen(hosts, port, flag):
        listener.close()


def _listen_one(host: str, port: int, flag: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigError(f"the host {host!r} is not known: {error.strerror}.") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Only "::" means IPv4 as well.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError(_explain(error, host, port, flag)) from None
    return listener


def _explain(error: OSError, host: str, port: int, flag: str) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 10 if port + 10 <= 65535 else port - 10
        return (
            f"port {port} is in use by another process. Stop it, or choose another: "
            f"urpo-store serve {flag} {other}"
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs privileges that this process lacks; choose one above 1023."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; give one that is, such as 127.0.0.1."
    return f"cannot listen on {host} port {port}: {error.strerror}."
