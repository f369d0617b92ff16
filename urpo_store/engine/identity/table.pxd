# The table of all series: how it begins and ends.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.identity.types cimport SeriesTable

# An empty table without hooks (SeriesHooks says when they are bound). OK, or NO_MEMORY.
cdef int series_table_init(
    SeriesTable *table, Account *account, Epochs *epochs, uint32_t max_series, uint64_t memory_limit
) noexcept nogil
# Calls on_gone for every series that is left.
# REQUIRES: no other thread uses the table, and nothing of it waits in limbo.
cdef void series_table_destroy(SeriesTable *table) noexcept nogil
