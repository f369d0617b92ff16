# Attribute sets on their way from raw bytes to identity: decoded, then looked up or interned.
#
# Of equal keys the last one counts, and an order of keys means nothing: once its strings have ids, a set
# is its pairs sorted by key id, so that equal sets are equal bytes. Keys are interned as UTF-8, values as
# canonical bytes (identity/values.pxd), in one table of strings: ids mean bytes, wherever they stand.
#
# A Set belongs to one call; its spans are valid as long as those of its Scan.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.intern cimport Key, Table

cdef struct Pair:
    uint32_t key
    uint32_t value

cdef struct Decoded:
    Span key, value             # value: canonical bytes
    Pair pair                   # ids; 0 unknown

cdef struct Set:
    Account *account
    Table *strings
    Decoded *items
    Pair *pairs                 # the ids, in order of key id, once set_find or set_intern has succeeded
    size_t count, capacity
    bint interned               # the ids' references are the set's

# The attributes in a checked span (`field` as wire_next_attribute). 0, or -1: no memory; set_free either way.
cdef int set_decode(Set *set, Account *account, Table *strings, Scan *scan, Span body, uint32_t field) noexcept nogil
# Drops the set, and the references it still owns.
cdef void set_free(Set *set) noexcept nogil
# Fills the pairs if all strings are known. Allocates nothing.
cdef bint set_find(Set *set) noexcept nogil
# Fills the pairs, with a reference to each string. 0, or -1: no memory, no reference taken.
cdef int set_intern(Set *set) noexcept nogil
# The pairs as bytes, for the table of canonical sets; the prefix is 0.
cdef Key set_key(const Set *set) noexcept nogil
# A copy of the pairs; NULL: no memory. Who keeps it keeps the references too, and clears `interned`.
cdef Pair *set_copy_pairs(const Set *set) noexcept nogil
# Bytes of keys and values: what the set itself weighs.
cdef size_t set_weight(const Set *set) noexcept nogil
# A keyed hash of what the set says, whatever the order of its keys and whether or not they have ids.
cdef uint64_t set_hash(const Set *set) noexcept nogil
# The attribute with this key, NULL if there is none.
cdef const Decoded *set_item(const Set *set, const char *key) noexcept nogil
cdef bint same_span(Span a, Span b) noexcept nogil
