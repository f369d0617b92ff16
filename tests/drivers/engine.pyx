"""What tests and benchmarks do to an engine that no user does: hurry it, and make it fail."""
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.atomics cimport load32_relaxed, load_relaxed, monotonic_ns
from urpo_store.engine.memory.epoch cimport epoch_reclaim
from urpo_store.engine.identity.idle cimport series_evict_idle
from urpo_store.engine.core cimport Engine
from urpo_store.engine.drain cimport drain_all
from urpo_store.engine.maintenance cimport maintain_as_of
from urpo_store.engine.store cimport Store


cdef inline uint32_t second_in(uint32_t ahead) noexcept nogil:
    """The monotonic second `ahead` seconds from now."""
    return <uint32_t>(monotonic_ns() // 1000000000) + ahead


def drain(Engine engine not None):
    """Drain the ring now; returns slots passed."""
    cdef Store *store = engine.enter()
    cdef uint64_t passed
    with nogil:
        passed = drain_all(store)
    engine.leave()
    return passed


def maintain(Engine engine not None, uint32_t ahead=0):
    """Apply retention and memory limit now, and give back what waits.

    Idle series are judged as if it were `ahead` seconds later.
    """
    cdef Store *store = engine.enter()
    with nogil:
        maintain_as_of(store, True, second_in(ahead))
    engine.leave()


def evict_idle(Engine engine not None, uint32_t ahead):
    """Evict idle series as if it were `ahead` seconds later; returns how many."""
    cdef Store *store = engine.enter()
    cdef uint32_t evicted
    with nogil:
        evicted = series_evict_idle(&store.table, second_in(ahead),
                                    load32_relaxed(&store.table.series_limit))
        epoch_reclaim(&store.epochs)
    engine.leave()
    return evicted


def full_tails_sealed(Engine engine not None):
    """How many full tails were sealed outside the drain lock."""
    cdef Store *store = engine.enter()
    cdef uint64_t sealed = load_relaxed(&store.chunks.full_sealed)
    engine.leave()
    return sealed


def fail_allocation(Engine engine not None, uint64_t n):
    """Make the n-th allocation from now on fail (0: none); returns how many there have been."""
    cdef Store *store = engine.enter()
    cdef uint64_t calls = load_relaxed(&store.account.calls)
    store.account.fail_at = calls + n if n else 0
    engine.leave()
    return calls
