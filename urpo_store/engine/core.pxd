# The engine as Python sees it: one store, its life, and the calls that change it or tell how it is.
# Queries go through engine/reader.
#
# Invariants
# (1) Every call counts itself in (`enter`) before it touches `store`, and out (`leave`) after, with
#     the GIL held. `close` waits for those inside and then frees the store.
# (2) In a forked child nothing can be entered: locks may be held by threads that are not there.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.store cimport Store

cdef class Engine:
    cdef Store *store               # NULL once closed
    cdef readonly bint closed
    cdef Py_ssize_t calls           # calls under way
    cdef object idle                # Event: set when closed and no call is under way
    cdef readonly int64_t retention
    cdef readonly uint64_t memory_limit
    cdef readonly uint32_t max_series

    # Counts a call in. Raises StoreClosedError; otherwise one `leave` must follow.
    cdef Store *enter(self) except NULL
    cdef void leave(self) noexcept
    cdef bint is_ours(self) noexcept
    cdef void shut(self) noexcept
