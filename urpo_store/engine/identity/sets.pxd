# Attribute sets on their way from raw bytes to identity: decoded, then looked up or interned.
#
# Of equal keys the last one counts, and the order of keys means nothing. Once its strings have ids,
# a set is its pairs sorted by key id, so that equal sets are equal bytes. Keys are interned as
# UTF-8, values as canonical bytes (identity/values.pxd), in one table of strings: an id means the
# same bytes everywhere.
#
# A Set belongs to one call. Its spans are valid as long as those of its Scan.
from libc.stdint cimport uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.intern cimport Key, KeyTable, key_of, table_find, table_intern

cdef struct Pair:
    uint32_t key
    uint32_t value

cdef struct Decoded:
    Span key, value             # value: canonical bytes
    Pair pair                   # ids; 0: not known

cdef struct Set:
    Account *account
    KeyTable *strings
    Decoded *items
    Pair *pairs                 # sorted; filled by set_find or set_intern
    size_t count, capacity
    bint interned               # the set owns a reference to each of its strings

# The attributes in a checked span; `field` as for wire_next_attribute. OK, or NO_MEMORY; the caller
# calls set_free either way.
cdef int set_decode(
    Set *set, Account *account, KeyTable *strings, Scan *scan, Span body, uint32_t field
) noexcept nogil
# Drops the set, and the references that it owns.
cdef void set_free(Set *set) noexcept nogil
# Fills the pairs, if all strings are known. Allocates nothing.
cdef bint set_find(Set *set) noexcept nogil
# Fills the pairs, and takes a reference to each string. OK; or NO_MEMORY, and no reference is
# taken.
cdef int set_intern(Set *set) noexcept nogil
# The pairs as bytes, for a table of canonical sets. REQUIRES: they are filled.
cdef Key set_key(const Set *set) noexcept nogil
# A copy of the pairs; NULL: no memory. A caller that keeps the copy takes the references over too,
# and clears `interned`.
cdef Pair *set_copy_pairs(const Set *set) noexcept nogil
# Bytes of keys and values: the size of what the set says, however it is encoded.
cdef size_t set_weight(const Set *set) noexcept nogil
# A keyed hash of what the set says, whatever the order of its keys, and whether or not they have
# ids.
cdef uint64_t set_hash(const Set *set) noexcept nogil
# The attribute with this key; NULL: there is none.
cdef const Decoded *set_item(const Set *set, const char *key) noexcept nogil

cdef bint same_span(Span a, Span b) noexcept nogil


# The id of a key or a canonical value; 0: not known.
cdef inline uint32_t find_span(KeyTable *strings, Span text) noexcept nogil:
    cdef Key key = key_of(text.p, text.n)
    return table_find(strings, &key)


# The same, added if it is not known, with a reference for the caller; 0: no memory.
cdef inline uint32_t intern_span(KeyTable *strings, Span text) noexcept nogil:
    cdef Key key = key_of(text.p, text.n)
    return table_intern(strings, &key)
