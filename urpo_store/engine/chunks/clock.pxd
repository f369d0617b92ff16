# Clocks: timestamp columns that series share.
#
# Series of one clock group (one exporter: a resource) are mostly written at the same times. A clock
# is the ascending list of those times, its *ticks*, numbered from 0. A chunk says which ticks its
# points have. Ticks are kept in blocks of CHUNK_POINTS: the newest block is raw and grows, the
# blocks before it are encoded (encode_times). chunks/ticks.pxd reads them.
#
# Groups are small numbers (ids of resources): the table has an entry for each up to the largest. A
# group has a first clock, and more for series whose times are regularly apart from those of the
# first (some SDKs stamp each instrument some microseconds apart).
#
# "The lock" here is the drain lock. All functions are called under it.
#
# Invariants
# (1) Everything is written under the lock. Bytes of a block never change once a reader was told of
#     them: ticks are added behind those; a block that grows is copied, and the old one is retired
#     through epochs.
# (2) TickBlock.references counts the chunks and tails that have ticks in the block. Without any, a
#     block that is not the newest is unlinked and retired.
# (3) Clock.users counts tails and chunks. A clock without any is freed.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.chunks.ticks cimport TickSpan, block_number
from urpo_store.engine.chunks.types cimport Clock, ClockTable, TickBlock, Work

cdef enum:
    GROUP_CLOCKS = 16           # clocks of a group, at most
    TICK_UNKNOWN = -100         # no tick has this time; apart from all status codes

cdef inline TickBlock *clock_block(const Clock *clock, uint32_t number) noexcept nogil:
    return clock.blocks[number - clock.first_block]


cdef inline Clock *clock_get(const ClockTable *table, uint32_t id) noexcept nogil:
    return table.clocks[id]


# `bytes` is the counter to which blocks are added.
cdef void clock_table_init(
    ClockTable *table, Account *account, Epochs *epochs, uint64_t *bytes
) noexcept nogil
cdef void clock_table_destroy(ClockTable *table) noexcept nogil
# The group's first clock; NULL: it has none.
cdef Clock *clock_of_group(ClockTable *table, uint32_t group) noexcept nogil
# A new clock without users. NULL: there can be none (GROUP_CLOCKS, or no memory).
cdef Clock *clock_new(ClockTable *table, uint32_t group) noexcept nogil
# Frees the clock if it has no users.
cdef void clock_drop_unused(ClockTable *table, Clock *clock) noexcept nogil

# The number of the tick at `time`, TICK_UNKNOWN, or the status of what went wrong. `hint` is a tick
# number to try first; any number will do.
cdef int64_t clock_find(Work *work, const Clock *clock, int64_t time, int64_t hint) noexcept nogil
# The same; a time newer than all ticks becomes one. TICK_UNKNOWN: not a tick, and too old to become
# one, or the clock is full.
cdef int64_t clock_tick(
    ClockTable *table, Work *work, Clock *clock, int64_t time, int64_t hint
) noexcept nogil
# Sets *time to the time of a tick. OK, NO_MEMORY or BAD_BYTES. REQUIRES: it is held.
cdef int clock_time(Work *work, const Clock *clock, uint32_t tick, int64_t *time) noexcept nogil

# A user claims ticks first..last, extends its claim from `last` to `new_last`, and gives it back.
cdef void clock_hold(Clock *clock, uint32_t first, uint32_t last) noexcept nogil
cdef void clock_extend(Clock *clock, uint32_t last, uint32_t new_last) noexcept nogil
cdef void clock_release(
    ClockTable *table, Clock *clock, uint32_t first, uint32_t last
) noexcept nogil

# The spans of ticks first..last, one a block, into `spans`; returns how many. They may be read
# without the lock, inside an epoch that was entered before. REQUIRES: the ticks are held.
cdef uint32_t clock_spans(
    const Clock *clock, uint32_t first, uint32_t last, TickSpan *spans
) noexcept nogil
# As gather_times (chunks/ticks.pxd), under the lock. REQUIRES: the ticks are held.
cdef int clock_gather(
    Work *work, const Clock *clock, uint32_t first, size_t count, int64_t *out
) noexcept nogil


cdef inline uint32_t span_count(uint32_t first, uint32_t last) noexcept nogil:
    """How many spans ticks first..last have."""
    return block_number(last) - block_number(first) + 1
