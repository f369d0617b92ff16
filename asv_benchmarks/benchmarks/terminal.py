"""The terminal UI beside a busy store: 200 services, 10,000 series, 50,000 points a second.

Five processes: `serve`; one that sends, and notes how long each request takes; `ui` on a pseudo
terminal of 200 columns by 60 lines; one on another terminal that only echoes, as a control; and this
one, which types, and reads what is painted.
"""

import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from .server import cpu_seconds, serving

SECONDS = 16
ROOT = Path(__file__).resolve().parents[2]

#: Keys, and what the terminal must have been sent before a user sees the answer.
KEYS = (
    ("G", rb""),  # nothing changes if the cursor is on the last row
    ("k", rb"\x1b\["),
    ("j", rb"\x1b\["),
    ("s", rb" [v^][ \x1b]"),
    ("2", rb"Metrics"),
    ("\r", rb"Metric\x1b"),
    ("v", rb"\x1b\["),
    ("3", rb"What arrived"),
    ("1", rb"Services"),
    ("\r", rb"Service\x1b"),
    ("1", rb"Services"),
    ("S", rb" [v^][ \x1b]"),
    ("s", rb" [v^][ \x1b]"),
)

SEND = """
import http.client, json, sys, time
sys.path[:0] = PATHS
from benchmarks.common import Mix
mix = Mix(10_000, per_service=50)
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
taken = []
deadline = time.monotonic() + float(sys.argv[2])
next_one = time.monotonic()
while time.monotonic() < deadline:
    body = mix.next(time.time_ns())
    next_one = max(next_one + 0.2, time.monotonic())
    time.sleep(max(next_one - time.monotonic(), 0))
    begin = time.perf_counter()
    connection.request("POST", "/v1/metrics", body, {"Content-Type": "application/x-protobuf"})
    answer = connection.getresponse()
    assert answer.status == 200 and not answer.read()
    taken.append(time.perf_counter() - begin)
print(json.dumps(taken))
"""


def sender(port, seconds):
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "asv_benchmarks")]
    code = SEND.replace("PATHS", repr(paths))
    command = [sys.executable, "-c", code, str(port), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


ECHO = """
import os, tty
tty.setraw(0)
os.write(1, b"ready")
while (key := os.read(0, 1)) != b"q":
    os.write(1, key)
"""


class Terminal:
    """A Python program on a pseudo terminal."""

    def __init__(self, *arguments):
        self.descriptor, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=child,
            stdout=child,
            stderr=child,  # where Textual paints
            env=dict(os.environ, PYTHONPATH=str(ROOT), TERM="xterm-256color"),
        )
        os.close(child)

    def read(self, seconds, pattern=None):
        """Reads until what came matches, or so many seconds have passed; how many did."""
        begin, seen = time.perf_counter(), b""
        while (left := seconds - (time.perf_counter() - begin)) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                seen += os.read(self.descriptor, 1 << 16)
                if pattern is not None and re.search(pattern, seen):
                    return time.perf_counter() - begin
        if pattern is not None:
            raise RuntimeError(f"{pattern!r} was not painted in {seconds} s, but {seen[-500:]!r}")
        return time.perf_counter() - begin

    def press(self, key, pattern):
        """Milliseconds until the answer is painted."""
        os.write(self.descriptor, key.encode())
        return 1e3 * self.read(10, pattern)

    def close(self):
        os.write(self.descriptor, b"q")
        with suppress(OSError):  # the end of the terminal
            while self.process.poll() is None:
                self.read(0.1)
        self.process.wait()
        os.close(self.descriptor)


@contextmanager
def looking(*arguments):
    terminal = Terminal(*arguments)
    try:
        yield terminal
    finally:
        terminal.close()


def watch(url):
    """(share of a core, milliseconds that each answer to a key took, and each echo)"""
    answers, echoes = [], []
    ui = ("-m", "urpo_store.cli", "ui", "--url", url)
    with looking(*ui) as terminal, looking("-c", ECHO) as control:
        control.read(20, b"ready")
        terminal.read(20, rb"service-1")
        terminal.read(2)
        pid = terminal.process.pid
        cpu, begin = cpu_seconds(pid), time.monotonic()
        while time.monotonic() - begin < SECONDS:
            for key, pattern in KEYS:
                if pattern:
                    answers.append((terminal.press(key, pattern), key))
                else:
                    os.write(terminal.descriptor, key.encode())
                terminal.read(0.25)
                echoes.append(control.press("x", b"x"))
                terminal.read(0.25)
        share = (cpu_seconds(pid) - cpu) / (time.monotonic() - begin)
    if os.environ.get("URPO_BENCH_KEYS"):
        print(sorted(answers)[-12:], sorted(echoes)[-3:], file=sys.stderr)
    return share, [taken for taken, _ in answers], echoes


class Busy:
    timeout = 300

    def setup_cache(self):
        """One server: requests alone, watched, and alone again."""
        with serving() as (_, port, _):
            process = sender(port, 3 * SECONDS)
            time.sleep(SECONDS)
            begin = time.monotonic()
            share, answers, echoes = watch(f"http://127.0.0.1:{port}")
            # 5 requests a second.
            first, last = 5 * SECONDS, 5 * int(SECONDS + time.monotonic() - begin)
            taken = json.loads(process.communicate()[0])
        alone = statistics.median(taken[10:first] + taken[last:])
        return {
            "share": share,
            "median": statistics.median(answers),
            "longest": max(answers),
            "echo": max(echoes),
            "watched": statistics.median(taken[first:last]) / alone,
        }

    def track_share_of_a_core(self, found):
        return found["share"]

    def track_longest_answer_to_a_key(self, found):
        return found["longest"]

    def track_median_answer_to_a_key(self, found):
        return found["median"]

    def track_longest_echo(self, found):
        """By the control: what is the machine's, not ours."""
        return found["echo"]

    def track_request_watched_over_alone(self, found):
        """Median time of a request of 10,000 points while the UI looks, over that without it."""
        return found["watched"]

    track_longest_answer_to_a_key.unit = "ms"
    track_median_answer_to_a_key.unit = "ms"
    track_longest_echo.unit = "ms"
    track_request_watched_over_alone.unit = "x"
