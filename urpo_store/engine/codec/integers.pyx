"""Integer columns; contract and bytes are in codec/integers.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cimport cython

from urpo_store.engine.codec.bits cimport bit_length, get_varint, put_varint, unzigzag, zigzag
from urpo_store.engine.codec.huffman cimport information
from urpo_store.engine.codec.scratch cimport Scratch
from urpo_store.engine.codec.streams cimport Plan, plan_stream, read_stream, write_stream

cdef enum:
    # Predictions: 0 to DEEPEST are orders of differences.
    DEEPEST = 6
    TREND = 7
    CENTRED = 8
    DIVIDED = 16
    FLAGS_END = 32

    SAMPLE_RUNS = 4
    SAMPLE_RUN = 16
    SAMPLE = 64                 # SAMPLE_RUNS * SAMPLE_RUN
    MEDIAN_OF = 31
    DEEPER_GAIN = 2048          # 1/8 bit a number of the sample, for one number more in front
    DEEPER_FROM = 32
    LEVELS = 8
    LEVEL_OVERHEAD = 4          # bits to name a level, as far as the sample's share goes


cdef inline uint8_t *put_svarint(uint8_t *out, uint64_t x) noexcept nogil:
    return put_varint(out, zigzag(x))


cdef inline const uint8_t *get_svarint(
    const uint8_t *bytes, const uint8_t *end, uint64_t *x
) noexcept nogil:
    bytes = get_varint(bytes, end, x)
    x[0] = unzigzag(x[0])
    return bytes


@cython.cdivision(True)
cdef uint64_t divisor_of(const uint64_t *v, size_t count) noexcept nogil:
    """The greatest common divisor of all v[i] - v[0]; 1 if one of them does not fit an int64."""
    cdef int64_t least = <int64_t>v[0], most = least
    cdef uint64_t divisor = 0, other, rest
    cdef size_t i
    for i in range(count):
        if <int64_t>v[i] < least:
            least = <int64_t>v[i]
        if <int64_t>v[i] > most:
            most = <int64_t>v[i]
    if <uint64_t>most - <uint64_t>least > <uint64_t>INT64_MAX:
        return 1
    for i in range(1, count):
        other = v[i] - v[0]
        if <int64_t>other < 0:
            other = <uint64_t>0 - other
        # Euclid, the larger one first: mostly `other` is a multiple, and one division is enough.
        while divisor:
            rest = other % divisor
            other = divisor
            divisor = rest
        divisor = other
        if divisor == 1:
            return 1
    return divisor


@cython.cdivision(True)
cdef uint64_t median(const uint64_t *values, size_t count, size_t most) noexcept nogil:
    """The middle one, as int64, of at most `most` (<= 64) values evenly spread over the column."""
    cdef int64_t[SAMPLE] sorted_
    cdef size_t stride = (count + most - 1) // most, used = 0, i = 0, j
    cdef int64_t value
    while i < count:
        value = <int64_t>values[i]
        j = used
        while j > 0 and sorted_[j - 1] > value:
            sorted_[j] = sorted_[j - 1]
            j -= 1
        sorted_[j] = value
        used += 1
        i += stride
    return <uint64_t>sorted_[used // 2]


@cython.cdivision(True)
cdef uint64_t trend_step(const uint64_t *v, size_t count) noexcept nogil:
    """The mean step from the first half to the second, which evens out noise. Any step is right."""
    cdef size_t half = count // 2, i
    cdef uint64_t total = 0
    for i in range(half):
        total += v[i + count - half] - v[i]
    return <uint64_t>(<int64_t>total // <int64_t>(half * (count - half)))


cdef uint64_t levels_cost(const uint64_t *rests, size_t count) noexcept nogil:
    """What the sample takes in 1/256 bit as a choice of few levels; 2^64 - 1 if it has too many."""
    cdef uint64_t[LEVELS] levels
    cdef uint32_t[LEVELS] counts
    cdef uint32_t used = 0, level
    cdef uint64_t cost
    cdef size_t i
    for i in range(count):
        level = 0
        while level < used and levels[level] != rests[i]:
            level += 1
        if level == used:
            if used == LEVELS:
                return ~<uint64_t>0
            levels[level] = rests[i]
            counts[level] = 0
            used += 1
        counts[level] += 1
    cost = information(count) + 256 * LEVEL_OVERHEAD * used
    for level in range(used):
        cost -= information(counts[level])
    return cost


cdef uint64_t rests_cost(const uint64_t *rests, size_t count) noexcept nogil:
    """About what the sample takes in 1/256 bit.

    That is the entropy of sign and bit length, and the other bits; or less if it is a few levels.
    """
    cdef uint32_t[2 * 65] counts
    cdef uint64_t centre = median(rests, count, 16), rest, cost = information(count)
    cdef uint64_t levels = levels_cost(rests, count)
    cdef uint32_t kind, length, longest = 0
    cdef size_t i
    memset(counts, 0, sizeof(counts))
    for i in range(count):
        rest = zigzag(rests[i] - centre)
        length = bit_length(rest >> 1)
        longest = max(longest, length)
        counts[2 * length + (rest & 1)] += 1
        cost += 256 * (length - 1 if length else 0)
    for kind in range(2 * longest + 2):
        cost -= information(counts[kind])
    return cost if cost < levels else levels


cdef uint32_t choose_prediction(const uint64_t *v, size_t count, uint64_t step) noexcept nogil:
    """The prediction with the cheapest rests, on runs of neighbours spread over the column."""
    cdef uint64_t[4][SAMPLE] rests
    cdef size_t used = 0, run, i, start, length
    cdef uint64_t cost, best_cost = 0
    cdef uint32_t candidate, best = 0
    for run in range(SAMPLE_RUNS):
        start = 2
        length = count - 2
        if length > SAMPLE:
            start = 2 + run * (count - 2 - SAMPLE_RUN) // (SAMPLE_RUNS - 1)
            length = SAMPLE_RUN
        elif run:
            break
        for i in range(start, start + length):
            rests[0][used] = v[i]
            rests[1][used] = v[i] - v[i - 1]
            rests[2][used] = v[i] - 2 * v[i - 1] + v[i - 2]
            rests[3][used] = v[i] - i * step
            used += 1
    for candidate in range(4):
        cost = rests_cost(rests[candidate], used)
        if candidate == 0 or cost < best_cost:
            best = candidate if candidate < 3 else TREND
            best_cost = cost
    return best


cdef uint64_t sampled_cost(const uint64_t *rests, size_t count) noexcept nogil:
    cdef uint64_t[SAMPLE] sample
    cdef size_t stride = (count + SAMPLE - 1) // SAMPLE, used = 0, i = 0
    while i < count:
        sample[used] = rests[i]
        used += 1
        i += stride
    return rests_cost(sample, used)


cdef void differences(const uint64_t *v, size_t count, uint64_t *out) noexcept nogil:
    """The count - 1 differences of neighbours; `out` may be v."""
    cdef size_t i
    for i in range(count - 1):
        out[i] = v[i + 1] - v[i]


@cython.cdivision(True)
cdef void divide(
    const uint64_t *v, size_t count, uint64_t divisor, uint64_t *column
) noexcept nogil:
    """(v[i] - v[0]) / divisor, which is exact and fits an int64."""
    cdef size_t i
    cdef uint64_t first = v[0]
    for i in range(count):
        column[i] = <uint64_t>(<int64_t>(v[i] - first) // <int64_t>divisor)


cdef uint8_t *write_orders(
    uint32_t *prediction, uint64_t *rests, size_t *left, uint8_t *out, Scratch *scratch
) noexcept nogil:
    """Takes differences in place, *prediction times or more; writes the first number of each order.

    *left numbers are left in `rests`.
    """
    cdef uint32_t _order
    for _order in range(prediction[0]):
        out = put_svarint(out, rests[0])
        differences(rests, left[0], rests)
        left[0] -= 1
    # What is smooth to the second order may be so to higher ones (sines, in full precision).
    while 2 <= prediction[0] < DEEPEST and left[0] > DEEPER_FROM:
        differences(rests, left[0], scratch.centred)
        if sampled_cost(scratch.centred, left[0] - 1) + DEEPER_GAIN > sampled_cost(rests, left[0]):
            break
        out = put_svarint(out, rests[0])
        left[0] -= 1
        memcpy(rests, scratch.centred, 8 * left[0])
        prediction[0] += 1
    return out


cdef uint8_t *write_rests(
    uint64_t *rests, size_t count, uint8_t *flags, uint8_t *out, Scratch *scratch
) noexcept nogil:
    """Writes offset and stream: less the minimum, or zigzag around the median if smaller."""
    cdef uint64_t least = rests[0], centre
    cdef size_t i
    cdef Plan plan, centred
    for i in range(count):
        if <int64_t>rests[i] < <int64_t>least:
            least = rests[i]
    centre = median(rests, count, MEDIAN_OF)
    for i in range(count):
        scratch.centred[i] = zigzag(rests[i] - centre)
        rests[i] -= least
    plan = plan_stream(rests, count, False)
    # Around the least of all, zigzag only doubles every number.
    if centre != least:
        centred = plan_stream(scratch.centred, count, False)
        if centred.cost < plan.cost:
            flags[0] |= CENTRED
            out = put_svarint(out, centre)
            return write_stream(centred.tag, scratch.centred, count, out, scratch)
    out = put_svarint(out, least)
    return write_stream(plan.tag, rests, count, out, scratch)


cdef uint8_t *write_general(
    const uint64_t *v, size_t count, uint8_t *out, Scratch *scratch
) noexcept nogil:
    """What follows the tag of an INT column. Returns the byte behind."""
    cdef uint8_t *flags = out
    cdef uint64_t divisor = divisor_of(v, count), step
    cdef uint64_t *rests = scratch.residuals
    cdef size_t i, left = count
    cdef uint32_t prediction
    out += 1
    flags[0] = 0
    if divisor > 1:
        flags[0] = DIVIDED
        out = put_svarint(out, v[0])
        out = put_varint(out, divisor)
        divide(v, count, divisor, scratch.column)
        v = scratch.column
    step = trend_step(v, count)
    prediction = choose_prediction(v, count, step)
    if prediction == TREND:
        out = put_svarint(out, step)
        for i in range(count):
            rests[i] = v[i] - i * step
    else:
        memcpy(rests, v, 8 * count)
        out = write_orders(&prediction, rests, &left, out, scratch)
    flags[0] |= prediction
    return write_rests(rests, left, flags, out, scratch)


cdef uint8_t *write_integers(
    const int64_t *values, size_t count, uint8_t *out, Scratch *scratch
) noexcept nogil:
    cdef const uint64_t *v = <const uint64_t *>values
    cdef uint8_t *behind
    cdef uint64_t step = v[1] - v[0] if count > 1 else 0
    cdef size_t i = 2
    # Fast path: most columns of most stores never change.
    while i < count and v[i] - v[i - 1] == step:
        i += 1
    if i < count:
        out[0] = COLUMN_INT
        behind = write_general(v, count, out + 1, scratch)
    elif step == 0:
        out[0] = COLUMN_CONST
        behind = put_svarint(out + 1, v[0])
    else:
        out[0] = COLUMN_LINE
        behind = put_svarint(put_svarint(out + 1, v[0]), step)
    if <size_t>(behind - out) < 1 + 8 * count:
        return behind
    out[0] = COLUMN_RAW
    memcpy(out + 1, v, 8 * count)
    return out + 1 + 8 * count


cdef const uint8_t *read_general(
    const uint8_t *bytes, const uint8_t *end, size_t count, uint64_t *v, Scratch *scratch
) noexcept nogil:
    cdef uint32_t flags, order
    cdef uint64_t[DEEPEST] start
    cdef uint64_t first = 0, divisor = 1, step = 0, offset, inner, outer
    cdef size_t i
    if bytes >= end:
        return NULL
    flags = bytes[0]
    bytes += 1
    order = flags & 7 if flags & 7 != TREND else 0
    if flags >= FLAGS_END or order > count:
        return NULL
    if flags & DIVIDED:
        bytes = get_svarint(bytes, end, &first)
        if bytes == NULL:
            return NULL
        bytes = get_varint(bytes, end, &divisor)
        if bytes == NULL:
            return NULL
    for i in range(order):
        bytes = get_svarint(bytes, end, &start[i])
        if bytes == NULL:
            return NULL
    if flags & 7 == TREND:
        bytes = get_svarint(bytes, end, &step)
        if bytes == NULL:
            return NULL
    bytes = get_svarint(bytes, end, &offset)
    if bytes == NULL:
        return NULL
    bytes = read_stream(bytes, end, count - order, v + order, scratch)
    if bytes == NULL:
        return NULL
    if flags & CENTRED:
        for i in range(order, count):
            v[i] = unzigzag(v[i]) + offset
    else:
        for i in range(order, count):
            v[i] += offset
    # Differences of order n begin at v[n]. Summed up from their start they are those of order
    # n - 1. Two orders at a time, since either sum waits only for itself.
    while order > 1:
        order -= 2
        inner = start[order + 1]
        outer = start[order]
        v[order] = outer
        outer += inner
        v[order + 1] = outer
        for i in range(order + 2, count):
            inner += v[i]
            outer += inner
            v[i] = outer
    if order:
        outer = start[0]
        v[0] = outer
        for i in range(1, count):
            outer += v[i]
            v[i] = outer
    if step:
        for i in range(count):
            v[i] += i * step
    if flags & DIVIDED:
        for i in range(count):
            v[i] = v[i] * divisor + first
    return bytes


cdef const uint8_t *read_integers(
    const uint8_t *bytes, const uint8_t *end, size_t count, int64_t *values, Scratch *scratch
) noexcept nogil:
    cdef uint64_t *v = <uint64_t *>values
    cdef uint64_t first, step = 0
    cdef uint32_t tag
    cdef size_t i
    if bytes >= end:
        return NULL
    tag = bytes[0] & 15
    bytes += 1
    if tag == COLUMN_INT:
        return read_general(bytes, end, count, v, scratch)
    if tag == COLUMN_RAW:
        if <size_t>(end - bytes) < 8 * count:
            return NULL
        memcpy(v, bytes, 8 * count)
        return bytes + 8 * count
    if tag != COLUMN_CONST and tag != COLUMN_LINE:
        return NULL
    bytes = get_svarint(bytes, end, &first)
    if bytes != NULL and tag == COLUMN_LINE:
        bytes = get_svarint(bytes, end, &step)
    if bytes == NULL:
        return NULL
    for i in range(count):
        v[i] = first + i * step
    return bytes
