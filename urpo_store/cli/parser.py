"""The flags of every command. Each flag has an environment variable: --http-port is
URPO_STORE_HTTP_PORT."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from .. import __version__
from ..model import Aggregation
from . import commands

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


#: Runs a command; returns its exit code.
Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
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


def make_parser() -> Parser:
    """The parser of the whole command line; `run` of what it returns is the command's function."""
    parser = Parser(
        prog="urpo-store",
        description="OpenTelemetry metrics: received, kept and shown on one machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"urpo-store {__version__}")
    add = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser).add_parser

    def command(name: str, run: Command, help: str, epilog: str | None = None) -> Parser:
        made: Parser = add(
            name,
            help=help,
            description=help,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    _serve_flags(command("serve", commands.serve, "Receive OTLP and answer queries."))
    _ui_flags(command("ui", commands.ui, "Look at a running serve in the terminal."))
    _health_flags(command("health", commands.health, "Rate, errors and latency of every service."))
    _query_flags(command("query", commands.query, "Read one metric.", QUERY_EXAMPLES))
    _metrics_flags(
        command("metrics", commands.metrics, "Every metric: kind, unit, number of series.")
    )
    _stats_flags(command("stats", commands.stats, "What the store holds and what it has done."))
    _client_flags(
        command("doctor", commands.doctor, "Say what arrives, what is refused, and what to set.")
    )
    _demo_flags(command("demo", commands.demo, "Three sample services, their live health, charts."))
    return parser


def _client_flags(made: Parser) -> None:
    made.flag("--url", default=DEFAULT_URL, help="a running serve")
    made.flag("--auth-token", help="its bearer token")
    made.flag("--tls-ca", help="PEM of the authority of its certificate, if it is your own")


def _serve_flags(made: Parser) -> None:
    made.flag("--host", default="127.0.0.1", help="address to listen on")
    made.flag("--grpc-port", default=4317, type=int, help="OTLP over gRPC; 0: any free port")
    made.flag("--http-port", default=4318, type=int, help="OTLP over HTTP and the API")
    made.flag("--data-dir", help="keep points on disk here (not built yet)")
    made.flag("--retention", default="24h", help="how long points are kept; none: any age")
    made.flag("--memory-limit", default="64MiB", help="most memory for points and index")
    made.flag("--max-series", default=100_000, type=int, help="most series at a time")
    made.flag("--auth-token", help="bearer token that every request must carry")
    made.flag("--insecure", action="store_true", help="listen beyond loopback without a token")
    made.flag("--tls-cert", help="certificate chain, PEM")
    made.flag("--tls-key", help="its private key, PEM")
    made.flag("--cors-origin", action="append", help="origin that browsers may call from")
    made.flag(
        "--connections",
        default=512,
        type=int,
        help="most senders at a time, over gRPC and over HTTP",
    )
    made.flag("--request-limit", default="64MiB", help="most bytes of a request, decompressed too")
    made.flag("--answer-limit", default="64MiB", help="most bytes of the answer to a question")
    made.flag("--query-timeout", default="30s", help="how long a question may take")


def _ui_flags(made: Parser) -> None:
    _client_flags(made)
    made.flag("--interval", default=2.0, type=float, help="seconds between two looks")


def _health_flags(made: Parser) -> None:
    _client_flags(made)
    made.add_argument("service", nargs="*", help="these services only")
    made.flag("--window", default="5m", help="1m, 5m, 15m or 1h")
    made.add_argument("--json", action="store_true", help="a JSON list of objects")
    made.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=2.0,
        metavar="SECONDS",
        help="again every so many seconds (2), until Ctrl-C",
    )


def _query_flags(made: Parser) -> None:
    _client_flags(made)
    made.add_argument("metric", help="name of the metric")
    made.flag("--service", help="of this service only")
    made.flag("--where", action="append", default=[], metavar="K=V", help="see below")
    made.flag("--start", default="-5m", help="-5m, 1h, Unix ns or ISO 8601")
    made.flag("--end", help="now, or as --start")
    made.flag("--step", help="length of a window: 10s, 1m")
    made.flag("--agg", default="raw", help=" ".join(each.value for each in Aggregation))
    made.flag("--by", action="append", metavar="KEY", help="group by; none: all in one")
    made.flag("--limit", type=int, help="at most so many series, greatest last value first")
    shape = made.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="JSON, one object a series")
    shape.add_argument("--csv", action="store_true", help="CSV, one row a point")
    shape.add_argument("--chart", action="store_true", help="a text chart a series")


def _metrics_flags(made: Parser) -> None:
    _client_flags(made)
    made.flag("--service", help="of this service only")
    made.add_argument("--json", action="store_true", help="a JSON list of objects")


def _stats_flags(made: Parser) -> None:
    _client_flags(made)
    made.add_argument("--json", action="store_true", help="a JSON object")


def _demo_flags(made: Parser) -> None:
    made.flag("--grpc-port", default=4317, type=int, help="another is taken if it is in use")
    made.flag("--http-port", default=4318, type=int, help="another is taken if it is in use")
    made.add_argument(
        "--seconds",
        type=float,
        default=float(os.environ.get("DEMO_SECONDS", "20")),
        help="how long; 0: until Ctrl-C (DEMO_SECONDS)",
    )
