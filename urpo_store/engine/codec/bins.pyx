"""Binned, entropy-coded streams; contract and bytes are in codec/bins.pxd."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from urpo_store.engine.codec.bits cimport (
    BitWriter, bit_length, end_bits, get_varint, load_bits, load_word, load_word_before, low_bits,
    put_bits, put_varint,
)
from urpo_store.engine.codec.huffman cimport (
    CODE_TABLE, MAX_SYMBOLS, HuffmanCode, assign_codes, build_code, code_cost, decode_table,
    information, read_code, write_code,
)

cdef enum:
    FINEST = 3                  # the largest m
    LINEAR_BITS = 7             # at most 2^7 linear bins are tried,
    LINEAR_BITS_FEW = 6         # or 2^6 for fewer numbers than FEW: more bins never pay there
    FEW = 256
    HALVES_FROM = 128           # from so many numbers on, their codes are decoded in two halves


cdef inline uint32_t log_symbol(uint64_t value, uint32_t m) noexcept nogil:
    cdef uint32_t rest
    if value >> m == 0:
        return <uint32_t>value
    rest = bit_length(value) - 1 - m
    return (rest << m) + <uint32_t>(value >> rest)


cdef inline uint32_t rest_bits(uint32_t bins, uint32_t symbol) noexcept nogil:
    """How many bits tell the place within the bin."""
    cdef uint32_t m
    if bins >= BINS_LINEAR:
        return bins - BINS_LINEAR
    m = bins - BINS_LOG
    return (symbol >> m) - 1 if symbol >> m > 1 else 0


cdef inline uint64_t bin_base(uint32_t bins, uint32_t symbol, uint32_t rest) noexcept nogil:
    """The lowest number of the bin; a linear bin of 2^64 has base 0."""
    cdef uint32_t m
    if bins >= BINS_LINEAR:
        return <uint64_t>symbol << rest if rest < 64 else 0
    m = bins - BINS_LOG
    if symbol >> m <= 1:
        return symbol
    return <uint64_t>((1 << m) | (symbol & ((1 << m) - 1))) << rest


# Choosing

cdef uint64_t log_cost(
    uint32_t m, const uint32_t *counts, uint32_t first, uint32_t last, uint32_t total
) noexcept nogil:
    cdef uint64_t rests = 0
    cdef uint32_t symbol
    for symbol in range(first, last + 1):
        rests += <uint64_t>counts[symbol] * rest_bits(BINS_LOG + m, symbol)
    return code_cost(counts, first, last, total) + 256 * rests


cdef uint64_t rare_cost(const uint32_t *counts, uint32_t last, uint32_t total) noexcept nogil:
    """What the numbers that are not 0 cost on their own; `counts` are of bins with m = 0."""
    cdef uint64_t cost = information(total - counts[0])
    cdef uint32_t symbol
    for symbol in range(1, last + 1):
        cost += 256 * <uint64_t>counts[symbol] * rest_bits(BINS_LOG, symbol)
        cost -= information(counts[symbol])
    return cost


cdef void choose_logarithmic(
    const uint64_t *values, size_t count, uint64_t most, BinChoice *best, uint64_t *rare
) noexcept nogil:
    """The best m: numbers are counted in the finest bins, which are then merged in pairs."""
    cdef uint32_t[MAX_SYMBOLS] counts
    cdef uint32_t symbol, first = 0, last, m, some
    cdef uint64_t cost
    cdef bint rising = False
    cdef size_t i
    memset(counts, 0, sizeof(counts))
    for i in range(count):
        counts[log_symbol(values[i], FINEST)] += 1
    while counts[first] == 0:
        first += 1
    last = log_symbol(most, FINEST)
    best.cost = log_cost(FINEST, counts, first, last, count)
    best.bins = BINS_LOG + FINEST
    for m in range(FINEST, 0, -1):
        for symbol in range(first, last + 1):
            if symbol >> m:
                some = counts[symbol]
                counts[symbol] = 0
                counts[(symbol >> 1) + (1 << (m - 1))] += some
        if first >> m:
            first = (first >> 1) + (1 << (m - 1))
        if last >> m:
            last = (last >> 1) + (1 << (m - 1))
        # Bins coarser than the best ones cost more and more: the first rise settles it.
        if not rising:
            cost = log_cost(m - 1, counts, first, last, count)
            if cost < best.cost:
                best.cost = cost
                best.bins = BINS_LOG + m - 1
            else:
                rising = True
    rare[0] = rare_cost(counts, last, count)


cdef void choose_linear(
    const uint64_t *values, size_t count, uint64_t most, BinChoice *best
) noexcept nogil:
    """The best s, if it is better than `best`: again counted at the finest and merged in pairs."""
    cdef uint32_t[1 << LINEAR_BITS] counts
    cdef uint32_t symbol, first, last, merged, bits = LINEAR_BITS
    cdef uint32_t width = bit_length(most)
    cdef uint64_t cost, finer = ~<uint64_t>0
    cdef size_t i
    if count < FEW:
        bits = LINEAR_BITS_FEW
    width = width - bits if width > bits else 0
    memset(counts, 0, sizeof(counts))
    for i in range(count):
        counts[values[i] >> width] += 1
    last = <uint32_t>(most >> width)
    while True:
        first = 0
        while counts[first] == 0:
            first += 1
        cost = code_cost(counts, first, last, count) + 256 * <uint64_t>count * width
        if cost < best.cost:
            best.cost = cost
            best.bins = BINS_LINEAR + width
        if last == 0 or cost > finer:
            return
        finer = cost
        for symbol in range((last >> 1) + 1):
            merged = counts[2 * symbol]
            if 2 * symbol < last:
                merged += counts[2 * symbol + 1]
            counts[symbol] = merged
        last >>= 1
        width += 1


cdef BinChoice choose_bins(
    const uint64_t *values, size_t count, uint64_t most, uint64_t *rare
) noexcept nogil:
    cdef BinChoice best
    choose_logarithmic(values, count, most, &best, rare)
    choose_linear(values, count, most, &best)
    return best


# Writing

cdef uint8_t *write_binned(
    uint32_t bins, const uint64_t *values, size_t count, uint8_t *out, uint16_t *symbols
) noexcept nogil:
    cdef uint32_t[MAX_SYMBOLS] counts
    cdef uint16_t[MAX_SYMBOLS] codes
    cdef HuffmanCode code
    cdef BitWriter writer
    cdef uint32_t symbol, rest
    cdef uint64_t half = 0
    cdef size_t i
    memset(counts, 0, sizeof(counts))
    code.first = MAX_SYMBOLS
    code.last = 0
    for i in range(count):
        if bins < BINS_LINEAR:
            symbol = log_symbol(values[i], bins - BINS_LOG)
        else:
            symbol = <uint32_t>(values[i] >> (bins - BINS_LINEAR)) if bins < BINS_LINEAR + 64 else 0
        symbols[i] = symbol
        counts[symbol] += 1
        if symbol < code.first:
            code.first = symbol
        if symbol > code.last:
            code.last = symbol
    build_code(counts, &code)
    out = write_code(&code, out)
    assign_codes(&code, codes)
    if code.first != code.last and count >= HALVES_FROM:
        for i in range(count // 2):
            half += code.lengths[symbols[i]]
        out = put_varint(out, half)
    writer.out = out
    writer.pending = 0
    writer.held = 0
    if code.first != code.last:
        for i in range(count):
            put_bits(&writer, codes[symbols[i]], code.lengths[symbols[i]])
        end_bits(&writer)
    for i in range(count):
        rest = rest_bits(bins, symbols[i])
        put_bits(&writer, values[i] & low_bits(rest), rest)
    return end_bits(&writer)


# Reading

cdef size_t read_run(
    const uint16_t *table, uint64_t mask, const uint8_t *bytes, const uint8_t *end, size_t bit,
    size_t count, uint16_t *symbols
) noexcept nogil:
    """Reads `count` symbols from `bit` on. Returns the bit behind: beyond `end` if too few."""
    cdef size_t i = 0, room = end - bytes
    cdef uint64_t word
    cdef uint32_t entry
    while i < count and (bit >> 3) + 8 <= room:
        entry = table[(load_word(bytes + (bit >> 3)) >> (bit & 7)) & mask]
        symbols[i] = entry >> 6
        bit += entry & 63
        i += 1
    # The last bytes, fewer than 8, are one word. The zeros behind them are not part of the stream.
    word = load_word_before(bytes + (bit >> 3), end) >> (bit & 7)
    while i < count and bit <= 8 * room:
        entry = table[word & mask]
        symbols[i] = entry >> 6
        word >>= entry & 63
        bit += entry & 63
        i += 1
    return bit


cdef const uint8_t *read_symbols(
    const HuffmanCode *code, const uint8_t *bytes, const uint8_t *end,
    size_t count, uint16_t *symbols
) noexcept nogil:
    cdef uint16_t[CODE_TABLE] table
    cdef uint32_t width = decode_table(code, table), one, two
    cdef uint64_t mask = (1 << width) - 1, half = 0, word, other
    cdef size_t first = count // 2 if count >= HALVES_FROM else 0
    cdef size_t bit = 0, bit_two, room, i = 0, j
    cdef uint16_t *behind = symbols + first
    if width == 0:
        for i in range(count):
            symbols[i] = code.first
        return bytes
    if first:
        bytes = get_varint(bytes, end, &half)
        if bytes == NULL or half > 8 * <uint64_t>(end - bytes):
            return NULL
    room = end - bytes
    bit_two = half
    # A symbol waits for the length of the one before it, so two runs side by side take little
    # longer than one. A load holds four codes (at most 7 + 4 * 12 bits).
    while i + 4 <= first and (bit >> 3) + 8 <= room and (bit_two >> 3) + 8 <= room:
        word = load_word(bytes + (bit >> 3)) >> (bit & 7)
        other = load_word(bytes + (bit_two >> 3)) >> (bit_two & 7)
        for j in range(i, i + 4):
            one = table[word & mask]
            two = table[other & mask]
            symbols[j] = one >> 6
            behind[j] = two >> 6
            word >>= one & 63
            other >>= two & 63
            bit += one & 63
            bit_two += two & 63
        i += 4
    if first and read_run(table, mask, bytes, end, bit, first - i, symbols + i) != half:
        return NULL
    bit_two = read_run(table, mask, bytes, end, bit_two, count - first - i, behind + i)
    if bit_two > 8 * room:
        return NULL
    return bytes + ((bit_two + 7) >> 3)


cdef const uint8_t *read_linear(
    uint32_t width, const uint8_t *bytes, const uint8_t *end, size_t count,
    uint64_t *values, const uint16_t *symbols
) noexcept nogil:
    """The rests of linear bins, which are all equally wide: none waits for the one before."""
    cdef size_t bit = 0, i = 0, j, room = end - bytes
    cdef uint64_t mask, word
    if width == 0:
        for i in range(count):
            values[i] = symbols[i]
        return bytes
    if count * width > 8 * room:
        return NULL
    if width <= 57:
        # A rest of at most 57 bits lies in the 8 bytes from its first byte on.
        mask = (<uint64_t>1 << width) - 1
        while width <= 14 and i + 4 <= count and (bit >> 3) + 8 <= room:
            # One load holds four of them.
            word = load_word(bytes + (bit >> 3)) >> (bit & 7)
            for j in range(i, i + 4):
                values[j] = (<uint64_t>symbols[j] << width) + (word & mask)
                word >>= width
            bit += 4 * width
            i += 4
        while i < count and (bit >> 3) + 8 <= room:
            word = load_word(bytes + (bit >> 3)) >> (bit & 7)
            values[i] = (<uint64_t>symbols[i] << width) + (word & mask)
            bit += width
            i += 1
    while i < count:
        values[i] = bin_base(BINS_LINEAR + width, symbols[i], width)
        values[i] += load_bits(bytes, end, bit, width)
        bit += width
        i += 1
    return bytes + ((bit + 7) >> 3)


cdef const uint8_t *read_logarithmic(
    uint32_t bins, const HuffmanCode *code, const uint8_t *bytes, const uint8_t *end, size_t count,
    uint64_t *values, const uint16_t *symbols
) noexcept nogil:
    """The rests of logarithmic bins. Only rests of huge numbers are wider than 57 bits."""
    cdef uint64_t[MAX_SYMBOLS] base
    cdef uint8_t[MAX_SYMBOLS] rests
    cdef uint32_t symbol, rest, widest = 0
    cdef size_t bit = 0, i = 0, room = end - bytes
    cdef uint64_t word
    for symbol in range(code.first, code.last + 1):
        rest = rest_bits(bins, symbol)
        # A bin that would begin beyond 64 bits has no numbers.
        if rest >= 64:
            return NULL
        rests[symbol] = rest
        base[symbol] = bin_base(bins, symbol, rest)
        if rest > widest:
            widest = rest
    if widest == 0:
        for i in range(count):
            values[i] = base[symbols[i]]
        return bytes
    if widest <= 57:
        while i < count and (bit >> 3) + 8 <= room:
            rest = rests[symbols[i]]
            values[i] = base[symbols[i]] + (
                (load_word(bytes + (bit >> 3)) >> (bit & 7)) & ((<uint64_t>1 << rest) - 1)
            )
            bit += rest
            i += 1
        # The last bytes as one word, as above.
        word = load_word_before(bytes + (bit >> 3), end) >> (bit & 7)
        while i < count and bit <= 8 * room:
            rest = rests[symbols[i]]
            values[i] = base[symbols[i]] + (word & ((<uint64_t>1 << rest) - 1))
            word >>= rest
            bit += rest
            i += 1
    while i < count and bit <= 8 * room:
        rest = rests[symbols[i]]
        values[i] = base[symbols[i]] + load_bits(bytes, end, bit, rest)
        bit += rest
        i += 1
    if bit > 8 * room:
        return NULL
    return bytes + ((bit + 7) >> 3)


cdef const uint8_t *read_binned(
    uint32_t bins, const uint8_t *bytes, const uint8_t *end, size_t count,
    uint64_t *values, uint16_t *symbols
) noexcept nogil:
    cdef HuffmanCode code
    bytes = read_code(bytes, end, &code)
    # There is only one bin of 64 bits.
    if bytes == NULL or bins >= BINS_END or (bins == BINS_END - 1 and code.last):
        return NULL
    bytes = read_symbols(&code, bytes, end, count, symbols)
    if bytes == NULL:
        return NULL
    if bins >= BINS_LINEAR:
        return read_linear(bins - BINS_LINEAR, bytes, end, count, values, symbols)
    return read_logarithmic(bins, &code, bytes, end, count, values, symbols)
