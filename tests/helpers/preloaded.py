"""Runs Python in a child process with one of the C files of this directory preloaded."""

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
"""


def run_preloaded(name: str, code: str, directory: Path) -> Any:
    """The answer is what `code` leaves in `answer`, by JSON; RuntimeError with what it raised.

    `directory` is where the C file is compiled.
    """
    library = directory / f"{name}.so"
    compiler = os.environ.get("CC", "gcc")
    flags = ["-O1", "-shared", "-fPIC"]
    subprocess.run(
        [compiler, *flags, "-o", str(library), str(HERE / f"{name}.c"), "-ldl"], check=True
    )
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
