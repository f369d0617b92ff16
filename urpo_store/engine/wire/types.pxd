# What a scan finds in a request: declarations only, shared by the modules of the scanner
# and by those who use what it finds. wire/scanner.pxd says how it is found.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.points.slots cimport Point

cdef enum:
    # Scan.error, after BAD_BYTES; Scan.error_offset says about where
    WIRE_E_NONE = 0
    WIRE_E_BYTES = 1            # a length, tag or value that protobuf does not allow, or the end too early
    WIRE_E_UTF8 = 2
    WIRE_E_DEPTH = 3

    # Why a point was rejected (WirePoint.reason, and the refusals that identity adds).
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

# Memory that is given back all at once, when the next scan begins.
cdef struct ArenaBlock:
    ArenaBlock *next
    size_t used, size

cdef struct Span:
    const uint8_t *p
    size_t n

cdef struct WireResource:
    Span body                   # the Resource message, merged
    Span schema_url

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
    bint settled                # the two above are as sent; else guessed, until all of the metric is scanned

cdef struct WirePoint:
    uint32_t metric             # index in Scan.metrics
    uint32_t reason             # REJECT_*; a rejected point still counts
    Span attributes             # its KeyValue fields, tags included, contiguous and in order
    uint32_t slot               # index of its Point in Scan.slots; 0, which is a START slot, if it has none
    uint32_t series             # filled by on_point, or later by who resolves or creates it; 0 not known
    uint32_t bad_exemplars      # exemplars dropped (no value, bad id length)

cdef struct Scan
# Called when `batch` points are gathered and more follow; the arrays points and slots are emptied
# after it. Returns OK to go on; anything else ends the scan and is what wire_scan returns.
ctypedef int (*batch_fn)(void *context, Scan *scan) noexcept nogil
# Called for each point as it is staged, while its bytes are at hand: who knows its series sets it, in
# the point and in its slot, and Scan.expected for the next one. `expected`: its attributes are those.
# A point that comes back without a series counts in Scan.unresolved. Returns OK to go on; anything else
# ends the scan and is what wire_scan returns. Nobody else changes Scan.expected while a scan is under
# way: it may have been compared already.
ctypedef int (*point_fn)(void *context, Scan *scan, WirePoint *point, bint expected) noexcept nogil

cdef struct Scan:
    Account *account
    # options, constant during a scan
    size_t batch                # points per call of on_batch, which is also called before there are more than
                                # 8 * batch slots
    batch_fn on_batch           # NULL: the arrays grow as needed
    point_fn on_point           # NULL: nobody knows series
    void *context
    bint dry                    # only look: points are told of, but no slots are filled
    size_t keep                 # bytes of any array that may be kept from one scan to the next
    uint32_t max_payload        # words; a point with more is REJECT_TOO_LARGE
    const uint8_t *begin        # of the request
    size_t length
    # results
    WireResource *resources
    size_t resource_count, resource_capacity
    WireScope *scopes
    size_t scope_count, scope_capacity
    WireMetric *metrics
    size_t metric_count, metric_capacity
    WirePoint *points
    size_t point_count, point_capacity
    # Slots as points/slots.pxd describes them, ready for the ring: a START slot first, a new one whenever
    # the start time changes; Point.series is 0 (the caller fills it). Rejected points have none.
    Point *slots
    size_t slot_count, slot_capacity
    size_t most_slots           # of all batches of the scan
    uint64_t total_points       # of the whole request, rejected ones included
    size_t unresolved           # points among `points` without a series
    # Attributes that the next point probably has: whole fields that have been checked before. The bytes
    # are compared, never believed. p NULL: no idea.
    Span expected
    uint32_t error
    size_t error_offset
    # the metric whose points are scanned: its index, its message, and the first of its points
    uint32_t current
    Span current_data
    size_t current_first
    # memory reused between requests: blocks that never move while spans point into them
    ArenaBlock *arena
    ArenaBlock *arena_at        # the block in use; those behind it are empty
    uint8_t *scratch            # canonical values are built here
    size_t scratch_used, scratch_capacity
    # the START slot that governs the next point
    uint64_t start
    size_t start_slot
    bint has_start


# Refuses a point for `reason`, unless something is wrong with it already. Its slot, if it has one, is voided:
# series 0, which the drain and every reader pass over.
cdef inline void reject(Scan *scan, WirePoint *point, uint32_t reason) noexcept nogil:
    if point.reason != REJECT_NONE:
        return
    point.reason = reason
    if not scan.dry:
        scan.slots[point.slot].series = 0
