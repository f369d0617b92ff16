"""A `serve` in a process of its own, real exporters' requests over real sockets: its CPU per point."""

import http.client
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import grpc

import urpo_store

from .common import Mix

EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
POINTS = 1_000_000
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(*flags: str):
    """(process id, HTTP port, gRPC port) of a running serve."""
    command = [sys.executable, "-m", "urpo_store.cli", "serve", "--retention", "none"]
    command += ["--grpc-port", "0", "--http-port", "0", *flags]
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=dict(os.environ, PYTHONPATH=root)
    )
    try:
        line = process.stdout.readline()
        found = re.search(r":(\d+) \(gRPC\) and .*:(\d+) \(HTTP\)", line)
        if found is None:
            raise RuntimeError(f"serve did not start: {line}")
        yield process.pid, int(found[2]), int(found[1])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def send_http(port: int, requests) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Content-Type": "application/x-protobuf"}
    for request in requests:
        connection.request("POST", "/v1/metrics", request, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or body:
            raise RuntimeError(f"{answer.status}: {body!r}")
    connection.close()


def send_grpc(port: int, requests) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(EXPORT)
        for request in requests:
            if export(request, timeout=60):
                raise RuntimeError("a point was refused")


def assert_stored(http_port: int, points: int) -> None:
    """Waits until the ring is empty; then each point has been stored, once, by what the server says."""
    with urpo_store.open(f"http://127.0.0.1:{http_port}") as storage:
        # Only who drains finds out which points were there already.
        while (stats := storage.stats()).ring_points:
            time.sleep(0.01)
    assert (stats.accepted_points, stats.points) == (points, points), stats


class Server:
    """Health, compression and the Python around the engine included; the mix."""

    params = (["grpc", "http"], [500, 8_000])
    param_names = ("transport", "points in a request")
    timeout = 300

    def track_cpu_ns_per_point(self, transport, points):
        count = POINTS // points
        requests = Mix(points).many(count + 2)
        with serving() as (pid, http_port, grpc_port):
            send, port = (send_http, http_port) if transport == "http" else (send_grpc, grpc_port)
            send(port, requests[:2])
            assert_stored(http_port, 2 * points)
            before = cpu_seconds(pid)
            send(port, requests[2:])
            assert_stored(http_port, (2 + count) * points)
            return (cpu_seconds(pid) - before) / (count * points) * 1e9

    track_cpu_ns_per_point.unit = "ns"
