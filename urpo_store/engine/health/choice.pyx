"""Which slots and sources answer for a window; the contract is in health/choice.pxd."""
cimport cython
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memset

from urpo_store.engine.health.sources cimport (
    PREFER_SPANS, PROTOCOLS, PROTOCOL_CELERY, PROTOCOL_FAAS, PROTOCOL_GENAI, PROTOCOL_HTTP,
    PROTOCOL_MCP, PROTOCOL_MESSAGING, PROTOCOL_RPC, PROTOCOL_SERVER, ROLE_ERRORS,
)
from urpo_store.engine.health.types cimport SECOND, SECONDS, TENS, HealthService, Slot, Source

cdef enum:
    TEN_SECONDS = 10_000_000_000    # ns


# ---- slots ---------------------------------------------------------------------------------------

@cython.cdivision(True)
cdef size_t find_slots(Source *source, int64_t low, int64_t high, Slot **found) noexcept nogil:
    cdef size_t n = 0
    cdef int64_t newest = min(high, source.latest)
    cdef uint32_t i
    low = max(low, 0)
    # Before its first increment a source has no slots, and no latest time to look back from.
    if newest > low:
        n = add_found(source.tens, TENS, TEN_SECONDS, low, high, newest, found, n)
        n = add_found(source.seconds, SECONDS, SECOND, low, high, newest, found, n)
    for i in range(source.first_count):
        if within(source.firsts[i], low, high) and source.firsts[i].start >= low:
            found[n] = source.firsts[i]
            n += 1
    return n


@cython.cdivision(True)
cdef inline size_t add_found(Slot **places, int64_t count, int64_t width, int64_t low, int64_t high,
                             int64_t newest, Slot **found, size_t n) noexcept nogil:
    """Appends the slots of one width that are in the window. Returns how many are found by now."""
    cdef int64_t last = (newest - 1) // width
    cdef int64_t first = max(low // width, last - count + 1)
    cdef int64_t index
    for index in range(first, last + 1):
        if within(places[index % count], low, high):
            found[n] = places[index % count]
            n += 1
    return n


cdef inline bint within(const Slot *slot, int64_t low, int64_t high) noexcept nogil:
    return slot != NULL and low < slot.last <= high


# ---- sources -------------------------------------------------------------------------------------

cdef void choose_sources(HealthService *service, int64_t low, int64_t high,
                         Choice *choice) noexcept nogil:
    cdef Slot *found[FOUND_MAX]
    cdef Tally tallies[PROTOCOLS]
    cdef uint32_t i, protocol
    memset(choice, 0, sizeof(Choice))
    memset(tallies, 0, sizeof(tallies))
    for i in range(service.source_count):
        tally(service.sources[i], found, find_slots(service.sources[i], low, high, found), tallies)
    for protocol in range(PROTOCOLS):
        if tallies[protocol].best != NULL and not is_measured(choice, tallies, protocol):
            add_source(choice, &tallies[protocol])


# What is known of the sources of one protocol.
cdef struct Tally:
    Source *best                # NULL: none was heard of
    double count, errors        # of `best`
    double counted              # errors of sources that count nothing else (faas.errors)


cdef void tally(Source *source, Slot **found, size_t n, Tally *tallies) noexcept nogil:
    cdef Tally *of = &tallies[source.meaning.protocol]
    cdef double count = 0, errors = 0
    cdef size_t k
    if n == 0:
        return
    for k in range(n):
        count += found[k].count
        errors += found[k].errors
    if source.meaning.role == ROLE_ERRORS:
        of.counted += errors
    elif better(source, count, of.best, of.count):
        of.best = source
        of.count = count
        of.errors = errors


cdef bint better(const Source *source, double count, const Source *best,
                 double best_count) noexcept nogil:
    if best == NULL or (count > 0) != (best_count > 0):
        return best == NULL or count > 0
    return source.meaning.preference < best.meaning.preference


cdef bint is_measured(const Choice *choice, const Tally *tallies, uint32_t protocol) noexcept nogil:
    """Whether the best source of a protocol is of spans whose requests another source counts.

    What could be that source has been chosen by now, for PROTOCOL_SERVER comes last; but consumer
    spans look ahead at Celery.
    """
    if tallies[protocol].best.meaning.preference < PREFER_SPANS:
        return False
    if protocol == PROTOCOL_MESSAGING:
        return tallies[PROTOCOL_CELERY].best != NULL
    return protocol == PROTOCOL_SERVER and server_measured(choice)


cdef bint server_measured(const Choice *choice) noexcept nogil:
    """Whether a server protocol has a source that is not of spans."""
    cdef uint32_t i, protocol
    for i in range(choice.count):
        protocol = choice.sources[i].meaning.protocol
        if choice.sources[i].meaning.preference < PREFER_SPANS and (
                protocol == PROTOCOL_HTTP or protocol == PROTOCOL_RPC or protocol == PROTOCOL_FAAS
                or protocol == PROTOCOL_GENAI or protocol == PROTOCOL_MCP):
            return True
    return False


cdef void add_source(Choice *choice, const Tally *of) noexcept nogil:
    choice.sources[choice.count] = of.best
    choice.count += 1
    choice.requests += of.count
    if of.best.meaning.can_fail:
        choice.can_fail = True
        choice.failable += of.count
        choice.errors += of.errors + of.counted
