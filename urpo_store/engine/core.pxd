# The engine as Python sees it: one store, its life, and the calls that change it or tell how it is. Queries go
# through engine/reader.
#
# Whoever touches the store counts itself in (`enter`) and out (`leave`), with the GIL held; `close` waits for
# those inside. In a forked child nothing can be entered.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.store cimport Store

cdef class Engine:
    cdef Store *store
    cdef readonly bint closed
    cdef Py_ssize_t calls           # calls under way; written with the GIL held
    cdef object idle                # Event: set when closed and no call is under way
    cdef readonly int64_t retention
    cdef readonly uint64_t memory_limit
    cdef readonly uint32_t max_series

    # Raises StoreClosedError. Every `enter` is followed by one `leave`.
    cdef Store *enter(self) except NULL
    cdef void leave(self) noexcept
