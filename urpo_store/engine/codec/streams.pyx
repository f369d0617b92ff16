"""Streams of unsigned numbers; contract and bytes are in codec/streams.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.codec.bins cimport (
    BINS_END, BINS_LINEAR, BINS_LOG, BINS_LOG_FINEST, BinChoice, choose_bins, read_binned,
    write_binned,
)
from urpo_store.engine.codec.bitpack cimport pack_blocks, packed_size, unpack_blocks
from urpo_store.engine.codec.bits cimport bit_length, get_varint, put_varint
from urpo_store.engine.codec.huffman cimport information, symbol_cost
from urpo_store.engine.codec.scratch cimport Scratch

cdef enum:
    # Bits that the two inner streams of a sparse one add: tags and descriptions of their codes.
    SPARSE_OVERHEAD = 8 * 10
    # The same of a dictionary, and what each entry adds to the descriptions.
    DICTIONARY_OVERHEAD = 8 * 9
    ENTRY_OVERHEAD = 6
    # If all numbers are below this, linear bins of width 1 are a dictionary already.
    DICTIONARY_FROM = 128
    SLOTS = 64


# The distinct numbers of a stream, ascending, and how often each occurs.
cdef struct Dictionary:
    uint64_t[DICTIONARY_MAX] entries
    uint32_t[DICTIONARY_MAX] counts
    uint32_t used


cdef bint collect(const uint64_t *values, size_t count, Dictionary *found) noexcept nogil:
    """Finds the distinct numbers. False, and soon, if there are too many."""
    cdef uint64_t[SLOTS] keys
    cdef uint32_t[SLOTS] counts
    cdef uint32_t slot, used = 0, j
    cdef size_t i
    memset(counts, 0, sizeof(counts))
    for i in range(count):
        # A multiplicative hash; the order of slots has no influence on the bytes.
        slot = <uint32_t>((values[i] * <uint64_t>0x9E3779B97F4A7C15) >> 58)
        while counts[slot] and keys[slot] != values[i]:
            slot = (slot + 1) % SLOTS
        if counts[slot] == 0:
            if used == DICTIONARY_MAX:
                return False
            keys[slot] = values[i]
            used += 1
        counts[slot] += 1
    found.used = 0
    for slot in range(SLOTS):
        if counts[slot]:
            j = found.used
            while j > 0 and found.entries[j - 1] > keys[slot]:
                found.entries[j] = found.entries[j - 1]
                found.counts[j] = found.counts[j - 1]
                j -= 1
            found.entries[j] = keys[slot]
            found.counts[j] = counts[slot]
            found.used += 1
    return True


cdef uint64_t dictionary_cost(const Dictionary *found, size_t count) noexcept nogil:
    cdef uint64_t cost = DICTIONARY_OVERHEAD * 256
    cdef uint32_t j
    for j in range(found.used):
        cost += symbol_cost(found.counts[j], count) if found.used > 1 else 0
        cost += 256 * (
            ENTRY_OVERHEAD + bit_length(found.entries[j] - (found.entries[j - 1] if j else 0))
        )
    return cost


cdef Plan plan_stream(const uint64_t *values, size_t count, bint inner) noexcept nogil:
    cdef uint64_t most = 0, rare = 0, cost
    cdef uint32_t events = 0
    cdef size_t i
    cdef BinChoice binned
    cdef Plan plan
    cdef Dictionary found
    for i in range(count):
        events += values[i] != 0
        if values[i] > most:
            most = values[i]
    if most == 0:
        plan.tag = STREAM_ZERO
        plan.cost = 8 * 256
        return plan
    binned = choose_bins(values, count, most, &rare)
    plan.tag = binned.bins
    plan.cost = binned.cost + 8 * 256
    cost = (1 + packed_size(values, count)) * 8 * 256
    if cost <= plan.cost:
        plan.tag = STREAM_PACKED
        plan.cost = cost
    if inner:
        return plan
    if most >= DICTIONARY_FROM and collect(values, count, &found):
        cost = dictionary_cost(&found, count)
        if cost < plan.cost:
            plan.tag = STREAM_DICTIONARY
            plan.cost = cost
    if 2 * events <= count:
        # To say where the events are costs about what a code of "event or not" would.
        cost = information(count) - information(events) - information(count - events)
        cost += rare + SPARSE_OVERHEAD * 256
        if cost < plan.cost:
            plan.tag = STREAM_SPARSE
            plan.cost = cost
    return plan


cdef uint8_t *write_sparse(
    const uint64_t *values, size_t count, uint8_t *out, Scratch *scratch
) noexcept nogil:
    cdef uint64_t *gaps = scratch.sparse
    cdef uint64_t *events = scratch.sparse + count // 2
    cdef size_t i, behind = 0, used = 0
    for i in range(count):
        if values[i]:
            gaps[used] = i - behind
            events[used] = values[i] - 1
            behind = i + 1
            used += 1
    out = put_varint(out, used)
    out = write_stream(plan_stream(gaps, used, True).tag, gaps, used, out, scratch)
    return write_stream(plan_stream(events, used, True).tag, events, used, out, scratch)


cdef uint8_t *write_dictionary(
    const uint64_t *values, size_t count, uint8_t *out, Scratch *scratch
) noexcept nogil:
    cdef Dictionary found
    cdef uint64_t[DICTIONARY_MAX] gaps
    cdef uint64_t *indexes = scratch.sparse
    cdef size_t i
    cdef uint32_t j, low, high
    collect(values, count, &found)
    for j in range(found.used):
        gaps[j] = found.entries[j] - found.entries[j - 1] - 1 if j else found.entries[0]
    for i in range(count):
        low = 0
        high = found.used
        while high - low > 1:
            j = (low + high) // 2
            if found.entries[j] <= values[i]:
                low = j
            else:
                high = j
        indexes[i] = low
    out = put_varint(out, found.used)
    out = write_stream(plan_stream(gaps, found.used, True).tag, gaps, found.used, out, scratch)
    return write_stream(plan_stream(indexes, count, True).tag, indexes, count, out, scratch)


cdef uint8_t *write_stream(
    uint32_t tag, const uint64_t *values, size_t count, uint8_t *out, Scratch *scratch
) noexcept nogil:
    out[0] = tag
    out += 1
    if tag == STREAM_ZERO:
        return out
    if tag == STREAM_PACKED:
        return pack_blocks(values, count, out)
    if tag == STREAM_SPARSE:
        return write_sparse(values, count, out, scratch)
    if tag == STREAM_DICTIONARY:
        return write_dictionary(values, count, out, scratch)
    return write_binned(tag, values, count, out, scratch.symbols)


cdef const uint8_t *read_dense(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values, Scratch *scratch
) noexcept nogil:
    cdef uint32_t tag
    if bytes >= end:
        return NULL
    tag = bytes[0]
    if tag == STREAM_ZERO:
        memset(values, 0, 8 * count)
        return bytes + 1
    if tag == STREAM_PACKED:
        return unpack_blocks(bytes + 1, end, count, values)
    if BINS_LOG <= tag <= BINS_LOG_FINEST or BINS_LINEAR <= tag < BINS_END:
        return read_binned(tag, bytes + 1, end, count, values, scratch.symbols)
    return NULL


cdef const uint8_t *read_sparse(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values, Scratch *scratch
) noexcept nogil:
    cdef uint64_t *gaps = scratch.sparse
    cdef uint64_t *events = scratch.sparse + count // 2
    cdef uint64_t used
    cdef size_t at = 0, i
    bytes = get_varint(bytes, end, &used)
    if bytes == NULL or used > count // 2:
        return NULL
    bytes = read_dense(bytes, end, used, gaps, scratch)
    if bytes == NULL:
        return NULL
    bytes = read_dense(bytes, end, used, events, scratch)
    if bytes == NULL:
        return NULL
    memset(values, 0, 8 * count)
    for i in range(used):
        if gaps[i] >= count - at:
            return NULL
        at += gaps[i]
        values[at] = events[i] + 1
        at += 1
    return bytes


cdef const uint8_t *read_dictionary(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values, Scratch *scratch
) noexcept nogil:
    cdef uint64_t[DICTIONARY_MAX] entries
    cdef uint64_t used
    cdef size_t i
    bytes = get_varint(bytes, end, &used)
    if bytes == NULL or used == 0 or used > DICTIONARY_MAX or used > count:
        return NULL
    bytes = read_dense(bytes, end, used, entries, scratch)
    if bytes == NULL:
        return NULL
    for i in range(1, used):
        entries[i] += entries[i - 1] + 1
    bytes = read_dense(bytes, end, count, values, scratch)
    if bytes == NULL:
        return NULL
    for i in range(count):
        if values[i] >= used:
            return NULL
        values[i] = entries[values[i]]
    return bytes


cdef const uint8_t *read_stream(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values, Scratch *scratch
) noexcept nogil:
    if bytes < end and bytes[0] == STREAM_SPARSE:
        return read_sparse(bytes + 1, end, count, values, scratch)
    if bytes < end and bytes[0] == STREAM_DICTIONARY:
        return read_dictionary(bytes + 1, end, count, values, scratch)
    return read_dense(bytes, end, count, values, scratch)
