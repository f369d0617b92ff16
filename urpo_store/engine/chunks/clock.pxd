# Clocks: timestamp columns that series share.
#
# The series of one clock group (one exporter: a resource) are mostly written at the same times. A
# clock is the ascending list of those times, its *ticks*, numbered from 0; a chunk of a series says
# which ticks it has. The ticks stand in blocks of CHUNK_POINTS: the newest block is raw and grows,
# those behind it are encoded (encode_times).
#
# Groups are small numbers (ids of resources): the table has an entry for each up to the largest.
# A group has a first clock, and others for series whose times are regularly apart from those of the
# first (some SDKs stamp each instrument some microseconds apart).
#
# Invariants
# (1) Everything is written under the drain lock, but a block's bytes never change once they are
#     there: ticks are only added behind the ones that a reader was told of, a block that grows is
#     copied, and the old one is retired through epochs.
# (2) TickBlock.references counts the chunks and tails that have ticks in the block. A block behind
#     the newest with none is unlinked and retired.
# (3) Clock.users counts tails and chunks. A clock with none is freed.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cimport cython

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.codec.columns cimport CHUNK_POINTS
from urpo_store.engine.chunks.work cimport Work

cdef enum:
    GROUP_CLOCKS = 16           # clocks of a group, at most
    TICK_UNKNOWN = -1           # older than the newest tick, and no tick
    TICK_NO_MEMORY = -2

cdef struct TickBlock:
    uint64_t serial             # constant; never given twice
    int64_t first, last         # times; under the lock
    uint64_t references         # under the lock
    uint32_t count, capacity    # ticks; under the lock
    uint32_t length             # constant: bytes encoded, 0 when raw
    uint32_t padding
    # the ticks, i64 each, or the encoded bytes follow

cdef struct Clock:
    Clock *next                 # of the same group
    uint32_t id                 # from 1
    uint32_t group
    uint64_t users
    TickBlock **blocks          # of the numbers first_block.., NULL where retired
    size_t block_count, block_capacity
    uint32_t first_block
    uint32_t ticks              # the number of the next tick
    int64_t last                # the newest tick

cdef struct ClockTable:
    Account *account
    Epochs *epochs
    uint64_t *bytes             # the counter of sealed bytes
    uint64_t serial
    Clock **clocks              # by id; NULL where free
    size_t clock_count, clock_capacity
    Clock **groups              # by group, the first clock of each
    size_t group_count, group_capacity

cdef void clock_table_init(ClockTable *table, Account *account, Epochs *epochs, uint64_t *bytes) noexcept nogil
cdef void clock_table_destroy(ClockTable *table) noexcept nogil
cdef Clock *clock_of_group(ClockTable *table, uint32_t group) noexcept nogil           # the first, or NULL
cdef Clock *clock_new(ClockTable *table, uint32_t group) noexcept nogil                # users 0; NULL: no memory, or too many
cdef void clock_drop_unused(ClockTable *table, Clock *clock) noexcept nogil            # frees it if it has no users
# The number of the tick at `time`, or TICK_UNKNOWN or TICK_NO_MEMORY. `hint`: where it may well be.
cdef int64_t clock_find(ClockTable *table, Work *work, const Clock *clock, int64_t time, int64_t hint) noexcept nogil
# The same; a time newer than all ticks becomes one.
cdef int64_t clock_tick(ClockTable *table, Work *work, Clock *clock, int64_t time, int64_t hint) noexcept nogil
# A user's claim to the ticks first..last, its extension, and its end.
cdef void clock_hold(Clock *clock, uint32_t first, uint32_t last) noexcept nogil
cdef void clock_extend(Clock *clock, uint32_t last, uint32_t new_last) noexcept nogil
cdef void clock_release(ClockTable *table, Clock *clock, uint32_t first, uint32_t last) noexcept nogil

@cython.cdivision(True)
cdef inline uint32_t block_number(uint32_t tick) noexcept nogil:
    return tick // CHUNK_POINTS

cdef inline TickBlock *clock_block(const Clock *clock, uint32_t number) noexcept nogil:
    return clock.blocks[number - clock.first_block]

cdef inline Clock *clock_get(const ClockTable *table, uint32_t id) noexcept nogil:
    return table.clocks[id]

# The times of a block, decoded if need be; NULL: no memory. No lock: inside an epoch.
cdef const int64_t *block_times(Work *work, const TickBlock *block) noexcept nogil
# Copies the times of ticks first..first + count - 1; `blocks` are those of block_number(first) on;
# the times of ticks in a block that is NULL stay as they are. 0 or -1. No lock: inside an epoch.
cdef int gather_times(Work *work, TickBlock **blocks, uint32_t first, size_t count, int64_t *out) noexcept nogil
