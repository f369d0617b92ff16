# A read session: how one thread asks the store for names and points.
#
# Everything comes back as plain tuples and numpy arrays. embedded/reader.StoreReader extends
# ReadSession with the model's names (kinds, scopes, exemplars); it is the one Reader of queries.
#
# Invariants
# (1) A session is inside an epoch from its making until `close`. So long the ids and values that it
#     names stay valid, and the engine's `close` waits.
# (2) One thread at a time uses a session.
# (3) The arrays of `read_points` are views of a RowsOwner, which they keep alive. An owner with
#     views is never decoded into again.
from libc.stdint cimport int64_t, uint32_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.chunks.types cimport Rows
from urpo_store.engine.core cimport Engine
from urpo_store.engine.store cimport Store


# Decoded columns, and the account that counts their memory.
#
# A session decodes into the owner of its last scan if no array looks into it any more: that memory
# is warm, and fresh memory would cost more than the decoding.
cdef class RowsOwner:
    cdef Rows rows
    cdef Account account
    cdef size_t views               # arrays that look into it; written under the GIL


cdef class ReadSession:
    cdef Engine engine
    cdef Store *store               # NULL: closed
    cdef int slot                   # of the epoch
    cdef RowsOwner owner            # of the last scan; None before the first

    # The store; raises StoreClosedError if the session is closed.
    cdef Store *opened(self) except NULL
    # Room to decode into, cleared.
    cdef RowsOwner rows_owner(self)
