"""Streams of unsigned numbers; see streams.pxd for the contract and the bytes."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.bins cimport (
    BINS_END,
    BINS_LINEAR,
    BINS_LOG,
    BINS_LOG_FINEST,
    BinChoice,
    choose_bins,
    read_binned,
    write_binned,
)
from urpo_store.engine.bitpack cimport pack_blocks, packed_size, unpack_blocks
from urpo_store.engine.bits cimport get_varint, put_varint
from urpo_store.engine.huffman cimport information
from urpo_store.engine.scratch cimport Scratch

cdef enum:
    # What the two inner streams of a sparse one add: tags and descriptions of their codes, in bits.
    SPARSE_OVERHEAD = 8 * 10


cdef Plan plan_stream(const uint64_t *values, size_t count, bint sparse) noexcept nogil:
    cdef uint64_t most = 0, rare = 0, cost
    cdef uint32_t events = 0
    cdef size_t i
    cdef BinChoice binned
    cdef Plan plan
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
    if sparse and 2 * events <= count:
        # Where the events are costs what a code of "event or not" would; gaps come close to it.
        cost = information(count) - information(events) - information(count - events)
        cost += rare + SPARSE_OVERHEAD * 256
        if cost < plan.cost:
            plan.tag = STREAM_SPARSE
            plan.cost = cost
    return plan


cdef uint8_t *write_sparse(const uint64_t *values, size_t count, uint8_t *out, Scratch *scratch) noexcept nogil:
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
    out = write_stream(plan_stream(gaps, used, False).tag, gaps, used, out, scratch)
    return write_stream(plan_stream(events, used, False).tag, events, used, out, scratch)


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


cdef const uint8_t *read_stream(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *values, Scratch *scratch
) noexcept nogil:
    if bytes < end and bytes[0] == STREAM_SPARSE:
        return read_sparse(bytes + 1, end, count, values, scratch)
    return read_dense(bytes, end, count, values, scratch)
