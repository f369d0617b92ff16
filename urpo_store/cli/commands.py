"""What each command of `urpo-store` does with its flags; each returns its exit code.

Each imports what it needs when it runs, so that no command waits for the imports of another.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import ConfigError, QueryError

if TYPE_CHECKING:
    from ..api.client import HttpStorage
    from ..tui import UrpoApp


class UsageError(Exception):
    """Flags with wrong values, or flags that exclude each other."""


@contextmanager
def _usage() -> Iterator[None]:
    """Turns errors in the values of flags into wrong usage; nothing else has happened yet."""
    try:
        yield
    except (ConfigError, QueryError) as error:
        raise UsageError(str(error)) from None


def _storage(options: argparse.Namespace) -> HttpStorage:
    from ..api.client import HttpStorage

    # A command asks one question: importing pyarrow would take longer than reading JSON.
    return HttpStorage(options.url, token=options.auth_token, tls_ca=options.tls_ca, arrow=False)


def serve(options: argparse.Namespace) -> int:
    from ..opening import open
    from ..options import parse_options, parse_size, parse_span
    from ..receiver import Limits, Server

    retention = None if options.retention.lower() == "none" else options.retention
    kept = {
        "retention": retention,
        "memory_limit": options.memory_limit,
        "max_series": options.max_series,
    }
    with _usage():
        parse_options(kept)
        limits = Limits(
            connections=options.connections,
            request_bytes=parse_size("--request-limit", options.request_limit),
            answer_bytes=parse_size("--answer-limit", options.answer_limit),
            query_seconds=parse_span("--query-timeout", options.query_timeout) / 1e9,
        )
    storage = open(options.data_dir, **kept)
    try:
        with _usage():
            server = Server(
                storage,
                host=options.host,
                grpc_port=options.grpc_port,
                http_port=options.http_port,
                token=options.auth_token,
                insecure=options.insecure,
                tls_cert=options.tls_cert,
                tls_key=options.tls_key,
                cors_origins=options.cors_origin or (),
                limits=limits,
            )
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with server:
            print(
                f"urpo-store {__version__}: OTLP on {server.grpc_address} (gRPC) and "
                f"{server.http_address} (HTTP). Stop with Ctrl-C.",
                flush=True,
            )
            stop.wait()
            # Leaving the block stops the receivers; then all that they acknowledged is drained.
    finally:
        stats = storage.stats()
        storage.flush()
        storage.close()
    print(f"urpo-store: stopped; {stats.accepted_points} points had arrived.", flush=True)
    return 0


def _app() -> type[UrpoApp]:
    try:
        from ..tui import UrpoApp
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"the terminal UI needs {missing.name}; install it: pip install 'urpo-store[tui]'"
        ) from None
    return UrpoApp


def ui(options: argparse.Namespace) -> int:
    app = _app()
    storage = _storage(options)
    storage.stats()  # A wrong address is reported here, not on a screen.
    # Keys wait for a thread that reads a large answer: let it give way five times as soon.
    sys.setswitchinterval(0.001)
    app(storage, endpoint=storage.url, interval=options.interval).run()
    return 0


def start(options: argparse.Namespace) -> int:
    """Without a command: a receiver and the terminal UI."""
    from ..opening import open
    from ..receiver import Server

    app = _app()
    with open() as storage:
        server = Server(storage, grpc_port=options.grpc_port, http_port=options.http_port)
        try:
            server.start()
        except ConfigError as taken:
            raise ConfigError(
                f"{taken} If that is a running serve, look at it: urpo-store ui"
            ) from None
        try:
            app(storage, endpoint=server.url).run()
        finally:
            server.stop()
    return 0


def health(options: argparse.Namespace) -> int:
    if options.watch is None:
        return _health_once(options)
    if options.watch <= 0:
        raise UsageError(f"--watch is {options.watch:g}; give a number of seconds above 0")
    clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
    # An event: a KeyboardInterrupt is lost if it is raised while garbage is collected.
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    while True:
        print(clear, end="")
        _health_once(options)
        print("" if clear else "\n", end="", flush=True)
        if stop.wait(options.watch):
            return 130


def _health_once(options: argparse.Namespace) -> int:
    from ..render.listings import health_listing
    from ..render.records import health_json

    storage = _storage(options)
    services = options.service or storage.services()
    found = {service: storage.get_service_health(service, options.window) for service in services}
    if options.json:
        print(health_json([health for health in found.values() if health]))
    elif any(found.values()) or not found:
        print(health_listing(storage, found, time.time_ns()))
    missing = [service for service, health in found.items() if health is None]
    if missing:
        known = ", ".join(storage.services()) or "none"
        print(
            f"urpo-store: nothing is known of {', '.join(missing)}; services seen: {known}",
            file=sys.stderr,
        )
        return 1
    return 0


def query(options: argparse.Namespace) -> int:
    from ..query.flags import query_from_flags
    from ..query.rules import check_query
    from ..query.times import parse_range, parse_windows
    from ..render.answers import render_answer

    with _usage():
        query = query_from_flags(options)
        check_query(query)
        parse_windows(query, *parse_range(query, time.time_ns()))
    storage = _storage(options)
    table = storage.query_metrics(query)
    shape = "json" if options.json else "csv" if options.csv else "chart" if options.chart else ""
    text = render_answer(table, shape, query)
    if text:
        print(text)
    if not len(table):
        names = {info.name for info in storage.metrics()}
        if query.metric not in names:
            near = ", ".join(sorted(names)[:8]) or "none has arrived"
            print(
                f"urpo-store: there is no metric {query.metric!r}; known: {near}", file=sys.stderr
            )
            return 1
        print("urpo-store: no points in this range with these filters", file=sys.stderr)
    return 0


def metrics(options: argparse.Namespace) -> int:
    from ..render.listings import metrics_listing
    from ..render.records import metrics_json

    metrics = _storage(options).metrics(options.service)
    print(metrics_json(metrics) if options.json else metrics_listing(metrics))
    return 0


def stats(options: argparse.Namespace) -> int:
    from ..render.listings import stats_listing
    from ..render.records import stats_json

    stats = _storage(options).stats()
    print(stats_json(stats) if options.json else stats_listing(stats, time.time_ns()))
    return 0


def doctor(options: argparse.Namespace) -> int:
    from .doctor import diagnose

    text, healthy = diagnose(_storage(options))
    print(text)
    return 0 if healthy else 1


def demo(options: argparse.Namespace) -> int:
    from .demo import run_demo

    return run_demo(options.grpc_port, options.http_port, options.seconds)
