"""Two threads that send known series never wait for each other: no futex call, counted by strace."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each thread has a service of its own, for the one lock on this path is that of a service's health.
SCRIPT = """
import ctypes, os, threading
import urpo_store
from benchmarks.common import Mix

COUNT, WARM = 60, 10
one = Mix(500).many(COUNT)
two = [request.replace(b"service-0", b"service-1") for request in one]
store = urpo_store.open(retention=None, ring_slots=1 << 19, drain_interval="1h")
for batch in (one, two):
    for request in batch[:WARM]:
        store.ingest(request)
barrier = threading.Barrier(2)
nowhere = os.open(os.devnull, os.O_WRONLY)

def send(batch):
    barrier.wait()
    os.write(nowhere, b"begin")
    for request in batch[WARM:]:
        store.ingest(request)
    os.write(nowhere, b"end")

threads = [threading.Thread(target=send, args=(batch,)) for batch in (one, two)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stats = store.stats()
assert stats.points == stats.ring_points == 2 * COUNT * 500 and stats.services == 2
print(ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime")))
"""

#: The interpreter's own lock lies in its static memory, at most so far behind `_PyRuntime`.
RUNTIME_BYTES = 1 << 21


def can_trace() -> bool:
    strace = shutil.which("strace")
    return strace is not None and subprocess.run([strace, "-o", os.devnull, "true"]).returncode == 0


@pytest.mark.skipif(not can_trace(), reason="no strace here, or it may not trace")
def test_known_series_take_no_lock(tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "asv_benchmarks")]
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=futex,write", sys.executable]
    done = subprocess.run(
        [*command, "-c", SCRIPT],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths), OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    runtime = int(done.stdout)
    between: set[str] = set()
    finished = 0
    waits = []
    for line in log.read_text().splitlines():
        thread, _, call = line.partition(" ")
        if '"begin"' in call:
            between.add(thread)
        elif '"end"' in call:
            between.remove(thread)
            finished += 1
        elif thread in between and (found := re.search(r"futex\(0x([0-9a-f]+),", call)):
            address = int(found[1], 16)
            if not runtime <= address < runtime + RUNTIME_BYTES:
                waits.append(call)
    assert finished == 2
    assert not waits
