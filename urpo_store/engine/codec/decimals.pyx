"""Doubles as integers; the contract is in codec/decimals.pxd."""
from libc.stdint cimport int64_t, uint64_t

cimport cython

from urpo_store.engine.memory.atomics cimport bits_to_double, double_to_bits
from urpo_store.engine.codec.bits cimport bit_length, unzigzag, zigzag

cdef double[MAX_EXPONENT + 1] POWERS
POWERS[:] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]

cdef enum:
    SAMPLE_RUNS = 4
    SAMPLE_RUN = 8
    SAMPLE = 32                 # SAMPLE_RUNS * SAMPLE_RUN
    MISSES = 8                  # so many corrections are looked at for the exponent they needed

cdef double LIMIT = 9007199254740992.0      # 2^53


@cython.cdivision(True)
cdef inline uint64_t unscaled(int64_t scaled, double power) noexcept nogil:
    return double_to_bits(<double>scaled / power)


cdef inline int64_t scale(double value, double power, int64_t otherwise) noexcept nogil:
    """The nearest integer, or `otherwise` for what has none below 2^53 (NaN among them)."""
    cdef double product = value * power
    if -LIMIT < product < LIMIT:
        return <int64_t>(product - 0.5 if product < 0 else product + 0.5)
    return otherwise


cdef int64_t scaled_near(uint64_t bits, int exponent) noexcept nogil:
    return scale(bits_to_double(bits), POWERS[exponent], 0)


cdef uint64_t unscaled_bits(int64_t scaled, int exponent) noexcept nogil:
    return unscaled(scaled, POWERS[exponent])


cdef uint64_t words_cost(const uint64_t *words, size_t count) noexcept nogil:
    """About how many bits the sample takes as integers: as levels or as differences."""
    cdef uint64_t levels = 0, steps = 0, differences = 0
    cdef uint64_t centre = words[count // 2], cost
    cdef size_t i, zeros
    for i in range(count):
        levels += bit_length(zigzag(words[i] - centre))
        differences |= words[i] - centre
        if i:
            steps += bit_length(zigzag(words[i] - words[i - 1]))
    cost = levels if levels < steps else steps
    # What all have in common at the low end is divided away.
    if differences == 0:
        return 0
    zeros = bit_length(differences & (<uint64_t>0 - differences)) - 1
    return cost - zeros * count if cost > zeros * count else 0


cdef DoublePlan plan_doubles(const uint64_t *bits, size_t count) noexcept nogil:
    cdef uint64_t[SAMPLE] sample
    cdef uint64_t[SAMPLE] words
    cdef uint64_t cost, other_cost, corrections, correction, best_cost = ~<uint64_t>0
    cdef bint clean = False
    cdef int64_t scaled
    cdef size_t used = 0, run, i, misfits
    cdef int exponent
    cdef DoublePlan plan
    plan.how = AS_DECIMALS
    plan.exponent = 0
    if count <= SAMPLE:
        for i in range(count):
            sample[i] = bits[i]
        used = count
    else:
        for run in range(SAMPLE_RUNS):
            for i in range(SAMPLE_RUN):
                sample[used] = bits[run * (count - SAMPLE_RUN) // (SAMPLE_RUNS - 1) + i]
                used += 1
    for exponent in range(MAX_EXPONENT + 1):
        corrections = 0
        scaled = 0
        misfits = 0
        for i in range(used):
            scaled = scale(bits_to_double(sample[i]), POWERS[exponent], scaled)
            words[i] = <uint64_t>scaled
            correction = ordered(sample[i]) - ordered(unscaled(scaled, POWERS[exponent]))
            corrections += bit_length(zigzag(correction))
            misfits += correction != 0
        cost = words_cost(words, used) + corrections
        if cost < best_cost:
            best_cost = cost
            plan.exponent = exponent
            clean = 8 * misfits <= used
            # One value in eight may need a correction.
            if clean:
                break
    for i in range(used):
        words[i] = ordered(sample[i])
    cost = words_cost(words, used)
    for i in range(used):
        words[i] = rotated(sample[i])
    other_cost = words_cost(words, used)
    plan.otherwise = AS_ORDERED
    # Where all have one sign, the rotated words are the doubled ordered ones: nothing gained.
    if other_cost + used < cost:
        plan.otherwise = AS_ROTATED
        cost = other_cost
    # Decimals with corrections must be clearly shorter: they need a second stream and a division.
    if not clean and cost <= best_cost + used:
        plan.how = plan.otherwise
    return plan


cdef int needed_exponent(uint64_t bits, int exponent) noexcept nogil:
    """The smallest larger exponent that gives these bits without correction, or `exponent`."""
    cdef int larger
    for larger in range(exponent + 1, MAX_EXPONENT + 1):
        if unscaled(scale(bits_to_double(bits), POWERS[larger], 0), POWERS[larger]) == bits:
            return larger
    return exponent


cdef size_t scale_doubles(
    const uint64_t *bits, size_t count, int exponent, int64_t *scaled, uint64_t *side, int *needed
) noexcept nogil:
    cdef double power = POWERS[exponent]
    cdef int64_t previous = 0
    cdef uint64_t correction
    cdef size_t corrections = 0, i
    cdef int larger
    if needed != NULL:
        needed[0] = exponent
    for i in range(count):
        previous = scale(bits_to_double(bits[i]), power, previous)
        scaled[i] = previous
        correction = ordered(bits[i]) - ordered(unscaled(previous, power))
        side[i] = zigzag(correction)
        if correction:
            corrections += 1
            if needed != NULL and corrections <= MISSES:
                larger = needed_exponent(bits[i], exponent)
                if larger > needed[0]:
                    needed[0] = larger
    return corrections


cdef void unscale_doubles(
    const int64_t *scaled, const uint64_t *side, size_t count, int exponent, uint64_t *bits
) noexcept nogil:
    cdef double power = POWERS[exponent]
    cdef size_t i
    if side == NULL and exponent == 0:
        # Whole numbers: the division would be most of the work.
        for i in range(count):
            bits[i] = double_to_bits(<double>scaled[i])
    elif side == NULL:
        for i in range(count):
            bits[i] = unscaled(scaled[i], power)
    else:
        for i in range(count):
            bits[i] = ordered(ordered(unscaled(scaled[i], power)) + unzigzag(side[i]))
