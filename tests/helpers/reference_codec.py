"""The codecs once more in plain Python, for the tests: slow, short, and the same bytes.

It follows docs/format.md, part by part in the order of the engine's modules. Words are Python ints
in 0..2^64-1; `signed` reads one as int64. What the engine computes in double precision (scaling by
powers of ten) is computed in Python's floats, which are the same IEEE doubles. Decoders raise
ValueError or IndexError on bad bytes.
"""

import math
import struct
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise

MASK = 2**64 - 1
LOG2 = [0, *(round(256 * math.log2(c)) for c in range(1, 4097))]


def signed(word: int) -> int:
    return word - 2**64 if word >> 63 else word


def zigzag(word: int) -> int:
    return (word << 1) & MASK ^ (MASK if word >> 63 else 0)


def unzigzag(word: int) -> int:
    return word >> 1 ^ (MASK if word & 1 else 0)


def put_varint(x: int) -> bytes:
    out = bytearray()
    while x >= 0x80:
        out.append(x & 0x7F | 0x80)
        x >>= 7
    out.append(x)
    return bytes(out)


def put_svarint(word: int) -> bytes:
    return put_varint(zigzag(word & MASK))


def pack_bits(pieces: Sequence[tuple[int, int]]) -> bytes:
    """(number, width) pieces, lowest bit first, zeros up to a whole byte."""
    total = at = 0
    for x, width in pieces:
        total |= x << at
        at += width
    return total.to_bytes((at + 7) // 8, "little")


class Reader:
    """A cursor over bytes, and over bits within them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.bit = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("the bytes end early")
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self) -> int:
        x = shift = 0
        while True:
            byte = self.byte()
            x |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return x & MASK
            if shift == 70:
                raise ValueError("a varint is longer than 10 bytes")

    def svarint(self) -> int:
        return unzigzag(self.varint())

    def bits(self, width: int) -> int:
        x = 0
        for i in range(width):
            x |= (self.data[self.at + self.bit // 8] >> self.bit % 8 & 1) << i
            self.bit += 1
        return x

    def align(self) -> None:
        self.at += (self.bit + 7) // 8
        self.bit = 0


# bitpack


def blocks(values: Sequence[int]) -> list[Sequence[int]]:
    return [values[i : i + 32] for i in range(0, len(values), 32)]


def pack_blocks(values: Sequence[int]) -> bytes:
    out = b""
    for block in blocks(values):
        width = max(block).bit_length()
        out += bytes([width]) + pack_bits([(x, width) for x in block])
    return out


def unpack_blocks(reader: Reader, count: int) -> list[int]:
    values: list[int] = []
    while len(values) < count:
        width = reader.byte()
        if width > 64:
            raise ValueError(f"a block is {width} bits wide")
        values += [reader.bits(width) for _ in range(min(32, count - len(values)))]
        reader.align()
    return values


# huffman


def information(count: int) -> int:
    return count * LOG2[count]


def symbol_cost(count: int, total: int) -> int:
    return count * max(LOG2[total] - LOG2[count], 256)


def code_cost(counts: Counter[int], total: int) -> int:
    present = sorted(counts)
    if len(present) == 1:
        return 16 * 256
    cost, description, previous, before = 0, 20, 0, present[0] - 1
    for symbol in present:
        if symbol > before + 1:
            description += 2 + 2 * (symbol - before - 1).bit_length()
        cost += symbol_cost(counts[symbol], total)
        length = max(1, (LOG2[total] - LOG2[counts[symbol]] + 128) >> 8)
        if length == previous:
            description += 1
        elif abs(length - previous) == 1:
            description += 3
        elif previous:
            description += 7
        previous, before = length, symbol
    return cost + 256 * description


def code_lengths(counts: Counter[int]) -> dict[int, int]:
    """Huffman's method with two queues; of equal weights the leaf goes first."""
    order = sorted(counts, key=lambda symbol: (counts[symbol], symbol))
    if len(order) == 1:
        return {order[0]: 0}
    leaves = [(counts[symbol], [i]) for i, symbol in enumerate(order)]
    nodes: list[tuple[int, list[int]]] = []
    lengths = [0] * len(order)
    while len(leaves) + len(nodes) > 1:
        pair = []
        for _ in range(2):
            from_nodes = nodes and (not leaves or nodes[0][0] < leaves[0][0])
            pair.append((nodes if from_nodes else leaves).pop(0))
        members = pair[0][1] + pair[1][1]
        for i in members:
            lengths[i] += 1
        nodes.append((pair[0][0] + pair[1][0], members))
    # Which leaf gets which length is decided by rank: the rarest have the longest codes.
    lengths.sort(reverse=True)
    if lengths[0] > 12:
        lengths = [min(length, 12) for length in lengths]
        kraft = sum(2 ** (12 - length) for length in lengths)
        for i in range(len(lengths)):
            while kraft > 2**12 and lengths[i] < 12:
                lengths[i] += 1
                kraft -= 2 ** (12 - lengths[i])
        while kraft < 2**12:
            for i in reversed(range(len(lengths))):
                while kraft + 2 ** (12 - lengths[i]) <= 2**12:
                    kraft += 2 ** (12 - lengths[i])
                    lengths[i] -= 1
    return dict(zip(order, lengths, strict=True))


def canonical_codes(lengths: dict[int, int]) -> dict[int, tuple[int, int]]:
    """symbol -> (code with its highest bit lowest, length), as pack_bits takes it."""
    codes = {}
    code = previous = 0
    for symbol in sorted(lengths, key=lambda symbol: (lengths[symbol], symbol)):
        length = lengths[symbol]
        code <<= length - previous
        codes[symbol] = (int(f"{code:0{length}b}"[::-1], 2) if length else 0, length)
        code, previous = code + 1, length
    return codes


def write_code(lengths: dict[int, int]) -> bytes:
    present = sorted(lengths)
    out = put_varint(present[0]) + put_varint(present[-1] - present[0])
    if len(present) == 1:
        return out
    previous = lengths[present[0]]
    pieces = [(previous, 4)]
    for before, symbol in pairwise(present):
        gap = symbol - before - 1
        if gap:
            width = gap.bit_length() - 1
            pieces += [(0b011, 3), (1 << width, width + 1), (gap - (1 << width), width)]
        length = lengths[symbol]
        if length == previous:
            pieces.append((0, 1))
        elif length == previous - 1:
            pieces.append((0b001, 3))
        elif length == previous + 1:
            pieces.append((0b101, 3))
        else:
            pieces.append((0b111 | length << 3, 7))
        previous = length
    return out + pack_bits(pieces)


def read_code(reader: Reader) -> dict[int, int]:
    first = reader.varint()
    last = first + reader.varint()
    if last >= 512:
        raise ValueError(f"a symbol is {last}")
    if first == last:
        return {first: 0}
    length = reader.bits(4)
    lengths = {first: length}
    symbol = first + 1
    while symbol <= last:
        if reader.bits(1):
            match reader.bits(2):
                case 0b00:
                    length -= 1
                case 0b10:
                    length += 1
                case 0b11:
                    length = reader.bits(4)
                case _:
                    width = 0
                    while not reader.bits(1):
                        width += 1
                    symbol += (1 << width) + reader.bits(width)
                    if symbol > last:
                        raise ValueError("a gap behind the last symbol")
                    continue
        lengths[symbol] = length
        symbol += 1
    if not all(1 <= length <= 12 for length in lengths.values()):
        raise ValueError("a code is not 1 to 12 bits long")
    if sum(2 ** (12 - length) for length in lengths.values()) != 2**12:
        raise ValueError("the code is not complete")
    reader.align()
    return lengths


# bins


def bin_of(bins: int, value: int) -> tuple[int, int]:
    """(symbol, how many bits tell the place within it)"""
    if bins >= 64:
        return value >> (bins - 64), bins - 64
    m = bins - 4
    rest = max(0, value.bit_length() - 1 - m)
    return (rest << m) + (value >> rest), rest


def bin_base(bins: int, symbol: int) -> tuple[int, int]:
    """(lowest number, how many bits tell the place within it)"""
    if bins >= 64:
        return symbol << (bins - 64), bins - 64
    m = bins - 4
    if symbol >> m <= 1:
        return symbol, 0
    rest = (symbol >> m) - 1
    return (1 << m | symbol & (1 << m) - 1) << rest, rest


def bins_cost(bins: int, values: Sequence[int]) -> int:
    places = [bin_of(bins, value) for value in values]
    counts = Counter(symbol for symbol, _ in places)
    return code_cost(counts, len(values)) + 256 * sum(rest for _, rest in places)


def choose_bins(values: Sequence[int]) -> tuple[int, int]:
    """(estimated cost, bins); of equal costs the first tried. Both families end where cost rises."""
    tried = [(bins_cost(7, values), 7)]
    for bins in (6, 5, 4):
        tried.append((bins_cost(bins, values), bins))
        if tried[-1][0] >= tried[-2][0]:
            break
    width = max(0, max(values).bit_length() - (7 if len(values) >= 256 else 6))
    finer = 2**64 - 1
    while True:
        tried.append((bins_cost(64 + width, values), 64 + width))
        if max(values) >> width == 0 or tried[-1][0] > finer:
            break
        finer = tried[-1][0]
        width += 1
    return min(tried, key=lambda choice: choice[0])


def has_half(lengths: dict[int, int], count: int) -> bool:
    """Whether it is written where the codes of the second half begin."""
    return len(lengths) > 1 and count >= 128


def write_binned(bins: int, values: Sequence[int]) -> bytes:
    places = [bin_of(bins, value) for value in values]
    lengths = code_lengths(Counter(symbol for symbol, _ in places))
    codes = canonical_codes(lengths)
    rests = [
        (value & (1 << rest) - 1, rest) for value, (_, rest) in zip(values, places, strict=True)
    ]
    pieces = [codes[symbol] for symbol, _ in places]
    out = write_code(lengths)
    if has_half(lengths, len(values)):
        out += put_varint(sum(width for _, width in pieces[: len(values) // 2]))
    return out + pack_bits(pieces) + pack_bits(rests)


def read_binned(bins: int, reader: Reader, count: int) -> list[int]:
    lengths = read_code(reader)
    bases = {symbol: bin_base(bins, symbol) for symbol in range(min(lengths), max(lengths) + 1)}
    if any(rest > 64 or (rest == 64 and symbol) for symbol, (_, rest) in bases.items()):
        raise ValueError("a bin beyond 64 bits")
    symbols = {(code, length): s for s, (code, length) in canonical_codes(lengths).items()}
    half = reader.varint() if has_half(lengths, count) else None
    found = []
    taken = 0
    for i in range(count):
        if half is not None and i == count // 2 and taken != half:
            raise ValueError(f"the second half begins at bit {taken}, not {half}")
        code = length = 0
        while (code, length) not in symbols:
            code |= reader.bits(1) << length
            length += 1
        found.append(symbols[code, length])
        taken += length
    reader.align()
    values = [bases[s][0] + reader.bits(bases[s][1]) & MASK for s in found]
    reader.align()
    return values


# streams


def plan_stream(values: Sequence[int], inner: bool) -> tuple[int, int]:
    """(estimated cost, tag)"""
    count = len(values)
    if not any(values):
        return 8 * 256, 0
    cost, tag = choose_bins(values)
    cost += 8 * 256
    packed = (1 + len(pack_blocks(values))) * 8 * 256
    if packed <= cost:
        cost, tag = packed, 1
    if inner:
        return cost, tag
    counts = Counter(values)
    if max(values) >= 128 and len(counts) <= 32:
        entries = sorted(counts)
        dictionary = 8 * 9 * 256
        for before, entry in zip([0, *entries], entries, strict=False):
            if len(entries) > 1:
                dictionary += symbol_cost(counts[entry], count)
            dictionary += 256 * (6 + (entry - before).bit_length())
        if dictionary < cost:
            cost, tag = dictionary, 3
    events = [value for value in values if value]
    if 2 * len(events) <= count:
        sparse = information(count) - information(len(events)) - information(count - len(events))
        sparse += information(len(events))
        lengths = Counter(event.bit_length() for event in events)
        sparse += sum(256 * n * (length - 1) - information(n) for length, n in lengths.items())
        sparse += 8 * 10 * 256
        if sparse < cost:
            cost, tag = sparse, 2
    return cost, tag


def write_inner(values: Sequence[int]) -> bytes:
    return write_stream(plan_stream(values, True)[1], values)


def write_stream(tag: int, values: Sequence[int]) -> bytes:
    out = bytes([tag])
    if tag == 0:
        return out
    if tag == 1:
        return out + pack_blocks(values)
    if tag == 2:
        places = [i for i, value in enumerate(values) if value]
        gaps = [i - before - 1 for before, i in zip([-1, *places], places, strict=False)]
        events = [values[i] - 1 for i in places]
        return out + put_varint(len(places)) + write_inner(gaps) + write_inner(events)
    if tag == 3:
        entries = sorted(set(values))
        steps = [entries[0], *(b - a - 1 for a, b in pairwise(entries))]
        indexes = [entries.index(value) for value in values]
        return out + put_varint(len(entries)) + write_inner(steps) + write_inner(indexes)
    return out + write_binned(tag, values)


def read_stream(reader: Reader, count: int, inner: bool = False) -> list[int]:
    tag = reader.byte()
    if tag == 0:
        return [0] * count
    if tag == 1:
        return unpack_blocks(reader, count)
    if tag == 2 and not inner:
        used = reader.varint()
        if used > count // 2:
            raise ValueError("too many events")
        gaps = read_stream(reader, used, True)
        values: list[int] = []
        for gap, event in zip(gaps, read_stream(reader, used, True), strict=True):
            if gap >= count - len(values):
                raise ValueError("an event behind the end")
            values += [0] * gap + [event + 1 & MASK]
        return values + [0] * (count - len(values))
    if tag == 3 and not inner:
        used = reader.varint()
        if not 1 <= used <= min(32, count):
            raise ValueError(f"a dictionary of {used}")
        entries: list[int] = []
        for step in read_stream(reader, used, True):
            entries.append(entries[-1] + step + 1 & MASK if entries else step)
        return [entries[i] for i in read_stream(reader, count, True)]
    if 4 <= tag <= 7 or 64 <= tag <= 128:
        return read_binned(tag, reader, count)
    raise ValueError(f"a stream begins with {tag}")


# integers


def divisor_of(v: Sequence[int]) -> int:
    numbers = [signed(x) for x in v]
    if max(numbers) - min(numbers) >= 2**63:
        return 1
    return math.gcd(*(x - numbers[0] for x in numbers))


def median(words: Sequence[int], most: int) -> int:
    stride = -(-len(words) // most)
    some = sorted(signed(word) for word in words[::stride])
    return some[len(some) // 2] & MASK


def trend_step(v: Sequence[int]) -> int:
    """Divided as C does it: towards 0."""
    half = len(v) // 2
    total = signed(sum(v[len(v) - half :]) - sum(v[:half]) & MASK)
    step = abs(total) // (half * (len(v) - half))
    return (step if total >= 0 else -step) & MASK


def differences(v: Sequence[int]) -> list[int]:
    return [b - a & MASK for a, b in pairwise(v)]


def levels_cost(rests: Sequence[int]) -> int:
    counts = Counter(rests)
    if len(counts) > 8:
        return MASK
    entropy = information(len(rests)) - sum(information(n) for n in counts.values())
    return entropy + 256 * 4 * len(counts)


def rests_cost(rests: Sequence[int]) -> int:
    centre = median(rests, 16)
    around = [zigzag(rest - centre & MASK) for rest in rests]
    kinds = Counter(((x >> 1).bit_length(), x & 1) for x in around)
    entropy = information(len(rests)) - sum(information(n) for n in kinds.values())
    cost = entropy + 256 * sum(n * max(0, length - 1) for (length, _), n in kinds.items())
    return min(cost, levels_cost(rests))


def less_trend(v: Sequence[int], step: int) -> list[int]:
    return [x - i * step & MASK for i, x in enumerate(v)]


def choose_prediction(v: Sequence[int], step: int) -> int:
    """An order of differences, 0 to 2, or 7, the trend; write_general goes on to higher orders."""
    count = len(v)
    if count - 2 <= 64:
        places = list(range(2, count))
    else:
        starts = [2 + run * (count - 2 - 16) // 3 for run in range(4)]
        places = [start + i for start in starts for i in range(16)]
    first = [0, *differences(v)]
    second = [0, 0, *differences(first[1:])]
    candidates = {0: v, 1: first, 2: second, 7: less_trend(v, step)}
    costs = {p: rests_cost([rests[i] for i in places]) for p, rests in candidates.items()}
    return min(costs, key=lambda prediction: costs[prediction])


def sampled_cost(rests: Sequence[int]) -> int:
    return rests_cost(rests[:: -(-len(rests) // 64)])


def write_integers(values: Sequence[int], high: int = 0) -> bytes:
    """`high` is the high half of the tag; RAW has none. values are int64."""
    v = [value & MASK for value in values]
    steps = {b - a & MASK for a, b in pairwise(v)}
    if steps <= {0}:
        out = bytes([2 | high << 4]) + put_svarint(v[0])
    elif len(steps) == 1:
        out = bytes([3 | high << 4]) + put_svarint(v[0]) + put_svarint(steps.pop())
    else:
        out = bytes([4 | high << 4]) + write_general(v)
    if len(out) < 1 + 8 * len(v):
        return out
    return bytes([0]) + struct.pack(f"<{len(v)}Q", *v)


def write_general(v: list[int]) -> bytes:
    flags = 0
    out = b""
    divisor = divisor_of(v)
    if divisor > 1:
        flags |= 16
        out += put_svarint(v[0]) + put_varint(divisor)
        v = [(signed(x) - signed(v[0])) // divisor & MASK for x in v]
    step = trend_step(v)
    prediction = choose_prediction(v, step)
    if prediction == 7:
        out += put_svarint(step)
        rests = less_trend(v, step)
    else:
        rests = v
        for _ in range(prediction):
            out += put_svarint(rests[0])
            rests = differences(rests)
        while 2 <= prediction < 6 and len(rests) > 32:
            deeper = differences(rests)
            if sampled_cost(deeper) + 2048 > sampled_cost(rests):
                break
            out += put_svarint(rests[0])
            rests = deeper
            prediction += 1
    flags |= prediction
    least = min(rests, key=signed)
    centre = median(rests, 31)
    above = [rest - least & MASK for rest in rests]
    around = [zigzag(rest - centre & MASK) for rest in rests]
    cost, tag = plan_stream(above, False)
    centred_cost, centred_tag = plan_stream(around, False)
    if centre != least and centred_cost < cost:
        flags |= 8
        return bytes([flags]) + out + put_svarint(centre) + write_stream(centred_tag, around)
    return bytes([flags]) + out + put_svarint(least) + write_stream(tag, above)


def read_integers(reader: Reader, count: int) -> list[int]:
    """The numbers as words."""
    tag = reader.byte() & 15
    if tag == 0:
        return list(struct.unpack(f"<{count}Q", reader.take(8 * count)))
    if tag in (2, 3):
        first = reader.svarint()
        step = reader.svarint() if tag == 3 else 0
        return [first + i * step & MASK for i in range(count)]
    if tag != 4:
        raise ValueError(f"a column of integers begins with {tag}")
    flags = reader.byte()
    order = flags & 7 if flags & 7 < 7 else 0
    if flags > 31 or order > count:
        raise ValueError(f"the flags are {flags}")
    first, divisor = (reader.svarint(), reader.varint()) if flags & 16 else (0, 1)
    starts = [reader.svarint() for _ in range(order)]
    step = reader.svarint() if flags & 7 == 7 else 0
    offset = reader.svarint()
    rests = read_stream(reader, count - order)
    if flags & 8:
        rests = [unzigzag(rest) for rest in rests]
    v = [rest + offset & MASK for rest in rests]
    for start in reversed(starts):
        v = [x & MASK for x in accumulate([start, *v])]
    v = less_trend(v, -step)
    return [x * divisor + first & MASK for x in v]


# decimals


def ordered(bits: int) -> int:
    return bits ^ (2**63 - 1 if bits >> 63 else 0)


def rotated(bits: int) -> int:
    return (bits << 1 | bits >> 63) & MASK


def to_double(bits: int) -> float:
    return float(struct.unpack("<d", bits.to_bytes(8, "little"))[0])


def unscaled(scaled: int, exponent: int) -> int:
    return int.from_bytes(struct.pack("<d", float(scaled) / 10.0**exponent), "little")


def scale(bits: int, exponent: int, otherwise: int) -> int:
    product = to_double(bits) * 10.0**exponent
    if -(2.0**53) < product < 2.0**53:
        return int(product - 0.5 if product < 0 else product + 0.5)
    return otherwise


def scale_doubles(bits: Sequence[int], exponent: int) -> tuple[list[int], list[int]]:
    """(scaled, zigzag of the corrections)"""
    scaled, side, previous = [], [], 0
    for x in bits:
        previous = scale(x, exponent, previous)
        scaled.append(previous)
        side.append(zigzag(ordered(x) - ordered(unscaled(previous, exponent)) & MASK))
    return scaled, side


def words_cost(words: Sequence[int]) -> int:
    centre = words[len(words) // 2]
    differences = [x - centre & MASK for x in words]
    levels = sum(zigzag(d).bit_length() for d in differences)
    steps = sum(zigzag(b - a & MASK).bit_length() for a, b in pairwise(words))
    if not any(differences):
        return 0
    zeros = min((d & -d).bit_length() - 1 for d in differences if d)
    return max(0, min(levels, steps) - zeros * len(words))


def plan_doubles(bits: Sequence[int]) -> tuple[str, int, str]:
    """(how, exponent of decimals, the better one of the other ways)"""
    count = len(bits)
    sample = list(bits)
    if count > 32:
        starts = [run * (count - 8) // 3 for run in range(4)]
        sample = [bits[start + i] for start in starts for i in range(8)]
    best_cost, best_exponent, clean = 2**64 - 1, 0, False
    for exponent in range(16):
        scaled, side = scale_doubles(sample, exponent)
        cost = words_cost([x & MASK for x in scaled]) + sum(x.bit_length() for x in side)
        if cost < best_cost:
            best_cost, best_exponent = cost, exponent
            clean = 8 * sum(x != 0 for x in side) <= len(sample)
            if clean:
                break
    cost = words_cost([ordered(x) for x in sample])
    rotated_cost = words_cost([rotated(x) for x in sample])
    otherwise = "ordered"
    if rotated_cost + len(sample) < cost:
        cost, otherwise = rotated_cost, "rotated"
    if not clean and cost <= best_cost + len(sample):
        return otherwise, best_exponent, otherwise
    return "decimals", best_exponent, otherwise


def needed_exponent(bits: int, exponent: int) -> int:
    for larger in range(exponent + 1, 16):
        if unscaled(scale(bits, larger, 0), larger) == bits:
            return larger
    return exponent


# codec


def write_decimals(bits: Sequence[int], exponent: int) -> bytes:
    scaled, side = scale_doubles(bits, exponent)
    misses = [i for i, x in enumerate(side) if x]
    needed = max([needed_exponent(bits[i], exponent) for i in misses[:8]], default=exponent)
    if 16 * len(misses) > len(bits) and needed > exponent:
        rescaled, fewer = scale_doubles(bits, needed)
        if 2 * sum(x != 0 for x in fewer) < len(misses):
            exponent, scaled, side = needed, rescaled, fewer
    if not any(side):
        return write_integers(scaled, exponent)
    stream = write_stream(plan_stream(side, False)[1], side)
    return bytes([5 | exponent << 4]) + write_integers(scaled) + stream


def write_doubles(bits: Sequence[int], how: str, exponent: int) -> bytes:
    if how == "decimals":
        return write_decimals(bits, exponent)
    if how == "ordered":
        return b"\x06" + write_integers([ordered(x) for x in bits])
    return b"\x07" + write_integers([rotated(x) for x in bits])


def encode_doubles(bits: Sequence[int]) -> bytes:
    if len(set(bits)) == 1:
        _, exponent, _ = plan_doubles(bits[:1])
        best = b"\x01" + bits[0].to_bytes(8, "little")
        return min(best, write_doubles(bits, "decimals", exponent), key=len)
    best = b"\x00" + struct.pack(f"<{len(bits)}Q", *bits)
    how, exponent, otherwise = plan_doubles(bits)
    best = min(best, write_doubles(bits, how, exponent), key=len)
    if how == "decimals" and len(best) > 5 * len(bits):
        best = min(best, write_doubles(bits, otherwise, 0), key=len)
    return best


def encode_ints(values: Sequence[int]) -> bytes:
    return write_integers(values)


def decode_ints(data: bytes, count: int) -> list[int]:
    reader = Reader(data)
    values = [signed(word) for word in read_integers(reader, count)]
    if reader.at != len(data):
        raise ValueError("bytes behind the column, or too few")
    return values


def decode_doubles(data: bytes, count: int) -> list[int]:
    """The bits of the doubles."""
    reader = Reader(data)
    tag, exponent = data[0] & 15, data[0] >> 4
    if tag == 1:
        reader.at = 1
        bits = [int.from_bytes(reader.take(8), "little")] * count
    elif tag == 0:
        bits = read_integers(reader, count)
    elif tag <= 4:
        bits = [unscaled(signed(x), exponent) for x in read_integers(reader, count)]
    else:
        reader.at = 1
        words = read_integers(reader, count)
        if tag == 5:
            side = [unzigzag(x) for x in read_stream(reader, count)]
            places = [ordered(unscaled(signed(x), exponent)) for x in words]
            bits = [ordered(p + k & MASK) for p, k in zip(places, side, strict=True)]
        elif tag == 6:
            bits = [ordered(x) for x in words]
        elif tag == 7:
            bits = [x >> 1 | (x & 1) << 63 for x in words]
        else:
            raise ValueError(f"a column of doubles begins with {tag}")
    if reader.at != len(data):
        raise ValueError("bytes behind the column, or too few")
    return bits
