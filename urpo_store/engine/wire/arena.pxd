# Memory of a scan: what points into it lives until the next scan with the same Scan begins.
#
# What is found in a request mostly stays where it is, in the request. Only what has to be put together
# is copied, into the arena: messages that come in several pieces, fields that are not one run.
from libc.stdint cimport uint8_t, uint32_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.wire.types cimport ArenaBlock, Scan, Span

cdef enum:
    MAX_WORDS = 65535           # layout or row words that a payload header can tell

cdef struct ArenaMark:
    ArenaBlock *block
    size_t used

cdef void scan_init(Scan *scan, Account *account) noexcept nogil
cdef void scan_destroy(Scan *scan) noexcept nogil
cdef void scan_begin(Scan *scan, const uint8_t *data, size_t length) noexcept nogil
# Gives back what one big request took beyond what is usually needed; nothing found is there any more.
cdef void scan_end(Scan *scan) noexcept nogil
# The same for one array of items of `size` bytes, of which this request used `used`.
cdef void trim(Scan *scan, void **items, size_t *capacity, size_t used, size_t size) noexcept nogil
# `size` bytes, 8-aligned, until the next scan; NULL: no memory.
cdef uint8_t *arena_take(Scan *scan, size_t size) noexcept nogil
# Where the arena stands, and back to it: what was taken since is given up.
cdef ArenaMark arena_mark(Scan *scan) noexcept nogil
cdef void arena_back(Scan *scan, ArenaMark mark) noexcept nogil
# Notes the error and where it is; BAD_BYTES.
cdef int malformed(Scan *scan, uint32_t error, const uint8_t *p) noexcept nogil

# A sub-message that may come in several pieces; all 0 at first. In protobuf the concatenation of two
# messages is their merge. One piece stays where it is; more are put together in the arena.
cdef struct Pieces:
    Span whole
    size_t room                 # bytes at whole.p that are ours to write; 0 while it is in place
    bint any
    bint several                # each piece has been checked

cdef int pieces_add(Scan *scan, Pieces *pieces, Span piece) noexcept nogil
# The same; of several pieces each one is checked, for two halves of a message could be wrong apart and
# right together. OK, BAD_BYTES or NO_MEMORY.
cdef int pieces_add_checked(Scan *scan, Pieces *pieces, Span piece, uint32_t kind, int depth) noexcept nogil

cdef inline Span no_span() noexcept nogil:
    cdef Span span
    span.p = <const uint8_t *>b""
    span.n = 0
    return span
