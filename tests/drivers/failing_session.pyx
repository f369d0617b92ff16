"""A read session whose memory fails when told to: for tests."""
cimport cython
from libc.stdint cimport uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.session cimport ReadSession, RowsOwner


@cython.final
cdef class FailingSession(ReadSession):
    """Counts the allocations of its scans, from one scan to the next."""

    cdef RowsOwner rows_owner(self):
        cdef RowsOwner last = self.owner
        cdef RowsOwner owner = ReadSession.rows_owner(self)
        if last is not None and last is not owner:
            owner.account.calls = last.account.calls
            owner.account.fail_at = last.account.fail_at
        return owner

    def fail_allocation(self, uint64_t n, *, bint columns):
        """Make the n-th allocation of reads from now on fail: of columns, or of all else.

        0: none. Returns how many there have been.
        """
        cdef RowsOwner owner = self.rows_owner()
        cdef Account *account = &owner.account if columns else &self.opened().query_account
        account.fail_at = account.calls + n if n else 0
        return account.calls
