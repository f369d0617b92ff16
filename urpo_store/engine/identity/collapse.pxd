# Collapse: which series stands for an attribute set for which there is no room.
#
# A key that no series of the metric had before takes the value "urpo.overflow"; if there is none,
# the key with most distinct values does (identity/key_ranks.pxd). Then the next key does too, and
# so on, until the set is that of a series that exists or has room:
#
#   not all keys collapsed   while fewer than a quarter more than max_series exist, and the index
#                            is within its memory_limit
#   all keys collapsed       while fewer than twice max_series exist, and the index is within a
#                            quarter more than its memory_limit. Beyond that there is no series: or
#                            a sender that makes up services would fill the memory with these
#
# Many sources then share one series. overflow.pxd says what becomes of their points.
#
# REQUIRES of all: the caller holds SeriesTable.lock, and a reference to resource, scope and metric.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.identity.sets cimport Set
from urpo_store.engine.identity.types cimport SeriesTable

cdef extern from *:
    """
    #define OVERFLOW_VALUE "surpo.overflow"
    """
    const char *OVERFLOW_VALUE  # "urpo.overflow" as a canonical value: s and the text

# Whether a new set may become a series of its own.
cdef bint has_room(SeriesTable *table) noexcept nogil
# The series that stands for the set, with SERIES_OVERFLOW, which is made if need be; 0: no room or
# no memory. Changes values of the set.
cdef uint32_t collapse(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, Set *set
) noexcept nogil
# A keyed hash of a set as it was sent, in a metric of one scope and resource: of what they are,
# whatever the order of keys, not of their ids. A source is remembered for longer than these may
# live, and ids are used again.
cdef uint64_t source_hash(
    SeriesTable *table, uint32_t resource, uint32_t scope, uint32_t metric, const Set *set
) noexcept nogil
