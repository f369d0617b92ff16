# What is known of the health of one service: increments of requests, errors and latency, filed as
# they arrive.
#
#   HealthService   one service: its sources, and the lock
#   Source          one request metric of it (a name and a protocol): slots of time, and first
#                   points
#   Slot            what was counted in one second, or (older) in ten: sums, the time covered,
#                   Vectors
#   Vector          bucket counts of a slot in one Scheme
#   Scheme          what makes bucket counts addable: explicit bounds in a unit, or (exponential) a
#                   unit
#   HealthSeries    what a series remembers: its last point, to turn totals into increments
#
# Filing. An increment is filed at the time of its point and says which time it covers: from the
# previous point (or from the start time, where that is newer) to this one. Slots are 1 s wide. When
# a newer second needs its place, a slot is folded into the 10 s slot of its time; when a newer one
# needs that place, it is dropped. So the last five minutes are kept by the second and the last hour
# by ten seconds, each slot with the exact times that it holds.
#
# First points. What the first point of a cumulative series counts depends on its start time:
#
#   not before this store first saw the service   an increment like any other. It covers the time
#                                                 since its source was last heard of: the series was
#                                                 silent until then
#   before that                                   whether it counts depends on the window of the
#                                                 report. Kept in Source.firsts with its start, for
#                                                 an hour. Points of one start and time share one;
#                                                 beyond FIRSTS they are merged, and the older start
#                                                 counts
#   unknown                                       a baseline: nothing before the last point of an
#   evicted series    a baseline: it may be that series, come back with a
#   of this source                                total that has been counted already
#
# Invariants
# (1) Everything here is read and written under HealthService.lock, but for `resources` and for what
#     is set before a service or series is published. The lock is innermost: its holder takes no
#     other. (It may be taken under SeriesTable.lock.) It is written by ingest calls for the
#     service, and by the threads that create or evict its series.
# (2) A slot is reachable from exactly one place: seconds, tens or firsts.
# (3) Beyond `most` bytes a new slot costs the two oldest ones of its service. Reports that reach
#     back to these are answered by replaying stored points (health/book.pxd).
# (4) Without memory the increment is counted without its buckets, or (no slot) not counted. The
#     series' last point moves on all the same, so that nothing is counted twice later.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_mutex_t
from urpo_store.engine.health.sources cimport Meaning

cdef enum:
    SECOND = 1_000_000_000
    FUTURE_SECONDS = 300        # a point later than now + 5 m does not move health
    SECONDS = 320               # 1 s slots: 5 minutes and some more
    TENS = 372                  # 10 s slots: an hour and some more
    FIRSTS = 128
    SOURCES = 32                # request metrics per service; more are not counted
    SCHEMES = 16                # per source; of others only the count is kept
    BUCKETS = 160               # of an exponential vector; wider ones are downscaled
    RECENT = 4                  # delta points of a series that are remembered, to know re-sent ones

cdef struct Scheme:
    bint exponential
    uint32_t size               # bounds
    double multiplier, divisor  # as Meaning
    double *bounds              # as sent
    double *seconds             # the same in seconds; second half of one block

cdef struct Vector:             # followed by `capacity` u64 counts
    Vector *next
    uint32_t scheme             # index in Source.schemes
    uint32_t size               # counts in use
    uint32_t capacity
    int32_t scale, offset       # exponential: of counts[0]
    uint64_t zero               # exponential: zero bucket and negative values
    double zero_threshold
    double maximum              # -inf: not known

cdef struct Slot:
    int64_t index               # (time - 1) / width, so that a slot is (begin, end]; firsts: 0
    int64_t start               # firsts only: the start time that decides
    int64_t first, last         # times of the points in it
    int64_t covered             # the earliest moment its increments reach back to
    double count, errors
    Vector *vectors

cdef struct Source:
    char *name
    uint32_t name_length
    Meaning meaning             # of its first series; is_error and unit vary by series
    int64_t latest, before      # the last two distinct times at which a point came
    int64_t forgotten           # the latest point of an evicted cumulative series
    Slot *seconds[SECONDS]
    Slot *tens[TENS]
    Slot *firsts[FIRSTS]
    uint32_t first_count
    uint32_t scheme_count
    Scheme schemes[SCHEMES]

cdef struct HealthSeries        # below

cdef struct HealthService:
    Account *index_account      # what exists once for each service, source or series
    Account *account            # what grows with time: slots, vectors
    uint64_t most               # bytes of `account` beyond which a new slot costs the oldest ones;
                                # 0: any
                                # number. Constant
    pthread_mutex_t lock
    char *name                  # UTF-8; constant
    uint32_t name_length
    uint32_t id                 # string id; constant
    int64_t first_seen          # earliest point time of any metric; INT64_MAX before the first
    int64_t last_seen           # latest one, not beyond now + 5 m when it came; INT64_MIN before
                                # the first
    uint32_t source_count
    Source *sources[SOURCES]
    uint32_t resources          # that refer to it; under SeriesTable.lock
    HealthSeries *series        # all that are bound, linked by their `next`
    int64_t shed_until          # newest point time in a slot that was dropped for want of memory;
                                # INT64_MIN none
    uint64_t dropped            # increments not counted for want of memory or of a slot that old

cdef struct HealthSeries:
    HealthService *service
    HealthSeries *next
    HealthSeries *previous
    Source *source
    uint32_t kind
    uint32_t cumulative
    uint32_t is_error
    uint32_t collapsed          # stands for many sets: points of equal times are not re-sent ones
    double multiplier, divisor
    uint32_t primed             # has a last point
    uint32_t flags              # of the last point (FLAG_INT)
    int64_t start, time         # of the last point; start 0: unknown
    uint64_t value              # the last count, or bits of the last total
    # Delta: start and time of the last RECENT points.
    int64_t recent_start[RECENT]
    int64_t recent_time[RECENT]
    uint32_t recent_next
    # The last vector, as sent (explicit) or downscaled to BUCKETS (exponential).
    int32_t scheme              # index in Source.schemes; -1: none
    int32_t scale, offset
    uint64_t zero
    uint32_t size
    uint32_t capacity
    uint64_t *counts
