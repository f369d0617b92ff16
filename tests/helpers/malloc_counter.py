"""Counts calls of malloc in a child process: see malloc_counter.c."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

PRELUDE = """
import ctypes, json, sys
sys.path[:0] = {paths!r}
malloc_calls = ctypes.CDLL(None).malloc_calls
malloc_calls.restype = ctypes.c_ulong
def calls_of(run, *arguments):
    before = malloc_calls()
    run(*arguments)
    return malloc_calls() - before
"""


def count_mallocs(code: str, directory: Path) -> Any:
    """Runs `code` in an interpreter that counts; the answer is what it leaves in `answer`, by JSON.

    `code` may use calls_of(function, *arguments). `directory` is where the counter is compiled.
    """
    library = directory / "malloc_counter.so"
    source = HERE / "malloc_counter.c"
    command = [
        os.environ.get("CC", "gcc"),
        "-O1",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(source),
    ]
    subprocess.run(command, check=True)
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "asv_benchmarks")]
    script = PRELUDE.format(paths=paths) + code + "\nprint(json.dumps(answer))\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=dict(os.environ, LD_PRELOAD=str(library)),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)
