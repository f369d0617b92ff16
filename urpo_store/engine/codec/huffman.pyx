"""Canonical Huffman codes; contract and bytes are in codec/huffman.pxd."""
from libc.math cimport log2, rint
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.codec.bits cimport (
    BitWriter, bit_length, end_bits, get_varint, load_bits, put_bits, put_varint,
)

cdef enum:
    MAX_TOTAL = 4096

cdef void fill_logarithms() noexcept nogil:
    cdef uint32_t count
    LOG2[0] = 0
    for count in range(1, MAX_TOTAL + 1):
        LOG2[count] = <uint32_t>rint(256.0 * log2(<double>count))

fill_logarithms()


cdef uint64_t symbol_cost(uint32_t count, uint32_t total) noexcept nogil:
    cdef uint32_t bits = LOG2[total] - LOG2[count]
    return <uint64_t>count * (bits if bits > 256 else 256)


cdef uint64_t code_cost(
    const uint32_t *counts, uint32_t first, uint32_t last, uint32_t total
) noexcept nogil:
    cdef uint64_t cost = 0
    cdef uint32_t symbol, count, length, previous = 0, gap = 0, description = 16 + 4
    if first == last:
        return 16 * 256
    for symbol in range(first, last + 1):
        count = counts[symbol]
        if count == 0:
            gap += 1
            continue
        if gap:
            description += 2 + 2 * bit_length(gap)
            gap = 0
        cost += symbol_cost(count, total)
        # The length its code will have, roughly.
        length = (LOG2[total] - LOG2[count] + 128) >> 8
        if length == 0:
            length = 1
        if length == previous:
            description += 1
        elif length + 1 == previous or length == previous + 1:
            description += 3
        elif previous:
            description += 7
        previous = length
    return cost + 256 * <uint64_t>description


cdef void sort_ascending(uint32_t *keys, uint32_t count) noexcept nogil:
    """Shell sort: the alphabets are tens of symbols, and keys are distinct."""
    cdef uint32_t gap = 1, i, j, key
    while gap < count:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, count):
            key = keys[i]
            j = i
            while j >= gap and keys[j - gap] > key:
                keys[j] = keys[j - gap]
                j -= gap
            keys[j] = key
        gap //= 3


cdef void code_lengths(uint32_t *a, uint32_t n) noexcept nogil:
    """Replaces n >= 2 ascending weights by the lengths of a minimum-redundancy code, in place.

    The method is Moffat and Katajainen, "In-place calculation of minimum-redundancy codes" (1995).
    """
    cdef uint32_t leaf = 2, root = 0, next, depth = 0, available = 1, internal = 0
    cdef int at, node
    a[0] += a[1]
    # Pairs: internal nodes become the index of their parent.
    for next in range(1, n - 1):
        if leaf >= n or a[root] < a[leaf]:
            a[next] = a[root]
            a[root] = next
            root += 1
        else:
            a[next] = a[leaf]
            leaf += 1
        if leaf >= n or (root < next and a[root] < a[leaf]):
            a[next] += a[root]
            a[root] = next
            root += 1
        else:
            a[next] += a[leaf]
            leaf += 1
    # Parents to depths.
    a[n - 2] = 0
    for at in range(<int>n - 3, -1, -1):
        a[at] = a[a[at]] + 1
    # Depths of internal nodes to depths of leaves.
    node = <int>n - 2
    at = <int>n - 1
    while available > 0:
        while node >= 0 and a[node] == depth:
            internal += 1
            node -= 1
        while available > internal:
            a[at] = depth
            at -= 1
            available -= 1
        available = 2 * internal
        depth += 1
        internal = 0


cdef void limit_lengths(uint32_t *lengths, uint32_t n) noexcept nogil:
    """Brings lengths (rarest symbol first) to at most MAX_CODE_BITS and the Kraft sum back to 1."""
    cdef uint32_t i, kraft = 0, full = CODE_TABLE
    if lengths[0] <= MAX_CODE_BITS:
        return
    for i in range(n):
        if lengths[i] > MAX_CODE_BITS:
            lengths[i] = MAX_CODE_BITS
        kraft += full >> lengths[i]
    # Longer codes for the rarest until the sum is not above 1 ...
    for i in range(n):
        while kraft > full and lengths[i] < MAX_CODE_BITS:
            lengths[i] += 1
            kraft -= full >> lengths[i]
    # ... then shorter codes for the most frequent, where they fit. What is missing is a multiple of
    # the weight of the longest code, so there is a fit as long as something is missing.
    while kraft < full:
        for i in range(n):
            while kraft + (full >> lengths[n - 1 - i]) <= full:
                kraft += full >> lengths[n - 1 - i]
                lengths[n - 1 - i] -= 1


cdef void build_code(const uint32_t *counts, HuffmanCode *code) noexcept nogil:
    cdef uint32_t[MAX_SYMBOLS] keys
    cdef uint32_t[MAX_SYMBOLS] weights
    cdef uint32_t symbol, used = 0, i
    memset(code.lengths, 0, MAX_SYMBOLS)
    if code.first == code.last:
        return
    for symbol in range(code.first, code.last + 1):
        if counts[symbol]:
            keys[used] = counts[symbol] << 16 | symbol
            used += 1
    sort_ascending(keys, used)
    for i in range(used):
        weights[i] = keys[i] >> 16
    code_lengths(weights, used)
    limit_lengths(weights, used)
    for i in range(used):
        code.lengths[keys[i] & 0xFFFF] = weights[i]


cdef void first_codes(const HuffmanCode *code, uint32_t *start) noexcept nogil:
    """start[length]: the code of the first symbol of that length, highest bit first."""
    cdef uint32_t[MAX_CODE_BITS + 1] used
    cdef uint32_t symbol, length, next = 0
    memset(used, 0, sizeof(used))
    for symbol in range(code.first, code.last + 1):
        used[code.lengths[symbol]] += 1
    for length in range(1, MAX_CODE_BITS + 1):
        start[length] = next
        next = (next + used[length]) << 1


cdef inline uint32_t reverse_bits(uint32_t x, uint32_t width) noexcept nogil:
    x = (x & 0x5555) << 1 | (x >> 1) & 0x5555
    x = (x & 0x3333) << 2 | (x >> 2) & 0x3333
    x = (x & 0x0F0F) << 4 | (x >> 4) & 0x0F0F
    x = (x & 0x00FF) << 8 | (x >> 8) & 0x00FF
    return x >> (16 - width)


cdef void assign_codes(const HuffmanCode *code, uint16_t *codes) noexcept nogil:
    cdef uint32_t[MAX_CODE_BITS + 1] next
    cdef uint32_t symbol, length
    first_codes(code, next)
    for symbol in range(code.first, code.last + 1):
        length = code.lengths[symbol]
        if length:
            codes[symbol] = reverse_bits(next[length], length)
            next[length] += 1
        else:
            codes[symbol] = 0


cdef uint8_t *write_code(const HuffmanCode *code, uint8_t *out) noexcept nogil:
    cdef BitWriter writer
    cdef uint32_t symbol, length, previous, gap = 0, width
    out = put_varint(out, code.first)
    out = put_varint(out, code.last - code.first)
    if code.first == code.last:
        return out
    writer.out = out
    writer.pending = 0
    writer.held = 0
    previous = code.lengths[code.first]
    put_bits(&writer, previous, 4)
    for symbol in range(code.first + 1, code.last + 1):
        length = code.lengths[symbol]
        if length == 0:
            gap += 1
            continue
        if gap:
            width = bit_length(gap) - 1
            put_bits(&writer, 0b011, 3)
            put_bits(&writer, 1 << width, width + 1)
            put_bits(&writer, gap - (1 << width), width)
            gap = 0
        if length == previous:
            put_bits(&writer, 0b0, 1)
        elif length + 1 == previous:
            put_bits(&writer, 0b001, 3)
        elif length == previous + 1:
            put_bits(&writer, 0b101, 3)
        else:
            put_bits(&writer, 0b111 | length << 3, 7)
        previous = length
    return end_bits(&writer)


cdef bint read_lengths(
    const uint8_t *bytes, const uint8_t *end, HuffmanCode *code, size_t *bit_count
) noexcept nogil:
    """Fills code.lengths from the bits at `bytes`. False: they are no complete code.

    Bits behind `end` are zeros here; the caller compares *bit_count, how many were read.
    """
    cdef uint32_t symbol = code.first + 1, width, gap, bits, kraft
    cdef uint32_t previous = load_bits(bytes, end, 0, 4)
    cdef size_t bit = 4
    if previous == 0 or previous > MAX_CODE_BITS:
        return False
    code.lengths[code.first] = previous
    kraft = CODE_TABLE >> previous
    while symbol <= code.last:
        bits = load_bits(bytes, end, bit, 32)
        if bits & 1 == 0:
            bit += 1
        elif bits & 7 == 0b001:
            previous -= 1
            bit += 3
        elif bits & 7 == 0b101:
            previous += 1
            bit += 3
        elif bits & 7 == 0b111:
            previous = (bits >> 3) & 15
            bit += 7
        else:
            # A gap; at most 9 zeros, since there are at most 512 symbols.
            bits >>= 3
            width = 0
            while width < 10 and bits & 1 == 0:
                width += 1
                bits >>= 1
            gap = (1 << width) | ((bits >> 1) & ((1 << width) - 1))
            bit += 4 + 2 * width
            if width > 9 or gap > code.last - symbol:
                return False
            symbol += gap
            continue
        if previous == 0 or previous > MAX_CODE_BITS:
            return False
        code.lengths[symbol] = previous
        kraft += CODE_TABLE >> previous
        symbol += 1
    bit_count[0] = bit
    return kraft == CODE_TABLE


cdef const uint8_t *read_code(
    const uint8_t *bytes, const uint8_t *end, HuffmanCode *code
) noexcept nogil:
    cdef uint64_t first, span
    cdef size_t bits
    bytes = get_varint(bytes, end, &first)
    if bytes == NULL:
        return NULL
    bytes = get_varint(bytes, end, &span)
    if bytes == NULL or first >= MAX_SYMBOLS or span >= MAX_SYMBOLS - first:
        return NULL
    code.first = first
    code.last = first + span
    memset(code.lengths, 0, MAX_SYMBOLS)
    if span == 0:
        return bytes
    if not read_lengths(bytes, end, code, &bits) or <size_t>(end - bytes) < ((bits + 7) >> 3):
        return NULL
    return bytes + ((bits + 7) >> 3)


cdef uint32_t decode_table(const HuffmanCode *code, uint16_t *table) noexcept nogil:
    cdef uint16_t[MAX_SYMBOLS] ascending     # the symbols, the shortest codes first
    cdef uint32_t[MAX_CODE_BITS + 2] place
    cdef uint32_t symbol, length, bits, i = 0, at = 0, bit
    memset(place, 0, sizeof(place))
    for symbol in range(code.first, code.last + 1):
        place[code.lengths[symbol] + 1] += 1
    bits = MAX_CODE_BITS
    while bits and place[bits + 1] == 0:
        bits -= 1
    table[0] = code.first << 6
    if bits == 0:
        return 0
    place[1] = 0                            # absent symbols have no place
    for length in range(1, bits + 1):
        place[length + 1] += place[length]
    for symbol in range(code.first, code.last + 1):
        length = code.lengths[symbol]
        if length:
            ascending[place[length]] = symbol
            place[length] += 1
    # For each length the table is doubled, and each code of that length overwrites one entry; the
    # entries that are left are copies of shorter codes. `at` is the next code, lowest bit first:
    # made longer, it only gains a zero at the far end.
    for length in range(1, bits + 1):
        bit = <uint32_t>1 << (length - 1)
        memcpy(table + bit, table, bit * sizeof(uint16_t))
        while i < place[length]:
            table[at] = ascending[i] << 6 | length
            i += 1
            # One more, counted from the highest bit down.
            bit = <uint32_t>1 << (length - 1)
            while at & bit:
                at ^= bit
                bit >>= 1
            at |= bit
    return bits
