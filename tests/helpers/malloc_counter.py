"""Counts calls of malloc in a child process: see malloc_counter.c."""

from pathlib import Path
from typing import Any

from helpers.preloaded import run_preloaded

PRELUDE = """
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
    return run_preloaded("malloc_counter", PRELUDE + code, directory)
