"""Attribute sets; the contract is in identity/sets.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memset, strlen

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_free, mem_grow
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.wire.attributes cimport Attribute, wire_canonical_value, wire_next_attribute
from urpo_store.engine.wire.types cimport Scan, Span
from urpo_store.engine.identity.intern cimport Key, KeyTable, key_of, table_hash, table_release


cdef bint same_span(Span a, Span b) noexcept nogil:
    # An empty span may have no address.
    return a.n == b.n and (a.n == 0 or memcmp(a.p, b.p, a.n) == 0)


# ---- from bytes ----------------------------------------------------------------------------------

cdef int put_item(Set *set, Span key, Span value) noexcept nogil:
    cdef size_t i
    # The number of attributes is limited before any of them comes here, so a plain search will do.
    for i in range(set.count):
        if same_span(set.items[i].key, key):
            break
    else:
        i = set.count
        if mem_grow(set.account, <void **>&set.items, &set.capacity, i + 1, sizeof(Decoded)) != OK:
            return NO_MEMORY
        set.count += 1
    set.items[i].key = key
    set.items[i].value = value
    return OK


cdef int set_decode(
    Set *set, Account *account, KeyTable *strings, Scan *scan, Span body, uint32_t field
) noexcept nogil:
    cdef const uint8_t *at = body.p
    cdef const uint8_t *end = at + body.n
    cdef Attribute attribute
    cdef Span value
    cdef int more
    memset(set, 0, sizeof(Set))
    set.account = account
    set.strings = strings
    while True:
        more = wire_next_attribute(scan, &at, end, field, &attribute)
        if more == 0:
            break
        if more < 0:
            return NO_MEMORY
        value = wire_canonical_value(scan, attribute.value)
        if value.p == NULL or put_item(set, attribute.key, value) != OK:
            return NO_MEMORY
    # Room for the pairs now, so that looking the set up cannot fail.
    set.pairs = <Pair *>mem_alloc(account, set.count * sizeof(Pair))
    return OK if set.pairs != NULL else NO_MEMORY


cdef void set_free(Set *set) noexcept nogil:
    if set.interned:
        release_items(set, set.count)
    mem_free(set.account, set.items)
    mem_free(set.account, set.pairs)
    set.items = NULL
    set.pairs = NULL
    set.count = set.capacity = 0


cdef const Decoded *set_item(const Set *set, const char *key) noexcept nogil:
    cdef size_t i, n = strlen(key)
    for i in range(set.count):
        if set.items[i].key.n == n and memcmp(set.items[i].key.p, key, n) == 0:
            return &set.items[i]
    return NULL


cdef size_t set_weight(const Set *set) noexcept nogil:
    cdef size_t weight = 0, i
    for i in range(set.count):
        weight += set.items[i].key.n + set.items[i].value.n
    return weight


cdef uint64_t set_hash(const Set *set) noexcept nogil:
    cdef uint64_t hash = 0, key_hash
    cdef Key key
    cdef size_t i
    for i in range(set.count):
        key = key_of(set.items[i].key.p, set.items[i].key.n)
        key_hash = table_hash(set.strings, &key)
        key = key_of(set.items[i].value.p, set.items[i].value.n)
        key.prefix[0] = <uint32_t>key_hash
        key.prefix[1] = <uint32_t>(key_hash >> 32)
        # A sum, because a sum has no order.
        hash += table_hash(set.strings, &key)
    return hash


# ---- to ids --------------------------------------------------------------------------------------

cdef int by_key(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const Pair *>a).key
    cdef uint32_t y = (<const Pair *>b).key
    return (x > y) - (x < y)


cdef void fill_pairs(Set *set) noexcept nogil:
    cdef size_t i
    for i in range(set.count):
        set.pairs[i] = set.items[i].pair
    qsort(set.pairs, set.count, sizeof(Pair), by_key)


cdef bint set_find(Set *set) noexcept nogil:
    cdef Decoded *item
    cdef size_t i
    for i in range(set.count):
        item = &set.items[i]
        item.pair.key = find_span(set.strings, item.key)
        item.pair.value = find_span(set.strings, item.value) if item.pair.key else 0
        if item.pair.value == 0:
            return False
    fill_pairs(set)
    return True


cdef void release_items(Set *set, size_t count) noexcept nogil:
    """Drops the references of the first `count` items."""
    cdef size_t i
    for i in range(count):
        table_release(set.strings, set.items[i].pair.key)
        table_release(set.strings, set.items[i].pair.value)
    set.interned = False


cdef int set_intern(Set *set) noexcept nogil:
    cdef Decoded *item
    cdef size_t i
    for i in range(set.count):
        item = &set.items[i]
        item.pair.key = intern_span(set.strings, item.key)
        item.pair.value = intern_span(set.strings, item.value) if item.pair.key else 0
        if item.pair.value == 0:
            if item.pair.key:
                table_release(set.strings, item.pair.key)
            release_items(set, i)
            return NO_MEMORY
    set.interned = True
    fill_pairs(set)
    return OK


cdef Key set_key(const Set *set) noexcept nogil:
    return key_of(<const uint8_t *>set.pairs, set.count * sizeof(Pair))


cdef Pair *set_copy_pairs(const Set *set) noexcept nogil:
    cdef Pair *pairs = <Pair *>mem_alloc(set.account, set.count * sizeof(Pair))
    if pairs != NULL:
        memcpy(pairs, set.pairs, set.count * sizeof(Pair))
    return pairs
