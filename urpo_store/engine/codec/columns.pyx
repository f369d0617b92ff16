"""Value codecs; the contract is in codec/columns.pxd.

This module chooses and checks. What makes a column small is in the modules it calls, one idea each:
decimals (doubles as integers), integers (prediction), streams (numbers near zero) and, below these,
bins, bitpack and huffman. The first byte of a column of doubles:

  low half   0 RAW         8 bytes a value
             1 CONST_BITS  8 bytes, the bits of every value
             2, 3, 4       a column of integers (codec/integers.pxd), each divided by 10^exponent
             5 CORRECTED   then such a column with a tag of its own, then the stream of corrections,
                           zigzag (codec/decimals.pxd)
             6 ORDERED     then a column of integers: the places of the doubles in their order
             7 ROTATED     then a column of integers: the bits, the sign moved to the lowest
  high half  the exponent, 0..15, for 2 to 5; else 0

Integers and times are columns of integers with the high half 0.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.codec.decimals cimport (
    AS_DECIMALS, AS_ORDERED, DoublePlan, ordered, plan_doubles, rotated, scale_doubles, unrotated,
    unscale_doubles,
)
from urpo_store.engine.codec.integers cimport COLUMN_INT, COLUMN_RAW, read_integers, write_integers
from urpo_store.engine.codec.scratch cimport Scratch, scratch_cut, scratch_size
from urpo_store.engine.codec.streams cimport plan_stream, read_stream, write_stream

cdef enum:
    CONST_BITS = 1
    CORRECTED = 5
    ORDERED = 6
    ROTATED = 7


cdef size_t codec_bound(size_t count) noexcept nogil:
    return 1 + 8 * count


cdef size_t codec_scratch(size_t count) noexcept nogil:
    return scratch_size(count)


# Integers and times

cdef size_t encode_ints(
    const int64_t *values, size_t count, uint8_t *out, void *scratch
) noexcept nogil:
    cdef Scratch cut
    cdef size_t size
    cdef const uint8_t *end
    scratch_cut(&cut, scratch, count)
    size = write_integers(values, count, cut.trial, &cut) - cut.trial
    end = cut.trial + size
    if (
        read_integers(cut.trial, end, count, <int64_t *>cut.check, &cut) == end
        and memcmp(cut.check, values, 8 * count) == 0
    ):
        memcpy(out, cut.trial, size)
        return size
    out[0] = COLUMN_RAW
    memcpy(out + 1, values, 8 * count)
    return 1 + 8 * count


cdef const uint8_t *decode_ints(
    const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *values, void *scratch
) noexcept nogil:
    cdef Scratch cut
    scratch_cut(&cut, scratch, count)
    return read_integers(bytes, end, count, values, &cut)


cdef size_t encode_times(
    const int64_t *times, size_t count, uint8_t *out, void *scratch
) noexcept nogil:
    return encode_ints(times, count, out, scratch)


cdef const uint8_t *decode_times(
    const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *times, void *scratch
) noexcept nogil:
    return decode_ints(bytes, end, count, times, scratch)


# Doubles

cdef const uint8_t *read_doubles(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *bits, Scratch *scratch
) noexcept nogil:
    cdef int tag, exponent
    cdef uint64_t word
    cdef size_t i
    if bytes >= end:
        return NULL
    tag = bytes[0] & 15
    exponent = bytes[0] >> 4
    if tag == CONST_BITS:
        if end - bytes < 9:
            return NULL
        memcpy(&word, bytes + 1, 8)
        for i in range(count):
            bits[i] = word
        return bytes + 9
    if tag <= COLUMN_INT:
        bytes = read_integers(bytes, end, count, <int64_t *>bits, scratch)
        if bytes != NULL and tag != COLUMN_RAW:
            unscale_doubles(<int64_t *>bits, NULL, count, exponent, bits)
        return bytes
    if tag > ROTATED:
        return NULL
    bytes = read_integers(bytes + 1, end, count, <int64_t *>bits, scratch)
    if bytes == NULL:
        return NULL
    if tag == CORRECTED:
        bytes = read_stream(bytes, end, count, scratch.side, scratch)
        if bytes != NULL:
            unscale_doubles(<int64_t *>bits, scratch.side, count, exponent, bits)
    elif tag == ORDERED:
        for i in range(count):
            bits[i] = ordered(bits[i])
    else:
        for i in range(count):
            bits[i] = unrotated(bits[i])
    return bytes


cdef uint8_t *write_decimals(
    const uint64_t *bits, size_t count, int exponent, uint8_t *out, Scratch *scratch
) noexcept nogil:
    cdef int needed
    cdef size_t corrections, fewer
    cdef uint8_t *behind
    corrections = scale_doubles(bits, count, exponent, scratch.scaled, scratch.side, &needed)
    if 16 * corrections > count and needed > exponent:
        # The column has more decimals than the sample.
        fewer = scale_doubles(bits, count, needed, scratch.scaled, scratch.side, NULL)
        if 2 * fewer < corrections:
            exponent = needed
            corrections = fewer
        else:
            scale_doubles(bits, count, exponent, scratch.scaled, scratch.side, NULL)
    if corrections == 0:
        behind = write_integers(scratch.scaled, count, out, scratch)
        out[0] |= exponent << 4
        return behind
    out[0] = CORRECTED | exponent << 4
    out = write_integers(scratch.scaled, count, out + 1, scratch)
    return write_stream(
        plan_stream(scratch.side, count, False).tag, scratch.side, count, out, scratch
    )


cdef uint8_t *write_doubles(
    const uint64_t *bits, size_t count, int how, int exponent, uint8_t *out, Scratch *scratch
) noexcept nogil:
    cdef size_t i
    if how == AS_DECIMALS:
        return write_decimals(bits, count, exponent, out, scratch)
    if how == AS_ORDERED:
        out[0] = ORDERED
        for i in range(count):
            scratch.scaled[i] = <int64_t>ordered(bits[i])
    else:
        out[0] = ROTATED
        for i in range(count):
            scratch.scaled[i] = <int64_t>rotated(bits[i])
    return write_integers(scratch.scaled, count, out + 1, scratch)


cdef size_t keep_if_smaller(
    const uint64_t *bits, size_t count, int how, int exponent, uint8_t *out, size_t size,
    Scratch *scratch
) noexcept nogil:
    """Replaces the `size` bytes in `out` if written so it takes fewer and reads back the same.

    Returns the size of what is then in `out`.
    """
    cdef const uint8_t *behind = write_doubles(bits, count, how, exponent, scratch.trial, scratch)
    cdef size_t tried = behind - scratch.trial
    if (
        tried >= size
        or read_doubles(scratch.trial, behind, count, scratch.check, scratch) != behind
        or memcmp(scratch.check, bits, 8 * count) != 0
    ):
        return size
    memcpy(out, scratch.trial, tried)
    return tried


cdef size_t encode_doubles(
    const uint64_t *bits, size_t count, uint8_t *out, void *scratch
) noexcept nogil:
    cdef Scratch cut
    cdef DoublePlan plan
    cdef size_t size, i = 1
    scratch_cut(&cut, scratch, count)
    while i < count and bits[i] == bits[0]:
        i += 1
    if i == count:
        out[0] = CONST_BITS
        memcpy(out + 1, bits, 8)
        plan = plan_doubles(bits, 1)
        return keep_if_smaller(bits, count, AS_DECIMALS, plan.exponent, out, 9, &cut)
    out[0] = COLUMN_RAW
    memcpy(out + 1, bits, 8 * count)
    size = 1 + 8 * count
    plan = plan_doubles(bits, count)
    size = keep_if_smaller(bits, count, plan.how, plan.exponent, out, size, &cut)
    if plan.how == AS_DECIMALS and size > 5 * count:
        # Decimals did not help: the sample was not typical, or the column has none.
        size = keep_if_smaller(bits, count, plan.otherwise, 0, out, size, &cut)
    return size


cdef const uint8_t *decode_doubles(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *bits, void *scratch
) noexcept nogil:
    cdef Scratch cut
    scratch_cut(&cut, scratch, count)
    return read_doubles(bytes, end, count, bits, &cut)
