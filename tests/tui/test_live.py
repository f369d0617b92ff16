"""As a new user starts it: real receiver, real SDK with default settings, a real terminal."""

import base64
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from helpers.served import serving
from helpers.terminal import Driver, in_trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from urpo_store.api.client import HttpStorage
from urpo_store.tui import UrpoApp


def test_the_screen_says_what_to_do_until_data_comes_and_then_shows_health():
    """An SDK as it is out of the box: an export a minute, the old HTTP names."""

    async def watch(url, provider, duration):
        with HttpStorage(url) as storage:
            app = UrpoApp(storage, endpoint=url, interval=0)
            async with app.run_test(size=(100, 24)) as pilot:
                driver = Driver(app, pilot)
                await driver.settle()
                before = driver.text
                for _ in range(10):
                    duration.record(40, {"http.method": "GET", "http.status_code": 200})
                provider.force_flush()
                return before, await driver.press("R")

    import asyncio

    with serving() as (_, url, _):
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"))
        provider = MeterProvider([reader], resource=Resource({"service.name": "new-app"}))
        duration = provider.get_meter("app").create_histogram("http.server.duration", "ms")
        before, after = asyncio.run(watch(url, provider, duration))
        provider.shutdown()
    assert "Nothing has arrived yet." in before
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={url}" in before
    assert "OTEL_METRIC_EXPORT_INTERVAL=5000" in before
    row, detail = [line for line in after.splitlines() if line.startswith("new-app")]
    assert "0.0 %" in row and "ms" in row
    assert "http.server.duration" in detail


def test_a_server_that_is_gone_is_told_and_the_last_figures_stay(store):
    class Gone:
        """A storage that stops to answer."""

        def __init__(self):
            self.gone = False

        def __getattr__(self, name):
            from urpo_store.errors import UnreachableError

            if self.gone:
                raise UnreachableError(
                    "cannot reach http://127.0.0.1:1; is `urpo-store serve` running?"
                )
            return getattr(store, name)

    from helpers.terminal import drive

    storage = Gone()

    async def losing(driver):
        storage.gone = True
        return await driver.press("R")

    text = drive(losing, storage)
    assert "cannot reach http://127.0.0.1:1" in text and "checkout" in text


@pytest.fixture
def terminal():
    """The program on a terminal of 100 by 30, with both ports free ones."""
    parent, child = pty.openpty()
    os.set_blocking(parent, False)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    environment = dict(
        os.environ, URPO_STORE_GRPC_PORT="0", URPO_STORE_HTTP_PORT="0", TERM="xterm-256color"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "urpo_store.cli"],
        stdin=child,
        stdout=child,
        stderr=child,
        env=environment,
        start_new_session=True,
    )
    os.close(child)
    yield process, parent
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    os.close(parent)


def read_until(descriptor, pattern, seconds=30):
    seen = ""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([descriptor], [], [], 0.2)[0]:
            try:
                seen += os.read(descriptor, 65536).decode(errors="replace")
            except OSError:
                break
        found = re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen))
        if found:
            return found
    pytest.fail(f"{pattern!r} did not come; the terminal has {seen[-2000:]!r}")


def test_without_a_command_receiver_and_screen_start_together(terminal):
    process, descriptor = terminal
    found = read_until(descriptor, r"OTLP_ENDPOINT=(http://127\.0\.0\.1:\d+)")
    url = found[1]
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"))
    provider = MeterProvider([reader], resource=Resource({"service.name": "on-a-terminal"}))
    duration = provider.get_meter("app").create_histogram("http.server.duration", "ms")
    duration.record(40, {}, context=in_trace(1))
    provider.shutdown()
    read_until(descriptor, "on-a-terminal")
    # A trace id goes to the clipboard of whoever looks at this terminal, through any ssh.
    copying = r"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07"
    for key, answer in (("2", "Metrics"), ("\r", "p50 p95 p99"), ("e", "678a"), ("y", copying)):
        os.write(descriptor, key.encode())
        found = read_until(descriptor, answer)
    copied = base64.b64decode(found[1])
    assert copied == b"0000000000000000abcdef012345678a"
    os.write(descriptor, b"q")
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        # What it writes on its way out must be read, or it waits for us.
        if select.select([descriptor], [], [], 0.1)[0]:
            try:
                os.read(descriptor, 65536)
            except OSError:
                break
    assert process.wait(10) == 0


def test_ui_tells_an_address_that_is_wrong():
    done = subprocess.run(
        [sys.executable, "-m", "urpo_store.cli", "ui", "--url", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "http://127.0.0.1:9" in done.stderr
