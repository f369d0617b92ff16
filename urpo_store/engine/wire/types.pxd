# What a scan finds in a request. Declarations only; wire/scanner.pxd says how it is found.
#
# A Scan belongs to one thread. The scanner writes its results; the caller sets the options before a
# scan, and the two callbacks fill in what is known of a point's series.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.status cimport BAD_BYTES
from urpo_store.engine.points.slots cimport Point

cdef enum:
    # Scan.error: why a scan answered BAD_BYTES.
    WIRE_E_NONE = 0
    WIRE_E_BYTES = 1            # a tag, length or value that protobuf does not allow, or cut off
    WIRE_E_UTF8 = 2
    WIRE_E_DEPTH = 3

    # WirePoint.reason: why a point was rejected. 12 to 15 are the refusals of resolve and ingest.
    REJECT_NONE = 0
    REJECT_TIME_ZERO = 1
    REJECT_TIME_RANGE = 2       # time or start >= 2^63
    REJECT_NO_VALUE = 3
    REJECT_TEMPORALITY = 4      # unspecified, or a number that OTLP does not have
    REJECT_BUCKET_COUNT = 5     # counts and bounds disagree in number
    REJECT_BUCKET_SUM = 6       # the buckets do not add up to the count
    REJECT_BOUNDS = 7           # bounds not strictly increasing, or NaN
    REJECT_BUCKET_RANGE = 8     # exponential bucket indexes or scale out of range
    REJECT_TOO_LARGE = 9        # more payload than the store takes in one point
    REJECT_NO_NAME = 10         # the metric has no name
    REJECT_ATTRIBUTES = 12      # too many attributes
    REJECT_STRING = 13          # a string longer than the limit
    REJECT_TOO_OLD = 14         # older than the retention
    REJECT_MEMORY = 15          # no room or no memory for a new series

# A block of the arena (wire/arena.pxd).
cdef struct ArenaBlock:
    ArenaBlock *next
    size_t used, size

cdef struct Span:
    const uint8_t *p
    size_t n

cdef struct WireResource:
    Span body                   # the Resource message, merged

cdef struct WireScope:
    uint32_t resource           # index in Scan.resources
    Span body                   # the InstrumentationScope message, merged
    Span schema_url             # of the ScopeMetrics

cdef struct WireMetric:
    uint32_t scope              # index in Scan.scopes
    Span name, unit, description
    uint32_t kind               # KIND_*
    uint32_t temporality        # as sent; 0 for gauges and summaries
    uint32_t monotonic
    bint settled                # the two above are as sent; else they are guessed (temporality.pxd)

cdef struct WirePoint:
    uint32_t metric             # index in Scan.metrics
    uint32_t reason             # REJECT_*; a rejected point still counts
    Span attributes             # its KeyValue fields, tags included, contiguous and in order
    uint32_t slot               # index in Scan.slots; 0, which is a START slot: it has none
    uint32_t series             # set by on_point, or later by resolve or ingest; 0: not known
    uint32_t bad_exemplars      # exemplars dropped (no value, bad id length)

cdef struct Scan

# Called when `batch` points are gathered and one more follows. The scanner empties the arrays
# `points` and `slots` after it. OK: go on; anything else ends the scan and is what wire_scan
# returns.
ctypedef int (*batch_fn)(void *context, Scan *scan) noexcept nogil

# Called for each point when it has been staged and its bytes are still in the caches. It may set
#   - the point's series, in the point and in its slot; without one it counts in Scan.unresolved;
#   - Scan.expected, for the next point. Nothing else may change it during a scan: the scanner may
#     have compared it already.
# `expected`: the point's attributes are those that were expected.
# OK: go on; anything else ends the scan and is what wire_scan returns.
ctypedef int (*point_fn)(void *context, Scan *scan, WirePoint *point, bint expected) noexcept nogil

cdef struct Scan:
    Account *account

    # Options, constant during a scan.
    size_t batch                # most points of a call of on_batch; and most slots, 8 * batch
    batch_fn on_batch           # NULL: the arrays grow as needed
    point_fn on_point           # NULL: no series are known
    void *context               # of the two
    bint dry                    # only look: points are gathered and told, no slots are filled
    size_t keep                 # bytes of any array that may be kept from one scan to the next
    uint32_t max_payload        # words; a point with more is REJECT_TOO_LARGE
    const uint8_t *begin        # the request
    size_t length

    # Results.
    WireResource *resources
    size_t resource_count, resource_capacity
    WireScope *scopes
    size_t scope_count, scope_capacity
    WireMetric *metrics
    size_t metric_count, metric_capacity
    WirePoint *points
    size_t point_count, point_capacity
    # Slots as in points/slots.pxd, ready for the ring: a START slot first, a new one whenever the
    # start time changes. Point.series is 0 until the point's series is known. Rejected points have
    # no slot.
    Point *slots
    size_t slot_count, slot_capacity
    size_t most_slots           # the most of a batch that has been handed over
    uint64_t total_points       # of the whole request, rejected ones included
    size_t unresolved           # points among `points` without a series
    # The attributes that the next point probably has: whole fields that have been checked before.
    # They are compared with what comes, never taken in its place. p NULL: no expectation.
    Span expected
    uint32_t error              # WIRE_E_*
    size_t error_offset         # about where in the request

    # The metric whose points are scanned: its index, its data message, the first of its points.
    uint32_t current
    Span current_data
    size_t current_first

    # Memory reused between requests.
    ArenaBlock *arena
    ArenaBlock *arena_at        # the block in use; those after it are empty
    uint8_t *scratch            # canonical values are built here
    size_t scratch_used, scratch_capacity

    # The START slot that governs the next point.
    uint64_t start
    size_t start_slot
    bint has_start


# Notes what is wrong with the request, and where; BAD_BYTES.
cdef inline int malformed(Scan *scan, uint32_t error, const uint8_t *p) noexcept nogil:
    scan.error = error
    # In a message that was put together from pieces the place in the request is not known.
    scan.error_offset = p - scan.begin if scan.begin <= p <= scan.begin + scan.length else 0
    return BAD_BYTES


# Refuses a point for `reason`, unless something is wrong with it already. Its slot is voided: the
# drain and every reader pass over series 0.
cdef inline void reject(Scan *scan, WirePoint *point, uint32_t reason) noexcept nogil:
    if point.reason != REJECT_NONE:
        return
    point.reason = reason
    if not scan.dry:
        scan.slots[point.slot].series = 0
