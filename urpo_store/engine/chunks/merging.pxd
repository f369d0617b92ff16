# Points of one series that were gathered from several places, brought into one ascending run.
from urpo_store.engine.chunks.types cimport Rows

# Sorts rows[first:] by time. Of equal times the last appended one is kept or, with `add`, their sum
# (added as rows.kind says). Without memory it sorts in place, slowly. OK, or NO_MEMORY: two points
# could not be added; the later one stands for both.
cdef int rows_sort(Rows *rows, size_t first, bint add) noexcept nogil
