# How records leave: in two steps, so that no thread holds one that is freed.
#
#   unlinked       the last reference is dropped, under the lock: no look-up by key finds the record
#   off its page   once no call from before is under way (for a series: and the drain has passed
#                  what such calls published): no look-up by id finds it
#   freed          after a second grace period, for threads that met it on its page meanwhile: by a
#                  stale `next`, or while walking over all ids
#
# "The lock" is SeriesTable.lock. Last references are dropped under it, so that no other thread
# takes one meanwhile.
from libc.stdint cimport uint32_t

from urpo_store.engine.identity.sets cimport Pair
from urpo_store.engine.identity.types cimport Series, SeriesTable

# Drop a reference, and unlink the record with its last one. REQUIRES: the lock.
cdef void drop_resource(SeriesTable *table, uint32_t id) noexcept nogil
cdef void drop_scope(SeriesTable *table, uint32_t id) noexcept nogil
cdef void drop_metric(SeriesTable *table, uint32_t id) noexcept nogil
# Drops the references to the strings of a set. REQUIRES: the lock.
cdef void release_pairs(SeriesTable *table, Pair *pairs, uint32_t count) noexcept nogil
# An unlinked series, and its id. REQUIRES: the lock.
cdef void retire_series(SeriesTable *table, Series *series) noexcept nogil

# Free a record at once; `context` is the SeriesTable. REQUIRES: nothing refers to the record.
cdef void free_resource(void *context, void *item) noexcept nogil
cdef void free_scope(void *context, void *item) noexcept nogil
cdef void free_metric(void *context, void *item) noexcept nogil
# After on_gone.
cdef void free_series(void *context, void *item) noexcept nogil
