"""A store is made in stages; here, each allocation of its opening fails, and nothing stays behind."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from helpers.engines import make_engine, request_of
from helpers.preloaded import run_preloaded

OPENING = """
import gc
from helpers.engines import make_engine
library = ctypes.CDLL(None)
fails, blocks = library.malloc_fails, library.malloc_blocks
fails.argtypes = [ctypes.c_ulong]
blocks.restype = ctypes.c_long

def opened(n):
    '''Whether an engine opens although the n-th allocation from now on fails.'''
    fails(n)
    try:
        engine = make_engine(background=False)
    except (MemoryError, RuntimeError):
        # The second is Python's own for a lock of the engine's that it has no memory for.
        return False
    finally:
        fails(0)
    engine.close()
    return True

def left(n):
    '''Blocks that each attempt leaves behind. Python's own caches settle first.'''
    for _ in range(3):
        opened(n)
    gc.collect()
    before = blocks()
    for _ in range(5):
        opened(n)
    gc.collect()
    return (blocks() - before) // 5

opened(0)
answer = [(opened(n), left(n)) for n in range(1, 80)]
"""


@pytest.mark.skipif(
    sys.version_info >= (3, 13),
    reason="malloc fails for Python too, whose own way with that was tried on 3.11 and 3.12 only",
)
def test_without_memory_at_any_moment_of_opening_nothing_is_left(tmp_path: Path) -> None:
    found = run_preloaded("malloc_failer", OPENING, tmp_path)
    failures = [n for n, (opened, _) in enumerate(found, 1) if not opened]
    assert len(failures) >= 10
    # Behind the last allocation of an opening, none fails any more.
    assert found[-1][0]
    assert {n: blocks for n, (_, blocks) in enumerate(found, 1) if blocks} == {}


def test_a_ring_that_no_memory_has_is_no_store() -> None:
    with pytest.raises(MemoryError, match="no memory for the hot ring"):
        make_engine(ring_slots=1 << 50)


def test_series_of_a_store_lead_to_chunks_and_to_health() -> None:
    """The hooks by which the index tells the others of a new series."""
    with contextlib.closing(make_engine(background=False)) as engine:
        engine.ingest(request_of(5, series=3, service="shop").SerializeToString())
        engine.compress_cold()
        stats = engine.stats()
        assert (stats["series"], stats["points"]) == (3, 15)
        assert stats["compressed_points"] == 15
        assert engine.services() == ["shop"]
