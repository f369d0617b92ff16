"""From bucket counts to quantiles; the contract is in health/latency.pxd."""
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.atomics cimport bits_to_double, double_to_bits
from urpo_store.engine.points.quantile cimport (
    ExponentialCounts, common_bounds, fold_explicit, fold_exponential, quantile_explicit,
    quantile_exponential, rank_explicit, rank_exponential,
)
from urpo_store.engine.health.exponential cimport BucketRange, range_cover
from urpo_store.engine.health.slots cimport vector_counts
from urpo_store.engine.health.types cimport BUCKETS, Scheme, Slot, Source, Vector


# ---- the components of a source ------------------------------------------------------------------

cdef size_t source_words(const Source *source) noexcept nogil:
    cdef size_t words = 0
    cdef uint32_t i
    for i in range(source.scheme_count):
        words += count_words(&source.schemes[i])
    # And the shared bounds, and the sums at them.
    return words + 2 * most_bounds(source) + 1


cdef inline size_t count_words(const Scheme *scheme) noexcept nogil:
    return BUCKETS if scheme.exponential else scheme.size + 1


cdef size_t most_bounds(const Source *source) noexcept nogil:
    cdef size_t most = 0
    cdef uint32_t i
    for i in range(source.scheme_count):
        most = max(most, <size_t>source.schemes[i].size)
    return most


cdef size_t source_components(Source *source, Slot **found, size_t n, uint64_t *words,
                              Component *components) noexcept nogil:
    cdef Component *component
    cdef size_t count = 0, most = most_bounds(source)
    cdef uint32_t i
    memset(components, 0, source.scheme_count * sizeof(Component))
    for i in range(source.scheme_count):
        component = &components[i]
        component.scheme = &source.schemes[i]
        component.bounds = source.schemes[i].seconds
        component.counts = words
        component.maximum = -INFINITY
        component.size = 0 if source.schemes[i].exponential else source.schemes[i].size
        words += count_words(&source.schemes[i])
    add_vectors(components, found, n)
    # Those that have counted nothing are left out.
    for i in range(source.scheme_count):
        components[i].total = total_of(&components[i])
        if components[i].total != 0:
            components[count] = components[i]
            count += 1
    return merge_components(components, count, <double *>words, words + most)


cdef uint64_t total_of(const Component *component) noexcept nogil:
    cdef uint64_t total = component.zero
    cdef size_t k
    for k in range(component.size if component.scheme.exponential else component.size + 1):
        total += component.counts[k]
    return total


# ---- adding up -----------------------------------------------------------------------------------

cdef void add_vectors(Component *components, Slot **found, size_t n) noexcept nogil:
    """Adds up the vectors of all slots: one pass finds the exponential ranges, the next adds."""
    cdef const Vector *vector
    cdef size_t i
    for i in range(n):
        vector = found[i].vectors
        while vector != NULL:
            if components[vector.scheme].scheme.exponential:
                widen(&components[vector.scheme], vector)
            vector = vector.next
    for i in range(n):
        vector = found[i].vectors
        while vector != NULL:
            add_vector(&components[vector.scheme], vector)
            vector = vector.next


cdef void widen(Component *component, const Vector *vector) noexcept nogil:
    """Makes an exponential component as wide, or as coarse, as the vector demands."""
    cdef BucketRange held
    held.any = False
    range_cover(&held, component.scale, component.offset, component.size)
    range_cover(&held, vector.scale, vector.offset, vector.size)
    if held.any:
        component.scale = held.scale
        component.offset = held.first
        component.size = <uint32_t>(<int64_t>held.last - held.first + 1)


cdef void add_vector(Component *component, const Vector *vector) noexcept nogil:
    cdef const uint64_t *counts = vector_counts(vector)
    cdef uint64_t *sums = component.counts
    cdef uint32_t k
    component.maximum = max(component.maximum, vector.maximum)
    if component.scheme.exponential:
        fold_exponential(counts, vector.size, vector.offset,
                         <int64_t>vector.scale - component.scale, sums, component.offset)
        component.zero += vector.zero
        component.zero_threshold = max(component.zero_threshold, vector.zero_threshold)
    else:
        for k in range(vector.size):
            sums[k] += counts[k]


cdef size_t merge_components(Component *components, size_t count, double *bounds,
                             uint64_t *sums) noexcept nogil:
    """Makes one of the explicit components of a source, at the bounds that they share, if any.

    `bounds` and `sums` have room for those of the longest. Returns how many components are left.
    """
    cdef Component *component
    cdef Component *target = NULL
    cdef size_t kept = 0
    cdef size_t n = 0
    cdef size_t explicits = 0
    cdef size_t i
    for i in range(count):
        component = &components[i]
        if component.scheme.exponential:
            continue
        if explicits == 0:
            n = component.size
            memcpy(bounds, component.bounds, 8 * n)
        else:
            n = common_bounds(bounds, n, component.bounds, component.size, bounds)
        explicits += 1
    if explicits < 2 or n == 0:
        return count
    memset(sums, 0, 8 * (n + 1))
    for i in range(count):
        component = &components[i]
        if component.scheme.exponential:
            components[kept] = component[0]
            kept += 1
            continue
        fold_explicit(component.bounds, component.size, component.counts, bounds, n, sums)
        if target == NULL:
            components[kept] = component[0]
            target = &components[kept]
            kept += 1
        else:
            target.total += component.total
            target.maximum = max(target.maximum, component.maximum)
    target.bounds = bounds
    target.counts = sums
    target.size = <uint32_t>n
    return kept


# ---- quantiles -----------------------------------------------------------------------------------

cdef double quantile_of(const Component *components, size_t count, double q) noexcept nogil:
    if count == 0:
        return NAN
    if count == 1:
        return component_quantile(components, q)
    return mixture_quantile(components, count, q)


cdef ExponentialCounts exponential_counts(const Component *component) noexcept nogil:
    cdef ExponentialCounts buckets
    memset(&buckets, 0, sizeof(buckets))
    buckets.scale = component.scale
    buckets.zero_count = component.zero
    buckets.zero_threshold = component.zero_threshold
    buckets.positive_offset = component.offset
    buckets.positive = component.counts
    buckets.positive_size = component.size
    return buckets


cdef double component_quantile(const Component *component, double q) noexcept nogil:
    cdef ExponentialCounts buckets
    cdef double found
    if component.scheme.exponential:
        buckets = exponential_counts(component)
        found = quantile_exponential(q, &buckets)
        return found * component.scheme.multiplier / component.scheme.divisor
    return quantile_explicit(q, component.bounds, component.size, component.counts,
                             component.maximum)


cdef double mixture_quantile(const Component *components, size_t count, double q) noexcept nogil:
    """The smallest x >= 0 below which q of all observations lie.

    Bit patterns of non-negative floats are in the order of their values, so halving them finds x to
    the last bit in 63 steps.
    """
    cdef uint64_t low = 0
    cdef uint64_t high = double_to_bits(INFINITY)
    cdef uint64_t middle
    cdef double total = 0
    cdef size_t i
    for i in range(count):
        total += <double>components[i].total
    while low < high:
        middle = low + (high - low) // 2
        if rank_below(components, count, bits_to_double(middle)) >= q * total:
            high = middle
        else:
            low = middle + 1
    return bits_to_double(low)


cdef double rank_below(const Component *components, size_t count, double x) noexcept nogil:
    """How many observations lie below x."""
    cdef double rank = 0
    cdef const Component *component
    cdef ExponentialCounts buckets
    cdef size_t i
    for i in range(count):
        component = &components[i]
        if component.scheme.exponential:
            buckets = exponential_counts(component)
            rank += rank_exponential(
                x * component.scheme.divisor / component.scheme.multiplier, &buckets)
        else:
            rank += rank_explicit(x, component.bounds, component.size, component.counts,
                                  component.maximum)
    return rank
