"""A `serve` in a process of its own: what is sent to it, what that cost, and whether it still works."""

import http.client
import itertools
import os
import re
import struct
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from helpers.floods import field
from urpo_store.api.client import HttpStorage

MIB = 1 << 20
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
NOW = time.time_ns()
TIME = b"\x19" + struct.pack("<Q", NOW)
VALUE = b"\x21" + bytes(8)
NANOSECONDS = itertools.count()
SERVE = ("-m", "urpo_store.cli", "serve", "--grpc-port", "0", "--http-port", "0")


def run(*arguments, **environment):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "urpo_store.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )


@contextmanager
def serving(*flags, program=SERVE):
    """A `serve` on free ports: (process, HTTP url, gRPC port)."""
    command = [sys.executable, *program, *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+) \(gRPC\) and 127\.0\.0\.1:(\d+) \(HTTP\)", line)
        assert found, line + process.stdout.read()
        yield process, f"http://127.0.0.1:{found[2]}", int(found[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def request(point: bytes, name: bytes = b"hostile", data: int = 5, copies: int = 1) -> bytes:
    """A request of one metric; 5: gauge, 9: histogram, 10: exponential histogram."""
    temporality = b"\x10\x02" if data != 5 else b""
    metric = field(1, name) + field(data, field(1, point) * copies + temporality)
    return field(1, field(2, field(2, metric)))


def gauge_request() -> bytes:
    """A good one, with a time of its own."""
    return request(b"\x19" + struct.pack("<Q", NOW + next(NANOSECONDS)) + VALUE, name=b"good")


class Served:
    """A running `serve`, and what a test wants to know of it."""

    def __init__(self, process, url: str, grpc_port: int) -> None:
        self.pid = process.pid
        self.url = url
        self.storage = HttpStorage(url)
        self.http = ("127.0.0.1", urlsplit(url).port)
        self.grpc = ("127.0.0.1", grpc_port)
        self.works()

    def channel(self, fresh: bool = False, **options) -> grpc.Channel:
        """Channels share connections, except those that are `fresh`."""
        settings = [
            ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", int(fresh)),
        ]
        return grpc.insecure_channel("{}:{}".format(*self.grpc), options=settings, **options)

    def post(self, body: bytes, headers: dict[str, str] = PROTOBUF, method: str = "POST"):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection(*self.http, timeout=60)
        try:
            # Refused while it is being sent: the answer is there all the same.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, "/v1/metrics", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def call(self, body: bytes, **options):
        """(status, answer or message) of one call on a channel of its own."""
        with self.channel(**options) as channel:
            try:
                return grpc.StatusCode.OK, channel.unary_unary(EXPORT)(body, timeout=60)
            except grpc.RpcError as error:
                return error.code(), error.details()

    def memory(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split(name + ":")[1].split()[0]) * 1024

    @contextmanager
    def unharmed(self, most: int):
        """What happens inside costs at most `most` bytes of memory; afterwards everything works."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # The peak is counted from here.
        before = self.memory("VmRSS")
        yield
        cost = self.memory("VmHWM") - before
        assert cost < most, f"{cost / MIB:.0f} MiB"
        self.works()

    def works(self) -> None:
        """The next good request, by both receivers, is answered within a second and stored."""
        begin = time.monotonic()
        before = self.storage.stats().accepted_points
        assert self.post(gauge_request())[::2] == (200, b"")
        assert self.call(gauge_request()) == (grpc.StatusCode.OK, b"")
        assert self.storage.stats().accepted_points == before + 2
        assert time.monotonic() - begin < 1


def status_of(answer) -> Status:
    """The google.rpc.Status in an answer of `post`, in the form that its Content-Type says."""
    _, headers, body = answer
    if headers["Content-Type"] == "application/json":
        return json_format.Parse(body, Status())
    assert headers["Content-Type"] == "application/x-protobuf"
    return Status.FromString(body)
