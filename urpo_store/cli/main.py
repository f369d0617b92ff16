"""The `urpo-store` command.

Exit codes: 0 done, 1 failed, 2 wrong usage. Every flag has an environment variable: --http-port is
URPO_STORE_HTTP_PORT. All but `serve` and `demo` talk to a running `serve` over its HTTP API. Without
a command, in a terminal, the receiver and the terminal UI start together.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import ConfigError, QueryError, UrpoStoreError
from ..model import Aggregation

if TYPE_CHECKING:
    from ..api.client import HttpStorage
    from ..tui import UrpoApp

DEFAULT_URL = "http://127.0.0.1:4318"

EXAMPLES = """\
examples:
  urpo-store                                receive OTLP, and look at it in this terminal
  urpo-store serve                          receive OTLP on 4317 (gRPC) and 4318 (HTTP)
  urpo-store health                         rate, errors and latency of every service
  urpo-store metrics --service checkout     what a service sends
  urpo-store query http.server.request.duration --agg p95 --by http.route --step 10s --chart
  urpo-store doctor                         why a screen is empty, and what to set
  urpo-store demo                           three sample services, their health, a few charts
"""

QUERY_EXAMPLES = """\
--where k=v matches text; k:int=5, k:bool=true, k:double=0.5, k:bytes=BASE64 are typed, and so is
k:json=["a",1] for lists and maps;
k~REGEX must match the whole text of the value; k:absent= matches series without the attribute.

examples:
  urpo-store query queue.depth --service mailer
  urpo-store query http.server.request.duration --agg rate --step 10s --by http.route --chart
  urpo-store query http.server.request.duration --agg p95 --step 30s --start=-1h --csv
  urpo-store query http.server.request.duration --where http.response.status_code:int=500 --json
"""


class _UsageError(Exception):
    """Flags that mean nothing, or do not go together."""


@contextmanager
def _usage() -> Iterator[None]:
    """What is wrong with the values of flags, found before anything else happens, is wrong usage."""
    try:
        yield
    except (ConfigError, QueryError) as error:
        raise _UsageError(str(error)) from None


class _Parser(argparse.ArgumentParser):
    """Takes the default of every flag from its environment variable."""

    def flag(self, name: str, *, default: object = None, help: str, **options: object) -> None:
        variable = "URPO_STORE_" + name.strip("-").replace("-", "_").upper()
        value: object = os.environ.get(variable, default)
        if options.get("action") == "store_true":
            value = str(value or "").lower() in ("1", "true", "yes", "on")
        elif options.get("action") == "append" and isinstance(value, str):
            value = value.split(",")
        shown = "" if default in (None, False, []) else f"default {default}; "
        self.add_argument(
            name,
            default=value,
            help=f"{help} ({shown}{variable})",
            **options,  # type: ignore[arg-type]
        )


def _parser() -> _Parser:
    parser = _Parser(
        prog="urpo-store",
        description="OpenTelemetry metrics: received, kept and shown on one machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"urpo-store {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(
        name: str,
        help: str,
        run: Callable[[argparse.Namespace], int],
        epilog: str | None = None,
        client: bool = True,
    ) -> _Parser:
        made: _Parser = commands.add_parser(
            name,
            help=help,
            description=help,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        if client:
            made.flag("--url", default=DEFAULT_URL, help="a running serve")
            made.flag("--auth-token", help="its bearer token")
            made.flag("--tls-ca", help="PEM of the authority of its certificate, if it is your own")
        return made

    serve = command("serve", "Receive OTLP and answer queries.", _serve, client=False)
    serve.flag("--host", default="127.0.0.1", help="address to listen on")
    serve.flag("--grpc-port", default=4317, type=int, help="OTLP over gRPC; 0: any free port")
    serve.flag("--http-port", default=4318, type=int, help="OTLP over HTTP and the API")
    serve.flag("--data-dir", help="keep points on disk here (not built yet)")
    serve.flag("--retention", default="24h", help="how long points are kept; none: any age")
    serve.flag("--memory-limit", default="64MiB", help="most memory for points and index")
    serve.flag("--max-series", default=100_000, type=int, help="most series at a time")
    serve.flag("--auth-token", help="bearer token that every request must carry")
    serve.flag("--insecure", action="store_true", help="listen beyond loopback without a token")
    serve.flag("--tls-cert", help="certificate chain, PEM")
    serve.flag("--tls-key", help="its private key, PEM")
    serve.flag("--cors-origin", action="append", help="origin that browsers may call from")
    serve.flag(
        "--connections",
        default=512,
        type=int,
        help="most senders at a time, over gRPC and over HTTP",
    )
    serve.flag("--request-limit", default="64MiB", help="most bytes of a request, decompressed too")
    serve.flag("--answer-limit", default="64MiB", help="most bytes of the answer to a question")
    serve.flag("--query-timeout", default="30s", help="how long a question may take")

    ui = command("ui", "Look at a running serve in the terminal.", _ui)
    ui.flag("--interval", default=2.0, type=float, help="seconds between two looks")

    health = command("health", "Rate, errors and latency of every service.", _health)
    health.add_argument("service", nargs="*", help="these services only")
    health.flag("--window", default="5m", help="1m, 5m, 15m or 1h")
    health.add_argument("--json", action="store_true", help="a JSON list of objects")
    health.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=2.0,
        metavar="SECONDS",
        help="again every so many seconds (2), until Ctrl-C",
    )

    query = command("query", "Read one metric.", _query, QUERY_EXAMPLES)
    query.add_argument("metric", help="name of the metric")
    query.flag("--service", help="of this service only")
    query.flag("--where", action="append", default=[], metavar="K=V", help="see below")
    query.flag("--start", default="-5m", help="-5m, 1h, Unix ns or ISO 8601")
    query.flag("--end", help="now, or as --start")
    query.flag("--step", help="length of a window: 10s, 1m")
    query.flag("--agg", default="raw", help=" ".join(each.value for each in Aggregation))
    query.flag("--by", action="append", metavar="KEY", help="group by; none: all in one")
    query.flag("--limit", type=int, help="at most so many series, greatest last value first")
    shape = query.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="JSON, one object a series")
    shape.add_argument("--csv", action="store_true", help="CSV, one row a point")
    shape.add_argument("--chart", action="store_true", help="a text chart a series")

    metrics = command("metrics", "Every metric: kind, unit, number of series.", _metrics)
    metrics.flag("--service", help="of this service only")
    metrics.add_argument("--json", action="store_true", help="a JSON list of objects")

    stats = command("stats", "What the store holds and what it has done.", _stats)
    stats.add_argument("--json", action="store_true", help="a JSON object")

    command("doctor", "Say what arrives, what is refused, and what to set.", _doctor)

    demo = command("demo", "Three sample services, their live health, charts.", _demo, client=False)
    demo.flag("--grpc-port", default=4317, type=int, help="another is taken if it is in use")
    demo.flag("--http-port", default=4318, type=int, help="another is taken if it is in use")
    demo.add_argument(
        "--seconds",
        type=float,
        default=float(os.environ.get("DEMO_SECONDS", "20")),
        help="how long; 0: until Ctrl-C (DEMO_SECONDS)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            parser.print_help()
            return 2
        options = parser.parse_args(["serve"])
        options.run = _start
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except _UsageError as error:
        print(f"urpo-store: {error}", file=sys.stderr)
        return 2
    except UrpoStoreError as error:
        print(f"urpo-store: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _storage(options: argparse.Namespace) -> HttpStorage:
    from ..api.client import HttpStorage

    # One command asks little: importing pyarrow would take longer than reading JSON.
    return HttpStorage(options.url, token=options.auth_token, tls_ca=options.tls_ca, arrow=False)


def _serve(options: argparse.Namespace) -> int:
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
            # What has been acknowledged is drained before the receivers' last answers are out.
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


def _ui(options: argparse.Namespace) -> int:
    app = _app()
    storage = _storage(options)
    storage.stats()  # An address that is wrong is told here, not on a screen.
    # A thread that reads a large answer gives way to a key five times as soon.
    sys.setswitchinterval(0.001)
    app(storage, endpoint=storage.url, interval=options.interval).run()
    return 0


def _start(options: argparse.Namespace) -> int:
    """Without a command: the receiver, and a look at it."""
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


def _health(options: argparse.Namespace) -> int:
    if options.watch is None:
        return _health_once(options)
    if options.watch <= 0:
        raise _UsageError(f"--watch is {options.watch:g}; give a number of seconds above 0")
    clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
    # An event and not KeyboardInterrupt, which is lost if it is raised while the collector runs.
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


def _query(options: argparse.Namespace) -> int:
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


def _metrics(options: argparse.Namespace) -> int:
    from ..render.listings import metrics_listing
    from ..render.records import metrics_json

    metrics = _storage(options).metrics(options.service)
    print(metrics_json(metrics) if options.json else metrics_listing(metrics))
    return 0


def _stats(options: argparse.Namespace) -> int:
    from ..render.listings import stats_listing
    from ..render.records import stats_json

    stats = _storage(options).stats()
    print(stats_json(stats) if options.json else stats_listing(stats, time.time_ns()))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import diagnose

    text, healthy = diagnose(_storage(options))
    print(text)
    return 0 if healthy else 1


def _demo(options: argparse.Namespace) -> int:
    from .demo import run_demo

    return run_demo(options.grpc_port, options.http_port, options.seconds)
