# The memory of a scan.
#
# What a scan finds mostly stays where it is, in the request. Only what has to be put together is
# copied into the arena: messages that come in several pieces, fields that are not one run.
#
# Invariants:
#   1. What is in the arena stays where it is and valid until the next scan with the same Scan
#      begins, or until arena_back gives it up.
#   2. Between two scans (scan_end) a Scan holds at most about 1 MiB in the arena, and `keep` bytes
#      in each array.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.wire.types cimport ArenaBlock, Scan, Span

cdef enum:
    MAX_WORDS = 65535           # layout or row words that a payload header can tell

cdef struct ArenaMark:
    ArenaBlock *block
    size_t used

cdef void scan_init(Scan *scan, Account *account) noexcept nogil
cdef void scan_destroy(Scan *scan) noexcept nogil
# Empties the results of the scan before. The options stay.
cdef void scan_begin(Scan *scan, const uint8_t *data, size_t length) noexcept nogil
# Gives back what a big request took beyond what is usually needed. Its results are gone then.
cdef void scan_end(Scan *scan) noexcept nogil
# The same for one array of items of `size` bytes, of which this request used `used`.
cdef void trim(
    Scan *scan, void **items, size_t *capacity, size_t used, size_t size
) noexcept nogil

# `size` bytes, 8-aligned. NULL: no memory.
cdef uint8_t *arena_take(Scan *scan, size_t size) noexcept nogil
# Where the arena stands, and back to it: what was taken since is given up.
cdef ArenaMark arena_mark(Scan *scan) noexcept nogil
cdef void arena_back(Scan *scan, ArenaMark mark) noexcept nogil


cdef inline Span no_span() noexcept nogil:
    cdef Span span
    span.p = <const uint8_t *>b""
    span.n = 0
    return span


# ---- a sub-message in pieces --------------------------------------------------------------------

# A sub-message that may come several times; all 0 at first. In protobuf the concatenation of
# messages is their merge. One piece stays where it is, more are put together in the arena.
cdef struct Pieces:
    Span whole
    size_t room                 # bytes at whole.p that are ours to write; 0 while it is in place
    bint any
    bint several                # each piece has been checked

# OK or NO_MEMORY.
cdef int pieces_add(Scan *scan, Pieces *pieces, Span piece) noexcept nogil
# The same, and of several pieces each one is checked by itself: two halves of a message can be
# wrong apart and right together. OK, BAD_BYTES or NO_MEMORY.
cdef int pieces_add_checked(
    Scan *scan, Pieces *pieces, Span piece, uint32_t kind, int depth
) noexcept nogil


# ---- a list of words ----------------------------------------------------------------------------

# Numbers gathered in the arena; all 0 at first.
cdef struct WordList:
    uint64_t *words
    size_t n, capacity

# Room for one more. OK or NO_MEMORY.
cdef int words_grow(Scan *scan, WordList *list) noexcept nogil


# OK or NO_MEMORY.
cdef inline int words_add(Scan *scan, WordList *list, uint64_t word) noexcept nogil:
    if list.n == list.capacity and words_grow(scan, list) != OK:
        return NO_MEMORY
    list.words[list.n] = word
    list.n += 1
    return OK
