# Idle series: how a series is seen, and how one that was not seen for long is evicted.
#
# A call that is about to publish a point of a series, and the evictor that finds the series idle,
# take no common lock:
#
#   a call: series_touch, in an epoch            the evictor: evict_idle, under SeriesTable.lock
#   ---------------------------------            -----------------------------------------------
#   T1  looks at `seen`; unless it is this       V1  looks at `seen`: the series is idle
#       second, stores this second               V2  stores the mark SERIES_EVICTED in `flags`
#   T2  looks at `flags`: with the mark, the     V3  looks at `seen` again; if a call stored it
#       point needs another series                   meanwhile, V4 takes the mark back
#       (series_add)                             V5  else unlinks the series, and retires it and
#   T3  publishes the point                          its id behind the drain
#
# Claim: if T2 finds no mark, V3 finds the touch. So no call publishes a point of a series that
# leaves.
#
# Proof. T1, T2, V2 and V3 are sequentially consistent: they have one order S, and it agrees with
# each thread's program order.
#   T1 stored.  T2 found no mark, so T2 < V2. Then T1 < T2 < V2 < V3: V3 reads what T1 stored, or
#   later.
#   T1 stored nothing, for `seen` held this second. Another touch T1' stored it: T1' < T1 < T2, and
#   the rest is the same.
# Both may notice the other. Then V4 keeps the series, and the call finds it again in series_add,
# which waits for the lock.
#
# Why both orders are needed. Each side writes what the other reads, and then reads what the other
# writes. If T2 came before T1, the evictor could run V1 to V5 between the two; if V3 came before
# V2, the call T1 to T3. Either way the point is acknowledged and lost.
#   C11     Release and acquire do not keep a store before a later load of another variable, so each
#           side could read before its own store is visible, and both would miss. Only sequentially
#           consistent stores and loads, all four, keep it.
#   x86-64  A plain store waits in the store buffer, and a later load passes it: the same hole. A
#           sequentially consistent store is an `xchg`, which empties the buffer first. The loads
#           are plain `mov`: loads do not pass loads. So a series that was seen this second costs
#           two.
#
# V1 is relaxed: it only spares the rest, V3 decides. V4 is relaxed: a call that still sees the mark
# takes the slow way, and finds the series there.
#
# A call that enters its epoch after V5 sees the mark, whatever hint leads it to the series: the
# retiring raises the epoch after V2, and the call reads the raised one (R1 and E2 in
# memory/epoch.pyx). series_add stores `seen` under the lock, so the evictor comes before, and it
# finds another series, or after, and sees what it stored.
#
# A call that stands still for IDLE_SECONDS between T2 and T3 is beyond the claim: its point goes
# with the series, and is counted in evicted_points.
from libc.stdint cimport uint32_t

from urpo_store.engine.memory.atomics cimport load32_seq_cst, monotonic_ns, store32_seq_cst
from urpo_store.engine.identity.types cimport SERIES_EVICTED, Series, SeriesTable

cdef enum:
    IDLE_SECONDS = 600          # a series is idle when nothing arrived for so long


# Says that a point came for the series in this monotonic second. False: the series has been evicted
# meanwhile, and the point needs another one (series_add).
# REQUIRES: the caller is inside the epoch in which it found the series.
cdef inline bint series_touch(Series *series, uint32_t second) noexcept nogil:
    if load32_seq_cst(&series.seen) != second:                      # T1
        store32_seq_cst(&series.seen, second)                       # T1
    return not load32_seq_cst(&series.flags) & SERIES_EVICTED       # T2


# The second of the monotonic clock that series_touch means.
cdef inline uint32_t second_now() noexcept nogil:
    return <uint32_t>(monotonic_ns() // 1000000000)


# Evicts series that were idle for IDLE_SECONDS before `now`, at most `most`. Returns how many.
# Takes the lock. Their memory comes back by epoch_reclaim, which takes the hooks' walk_lock.
cdef uint32_t series_evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil
# The same. REQUIRES: the caller holds the lock.
cdef uint32_t evict_idle(SeriesTable *table, uint32_t now, uint32_t most) noexcept nogil
