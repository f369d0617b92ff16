# Bringing points of one series that were gathered from several places into one ascending run.
from urpo_store.engine.chunks.rows cimport Rows

# Sorts rows[first:] by time, keeping of equal times the last appended one (or, with `add`, their
# sum, added as rows.kind says). Without memory it sorts in place, slowly. 0, or -1: two points to
# be added could not be for want of memory; the later one stands for both.
cdef int rows_sort(Rows *rows, size_t first, bint add) noexcept nogil
