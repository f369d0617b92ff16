"""Shared timestamp columns; the contract is in chunks/clock.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_grow
from urpo_store.engine.memory.epoch cimport Epochs, mem_retire
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.codec.columns cimport CHUNK_POINTS, codec_bound, encode_times
from urpo_store.engine.chunks.ticks cimport (
    TickSpan, block_number, block_place, cached_times, gather_times, span_times,
)
from urpo_store.engine.chunks.types cimport Work
from urpo_store.engine.chunks.work cimport work_out

cdef enum:
    MAX_TICKS = 0xFFFFFF00      # a clock takes no tick beyond this number
    FIRST_TICKS = 8             # a new block's room; it grows by four


cdef inline int64_t *raw_ticks(const TickBlock *block) noexcept nogil:
    return <int64_t *>(block + 1)


cdef inline uint64_t block_bytes(const TickBlock *block) noexcept nogil:
    """What a block counts for in stored bytes: what it holds, whatever room it has."""
    return sizeof(TickBlock) + (block.length if block.length else 8 * block.count)


cdef void retire_block(ClockTable *table, TickBlock *block) noexcept nogil:
    table.bytes[0] -= block_bytes(block)
    mem_retire(table.epochs, table.account, block)


# The table

cdef void clock_table_init(
    ClockTable *table, Account *account, Epochs *epochs, uint64_t *bytes
) noexcept nogil:
    memset(table, 0, sizeof(ClockTable))
    table.account = account
    table.epochs = epochs
    table.bytes = bytes


cdef void free_clock(ClockTable *table, Clock *clock) noexcept nogil:
    cdef size_t i
    for i in range(clock.block_count):
        if clock.blocks[i] != NULL:
            retire_block(table, clock.blocks[i])
    table.clocks[clock.id] = NULL
    mem_free(table.account, clock.blocks)
    mem_free(table.account, clock)


cdef void clock_table_destroy(ClockTable *table) noexcept nogil:
    cdef size_t i
    for i in range(table.clock_count):
        if table.clocks[i] != NULL:
            free_clock(table, table.clocks[i])
    mem_free(table.account, table.clocks)
    mem_free(table.account, table.groups)
    clock_table_init(table, table.account, table.epochs, table.bytes)


cdef Clock *clock_of_group(ClockTable *table, uint32_t group) noexcept nogil:
    return table.groups[group] if group < table.group_count else NULL


cdef Clock *clock_new(ClockTable *table, uint32_t group) noexcept nogil:
    cdef Clock *clock
    cdef Clock **link
    cdef size_t id = 1, n = 0
    if mem_grow(
        table.account, <void **>&table.groups, &table.group_capacity, <size_t>group + 1,
        sizeof(Clock *),
    ) != OK:
        return NULL
    while table.group_count <= group:
        table.groups[table.group_count] = NULL
        table.group_count += 1
    link = &table.groups[group]
    while link[0] != NULL:
        link = &link[0].next
        n += 1
    if n == GROUP_CLOCKS:
        return NULL
    # Ids are reused lowest first; 0 stands for "no clock".
    while id < table.clock_count and table.clocks[id] != NULL:
        id += 1
    if mem_grow(
        table.account, <void **>&table.clocks, &table.clock_capacity, id + 1, sizeof(Clock *)
    ) != OK:
        return NULL
    while table.clock_count <= id:
        table.clocks[table.clock_count] = NULL
        table.clock_count += 1
    clock = <Clock *>mem_calloc(table.account, sizeof(Clock))
    if clock == NULL:
        return NULL
    clock.id = <uint32_t>id
    clock.group = group
    table.clocks[id] = clock
    link[0] = clock
    return clock


cdef void clock_drop_unused(ClockTable *table, Clock *clock) noexcept nogil:
    cdef Clock **link
    if clock.users:
        return
    link = &table.groups[clock.group]
    while link[0] != clock:
        link = &link[0].next
    link[0] = clock.next
    free_clock(table, clock)


# Ticks

cdef TickBlock *new_block(ClockTable *table, uint32_t capacity) noexcept nogil:
    cdef TickBlock *block = <TickBlock *>mem_alloc(table.account, sizeof(TickBlock) + 8 * capacity)
    if block == NULL:
        return NULL
    memset(block, 0, sizeof(TickBlock))
    table.serial += 1
    block.serial = table.serial
    block.capacity = capacity
    return block


cdef void trim(Clock *clock) noexcept nogil:
    """Forgets the retired blocks in front."""
    cdef size_t n = 0
    while n < clock.block_count and clock.blocks[n] == NULL:
        n += 1
    if n:
        memmove(clock.blocks, clock.blocks + n, (clock.block_count - n) * sizeof(TickBlock *))
        clock.block_count -= n
        clock.first_block += <uint32_t>n


cdef void close_block(ClockTable *table, Work *work, Clock *clock) noexcept nogil:
    """Encodes the newest block, which is full. Without memory it stays raw, which is as good."""
    cdef TickBlock *raw = clock.blocks[clock.block_count - 1]
    cdef TickBlock *block
    cdef size_t length
    if raw.references == 0:
        clock.blocks[clock.block_count - 1] = NULL
        retire_block(table, raw)
        return
    if work_out(work, codec_bound(CHUNK_POINTS)) != OK:
        return
    length = encode_times(raw_ticks(raw), CHUNK_POINTS, work.out, work.codec)
    block = <TickBlock *>mem_alloc(table.account, sizeof(TickBlock) + length)
    if block == NULL:
        return
    block[0] = raw[0]
    table.serial += 1
    block.serial = table.serial
    block.length = <uint32_t>length
    memcpy(block + 1, work.out, length)
    clock.blocks[clock.block_count - 1] = block
    table.bytes[0] += block_bytes(block)
    retire_block(table, raw)


cdef int widen_block(ClockTable *table, Clock *clock, TickBlock *block) noexcept nogil:
    """Puts a copy with more room in the place of the newest block. OK or NO_MEMORY."""
    cdef uint32_t capacity = block.capacity * 4
    cdef TickBlock *larger = new_block(table, min(capacity, <uint32_t>CHUNK_POINTS))
    if larger == NULL:
        return NO_MEMORY
    memcpy(larger + 1, block + 1, 8 * block.count)
    larger.first = block.first
    larger.last = block.last
    larger.references = block.references
    larger.count = block.count
    clock.blocks[clock.block_count - 1] = larger
    table.bytes[0] += block_bytes(larger)
    retire_block(table, block)
    return OK


cdef int open_block(ClockTable *table, Work *work, Clock *clock) noexcept nogil:
    """Room for one more tick in the newest block. OK or NO_MEMORY."""
    cdef TickBlock *block = NULL
    cdef TickBlock *fresh
    if clock.block_count:
        block = clock.blocks[clock.block_count - 1]
    if block != NULL and block.count < block.capacity:
        return OK
    if block != NULL and block.count < CHUNK_POINTS:
        return widen_block(table, clock, block)
    if mem_grow(
        table.account, <void **>&clock.blocks, &clock.block_capacity, clock.block_count + 1,
        sizeof(TickBlock *),
    ) != OK:
        return NO_MEMORY
    fresh = new_block(table, FIRST_TICKS if block == NULL else CHUNK_POINTS)
    if fresh == NULL:
        return NO_MEMORY
    if block != NULL:
        close_block(table, work, clock)
    clock.blocks[clock.block_count] = fresh
    clock.block_count += 1
    table.bytes[0] += block_bytes(fresh)
    trim(clock)
    return OK


# Times of ticks

cdef inline void block_span(const TickBlock *block, TickSpan *span) noexcept nogil:
    span.bytes = <const uint8_t *>(block + 1)
    span.serial = block.serial
    span.raw = block.length == 0
    span.length = 8 * block.count if span.raw else block.length
    span.count = block.count


cdef int block_times(Work *work, const TickBlock *block, const int64_t **times) noexcept nogil:
    """Sets *times to the block's, decoded if need be."""
    cdef TickSpan span
    if block.length == 0:
        times[0] = raw_ticks(block)
        return OK
    times[0] = cached_times(work, block.serial)
    if times[0] != NULL:
        return OK
    block_span(block, &span)
    return span_times(work, &span, times)


cdef int clock_time(Work *work, const Clock *clock, uint32_t tick, int64_t *time) noexcept nogil:
    cdef const int64_t *times
    cdef int status = block_times(work, clock_block(clock, block_number(tick)), &times)
    if status == OK:
        time[0] = times[block_place(tick)]
    return status


cdef uint32_t clock_spans(
    const Clock *clock, uint32_t first, uint32_t last, TickSpan *spans
) noexcept nogil:
    cdef uint32_t number, n = 0
    cdef const TickBlock *block
    for number in range(block_number(first), block_number(last) + 1):
        block = clock_block(clock, number)
        if block != NULL:
            block_span(block, &spans[n])
        else:
            memset(&spans[n], 0, sizeof(TickSpan))
        n += 1
    return n


cdef int clock_gather(
    Work *work, const Clock *clock, uint32_t first, size_t count, int64_t *out
) noexcept nogil:
    cdef TickSpan span
    cdef uint32_t n
    cdef int status
    while count:
        n = CHUNK_POINTS - block_place(first)
        if n > count:
            n = <uint32_t>count
        clock_spans(clock, first, first + n - 1, &span)
        status = gather_times(work, &span, 1, first, n, out)
        if status != OK:
            return status
        out += n
        first += n
        count -= n
    return OK


cdef int64_t search(Work *work, const Clock *clock, size_t i, int64_t time) noexcept nogil:
    """The number of the tick at `time` if it is in blocks[i]; TICK_UNKNOWN, or a status."""
    cdef const TickBlock *block = clock.blocks[i]
    cdef const int64_t *times
    cdef size_t first = 0, end = block.count, middle
    cdef int status = block_times(work, block, &times)
    if status != OK:
        return status
    while first < end:
        middle = (first + end) // 2
        if times[middle] < time:
            first = middle + 1
        else:
            end = middle
    if first < block.count and times[first] == time:
        return <int64_t>(clock.first_block + i) * CHUNK_POINTS + <int64_t>first
    return TICK_UNKNOWN


cdef int64_t clock_find(Work *work, const Clock *clock, int64_t time, int64_t hint) noexcept nogil:
    cdef size_t i
    cdef uint32_t number
    cdef const TickBlock *block
    cdef const int64_t *times
    cdef int status
    if clock.ticks == 0 or time > clock.last:
        return TICK_UNKNOWN
    if time == clock.last:
        return <int64_t>clock.ticks - 1
    if 0 <= hint < clock.ticks:
        number = block_number(<uint32_t>hint)
        if number >= clock.first_block and clock_block(clock, number) != NULL:
            block = clock_block(clock, number)
            if block.first <= time <= block.last:
                status = block_times(work, block, &times)
                if status != OK:
                    return status
                if times[block_place(<uint32_t>hint)] == time:
                    return hint
                return search(work, clock, number - clock.first_block, time)
    # From the newest block back: the times asked for are mostly recent. Where a block is retired,
    # no chunk that is left has a tick.
    i = clock.block_count
    while i:
        i -= 1
        block = clock.blocks[i]
        if block != NULL and block.first <= time:
            return search(work, clock, i, time) if time <= block.last else TICK_UNKNOWN
    return TICK_UNKNOWN


cdef int64_t clock_tick(
    ClockTable *table, Work *work, Clock *clock, int64_t time, int64_t hint
) noexcept nogil:
    cdef TickBlock *block
    if clock.ticks and time <= clock.last:
        return clock_find(work, clock, time, hint)
    if clock.ticks >= MAX_TICKS:
        return TICK_UNKNOWN
    if open_block(table, work, clock) != OK:
        return NO_MEMORY
    block = clock.blocks[clock.block_count - 1]
    if block.count == 0:
        block.first = time
    raw_ticks(block)[block.count] = time
    block.count += 1
    block.last = time
    clock.last = time
    clock.ticks += 1
    table.bytes[0] += 8
    return <int64_t>clock.ticks - 1


# Claims

cdef void clock_hold(Clock *clock, uint32_t first, uint32_t last) noexcept nogil:
    cdef uint32_t number
    clock.users += 1
    for number in range(block_number(first), block_number(last) + 1):
        if clock_block(clock, number) != NULL:
            clock_block(clock, number).references += 1


cdef void clock_extend(Clock *clock, uint32_t last, uint32_t new_last) noexcept nogil:
    cdef uint32_t number
    for number in range(block_number(last) + 1, block_number(new_last) + 1):
        if clock_block(clock, number) != NULL:
            clock_block(clock, number).references += 1


cdef void clock_release(
    ClockTable *table, Clock *clock, uint32_t first, uint32_t last
) noexcept nogil:
    cdef uint32_t number
    cdef TickBlock *block
    for number in range(block_number(first), block_number(last) + 1):
        block = clock_block(clock, number)
        if block == NULL:
            continue
        block.references -= 1
        # The newest block stays: ticks are still added to it.
        if block.references == 0 and number + 1 < clock.first_block + clock.block_count:
            clock.blocks[number - clock.first_block] = NULL
            retire_block(table, block)
    clock.users -= 1
    if clock.users == 0:
        clock_drop_unused(table, clock)
    else:
        trim(clock)
