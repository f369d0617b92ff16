"""`urpo-store demo`: a receiver, the sample application, and its health on the screen."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from ..errors import ConfigError
from ..interfaces import MetricStorage
from ..model import Aggregation, MetricQuery, ServiceHealthMetrics
from ..opening import open
from ..receiver import Server
from ..render import charts, text
from ..render.answers import chart
from ..render.listings import health_listing

SERVICES = ("storefront", "checkout", "mailer")
#: How often the sample application exports, seconds.
INTERVAL = 1.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def start_server(storage: MetricStorage, grpc_port: int, http_port: int) -> Server:
    """A started receiver; on free ports if the given ones are taken."""
    try:
        return Server(storage, grpc_port=grpc_port, http_port=http_port).start()
    except ConfigError as taken:
        server = Server(storage, grpc_port=0, http_port=0).start()
        print(f"{taken}\nThe demo uses {server.grpc_port} and {server.http_port} instead.")
        return server


@contextmanager
def sample_application(server: Server) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The three services, each in a process of its own, until the block ends."""
    store_port, checkout_port, mailer_port = free_ports(3)
    chain = {
        "storefront": (store_port, checkout_port),
        "checkout": (checkout_port, mailer_port),
        "mailer": (mailer_port, 0),
    }
    processes = []
    try:
        for service, (port, next_port) in reversed(chain.items()):
            command = [sys.executable, "-m", "urpo_store.cli.sample_app", service]
            command += ["--port", str(port), "--next-port", str(next_port)]
            command += ["--grpc", f"127.0.0.1:{server.grpc_port}"]
            command += ["--http", f"http://127.0.0.1:{server.http_port}"]
            command += ["--interval", str(INTERVAL)]
            processes.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        yield processes
    finally:
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


class Screen:
    """Draws the health of the services and charts of the last minutes."""

    def __init__(self, storage: MetricStorage) -> None:
        self.storage = storage
        self.rates: dict[str, deque[float]] = {service: deque(maxlen=40) for service in SERVICES}

    def health(self) -> Mapping[str, ServiceHealthMetrics | None]:
        # The shortest window: the application has just started.
        return {service: self.storage.get_service_health(service, "1m") for service in SERVICES}

    def draw(self) -> str:
        health = self.health()
        blocks = [health_listing(self.storage, health, time.time_ns())]
        for service, now in health.items():
            rate = now.request_rate if now else None
            self.rates[service].append(float("nan") if rate is None else rate)
        spark = [
            (service, charts.sparkline(list(rates)), text.rate(rates[-1]) + "/s")
            for service, rates in self.rates.items()
        ]
        blocks.append(text.columns(("REQUESTS", "", ""), spark, "<<>"))
        blocks.append(self.chart("http.server.duration", "storefront", Aggregation.P95))
        blocks.append(self.chart("queue.depth", "mailer", Aggregation.MAX))
        return "\n\n".join(blocks)

    def chart(self, metric: str, service: str, aggregation: Aggregation) -> str:
        query = MetricQuery(metric, service, start="-1m", step="1s", aggregation=aggregation, by=())
        table = self.storage.query_metrics(query)
        title = f"{aggregation.value} of {metric} of {service}"
        if len(table) and table[0].unit:
            title += f" [{table[0].unit}]"
        if not len(table):
            return f"{title}\n(no points yet)"
        return f"{title}\n" + "\n".join(chart(table[0], 70, 5, query).splitlines()[1:])


def run_demo(grpc_port: int, http_port: int, seconds: float) -> int:
    """Show the sample application for `seconds` (0: until Ctrl-C); returns an exit code."""
    storage = open()
    server = start_server(storage, grpc_port, http_port)
    live = sys.stdout.isatty()
    screen = Screen(storage)
    begin = time.monotonic()
    ok = True
    try:
        print(
            f"urpo-store demo: OTLP on 127.0.0.1:{server.grpc_port} (gRPC) and "
            f"127.0.0.1:{server.http_port} (HTTP); three services send to it.",
            flush=True,
        )
        with sample_application(server) as processes:
            drawn = 0.0
            while not seconds or time.monotonic() - begin < seconds:
                time.sleep(1)
                if any(process.poll() is not None for process in processes):
                    print("A service of the sample application has stopped.", file=sys.stderr)
                    ok = False
                    break
                if live:
                    left = f", {max(0, seconds - time.monotonic() + begin):.0f} s left"
                    head = f"urpo-store demo (Ctrl-C stops it{left if seconds else ''})"
                    lines = f"{head}\n\n{screen.draw()}".splitlines()
                    lines = lines[: shutil.get_terminal_size().lines - 1]
                    print("\x1b[H\x1b[2J" + "\n".join(lines), flush=True)
                elif time.monotonic() - drawn >= 5:
                    drawn = time.monotonic()
                    print("\n" + screen.draw(), flush=True)
    except KeyboardInterrupt:
        print()
    finally:
        if live:
            print("\x1b[H\x1b[2J", end="")
        print(summary(storage, screen), flush=True)
        server.stop()
        storage.close()
    return 0 if ok else 1


def summary(storage: MetricStorage, screen: Screen) -> str:
    """The last screen, and how much is stored."""
    stats = storage.stats()
    lines = [
        screen.draw(),
        "",
        f"{stats.accepted_points} points of {stats.metrics} metrics in {stats.series} series came "
        f"from {stats.services} services; {stats.rejected_points} were refused. "
        f"The store takes {text.size(stats.memory_bytes)}.",
        "Your own application: `urpo-store serve`, then `urpo-store doctor` says what to set.",
    ]
    return "\n".join(lines)
