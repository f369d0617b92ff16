"""The terminal UI beside a busy store: 200 services, 10,000 series, 50,000 points a second.

Three processes: `serve`; one that sends, and notes how long each request takes; and this one, with the
UI (drawing into nowhere, 200 columns by 60 lines) attached over HTTP.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from urpo_store.client import HttpStorage
from urpo_store.tui import UrpoApp

from .server import serving

SECONDS = 20
ROOT = Path(__file__).resolve().parents[2]

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
taken.sort()
print(json.dumps({"median": taken[len(taken) // 2], "requests": len(taken)}))
"""


def sender(port, seconds):
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "asv_benchmarks")]
    code = SEND.replace("PATHS", repr(paths))
    command = [sys.executable, "-c", code, str(port), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def watch(url):
    """(share of a core, the longest answer to a key in ms)"""
    keys = ["down", "up", "s", "2", "down", "enter", "v", "escape", "3", "1", "enter", "escape"]
    app = UrpoApp(HttpStorage(url), endpoint=url)
    longest = 0.0
    async with app.run_test(size=(200, 60)) as pilot:
        await asyncio.sleep(2)
        cpu, begin = time.process_time(), time.monotonic()
        while time.monotonic() - begin < SECONDS:
            for key in keys:
                pressed = time.monotonic()
                await pilot.press(key)
                longest = max(longest, time.monotonic() - pressed)
                await asyncio.sleep(0.5)
        return (time.process_time() - cpu) / (time.monotonic() - begin), 1e3 * longest


class Busy:
    """pilot.press returns when the key has been handled and the screen drawn again."""

    timeout = 300

    def setup_cache(self):
        found = {}
        with serving() as (_, port, _):
            process = sender(port, SECONDS / 2)
            found["alone"] = json.loads(process.communicate()[0])
        with serving() as (_, port, _):
            process = sender(port, SECONDS + 6)
            time.sleep(3)
            found["share"], found["key"] = asyncio.run(watch(f"http://127.0.0.1:{port}"))
            found["watched"] = json.loads(process.communicate()[0])
        return found

    def track_share_of_a_core(self, found):
        return found["share"]

    def track_longest_answer_to_a_key(self, found):
        return found["key"]

    def track_request_watched_over_alone(self, found):
        """Median time of a request of 10,000 points while the UI looks, over that without it."""
        return found["watched"]["median"] / found["alone"]["median"]

    track_longest_answer_to_a_key.unit = "ms"
    track_request_watched_over_alone.unit = "x"
