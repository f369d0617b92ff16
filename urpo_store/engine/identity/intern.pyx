"""Interning; the contract and its invariants are in identity/intern.pxd.

Open addressing with linear probing over words of 8 bytes. Writers hold KeyTable.lock. Readers need
only their epoch: a word is written once its entry is complete, an entry does not change after that,
and slot arrays and entries are retired, not freed.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    __builtin_prefetch, load_acquire, load_ptr_acquire, load_ptr_relaxed, load_relaxed,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
    store32_relaxed, store_ptr_release, store_release,
)
from urpo_store.engine.memory.epoch cimport Epochs, epoch_retire, mem_retire
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.identity.hashing cimport hash_bytes, same_bytes, same_long
from urpo_store.engine.identity.pages cimport (
    ID_LIMIT, page_get, page_make, page_put, pages_free, pages_new,
)

cdef enum:
    FIRST_SLOTS = 64
    # Words of a slot array that are no entries; every entry's word is greater.
    EMPTY = 0
    REMOVED = 1

cdef extern from *:
    """
    /* User space ends below bit 47 on x86-64 Linux, so that the high bits of a pointer are free. */
    #define URPO_TAG 0xFFFF000000000000u
    """
    const uint64_t TAG "URPO_TAG"


# ---- keys and words ------------------------------------------------------------------------------

cdef Key key_of(const uint8_t *bytes, size_t length) noexcept nogil:
    cdef Key key
    memset(key.prefix, 0, sizeof(key.prefix))
    key.bytes = bytes
    key.length = <uint32_t>length
    return key


cdef inline uint64_t hash_of(const KeyTable *table, const Key *key) noexcept nogil:
    return hash_bytes(&table.secret[0], key.prefix, key.bytes, key.length) & table.hash_mask


cdef uint64_t table_hash(const KeyTable *table, const Key *key) noexcept nogil:
    return hash_of(table, key)


cdef inline uint8_t *bytes_of(const Entry *entry) noexcept nogil:
    return <uint8_t *>(entry + 1)


cdef const uint8_t *entry_bytes(const Entry *entry) noexcept nogil:
    return bytes_of(entry)


cdef inline uint64_t *words_of(Slots *slots) noexcept nogil:
    return <uint64_t *>(slots + 1)


cdef inline Entry *entry_of(uint64_t word) noexcept nogil:
    return <Entry *><uintptr_t>(word & ~TAG)


# ---- look-ups ------------------------------------------------------------------------------------

cdef inline bint same_key(
    const KeyTable *table, const Entry *entry, const Key *key, uint32_t hash
) noexcept nogil:
    return (entry.hash == hash and entry.length == key.length
            and same_bytes(bytes_of(entry), key.bytes, key.length)
            and (table.prefix_size == 0
                 or same_long(bytes_of(entry) + key.length, <const uint8_t *>key.prefix,
                              table.prefix_size)))


cdef inline Entry *find_hashed(KeyTable *table, const Key *key, uint64_t hash) noexcept nogil:
    # Acquire, here and below: the array was filled, and each entry was complete, before the release
    # that published it.
    cdef Slots *slots = <Slots *>load_ptr_acquire(&table.slots)
    cdef uint64_t at = hash & slots.mask
    cdef uint64_t word
    cdef Entry *entry
    while True:
        word = load_acquire(words_of(slots) + at)
        if word == EMPTY:
            # There is always an empty word: (4).
            return NULL
        if (word ^ hash) & TAG == 0 and word != REMOVED:
            entry = entry_of(word)
            if same_key(table, entry, key, <uint32_t>hash):
                return entry
        at = (at + 1) & slots.mask


cdef uint32_t table_find(KeyTable *table, const Key *key) noexcept nogil:
    cdef Entry *entry = find_hashed(table, key, hash_of(table, key))
    return entry.id if entry != NULL else 0


cdef void table_find_many(
    KeyTable *table, const Key *keys, uint32_t count, uint32_t *ids
) noexcept nogil:
    # In a table that is larger than the caches each step of a look-up misses them. If one step is
    # done for all keys before the next, the misses overlap. A prefetch reads nothing, so an entry
    # may be gone by then.
    cdef Slots *slots = <Slots *>load_ptr_acquire(&table.slots)
    cdef uint64_t[FIND_TOGETHER] hashes
    cdef uint64_t word
    cdef const char *entry
    cdef Entry *found
    cdef uint32_t i
    for i in range(count):
        hashes[i] = hash_of(table, &keys[i])
        __builtin_prefetch(words_of(slots) + (hashes[i] & slots.mask))
    for i in range(count):
        word = load_relaxed(words_of(slots) + (hashes[i] & slots.mask))
        if word > REMOVED:
            entry = <const char *>entry_of(word)
            __builtin_prefetch(entry)
            __builtin_prefetch(entry + 64)
            __builtin_prefetch(entry + 128)
    for i in range(count):
        found = find_hashed(table, &keys[i], hashes[i])
        ids[i] = found.id if found != NULL else 0


cdef Entry *table_get(KeyTable *table, uint32_t id) noexcept nogil:
    # Acquire: the first id makes the root.
    cdef void **pages = <void **>load_ptr_acquire(<void **>&table.pages)
    if id >= ID_LIMIT or pages == NULL:
        return NULL
    return <Entry *>page_get(pages, id)


# ---- the slot array, under KeyTable.lock ---------------------------------------------------------

cdef Slots *slots_new(Account *account, uint64_t count) noexcept nogil:
    cdef Slots *slots = <Slots *>mem_calloc(account, sizeof(Slots) + count * sizeof(uint64_t))
    if slots != NULL:
        slots.mask = count - 1
    return slots


cdef bint write_word(Slots *slots, uint64_t word, uint32_t hash) noexcept nogil:
    """Writes a word to the first free place of its key. Whether that place was empty."""
    cdef uint64_t at = hash & slots.mask
    cdef bint empty
    while words_of(slots)[at] > REMOVED:
        at = (at + 1) & slots.mask
    empty = words_of(slots)[at] == EMPTY
    # Release: a thread that finds the entry finds it complete.
    store_release(words_of(slots) + at, word)
    return empty


cdef int slots_reserve(KeyTable *table) noexcept nogil:
    """Replaces the slot array if one more entry would fill it beyond a half. OK, or NO_MEMORY."""
    # Relaxed: only holders of this lock write it.
    cdef Slots *old = <Slots *>load_ptr_relaxed(&table.slots)
    cdef Slots *slots
    cdef uint64_t count = old.mask + 1
    cdef uint64_t i, word
    if (<uint64_t>table.used + 1) * 2 <= count:
        return OK
    # If most of the used words are removed ones, the same size will do.
    slots = slots_new(table.account, count * 2 if <uint64_t>table.count * 2 >= count else count)
    if slots == NULL:
        return NO_MEMORY
    for i in range(count):
        word = words_of(old)[i]
        if word > REMOVED:
            write_word(slots, word, entry_of(word).hash)
    table.used = table.count
    # Release: readers see the array filled. It is published before the old one is retired: a thread
    # that enters after the retiring must not find the old one. Without memory to remember it, the
    # old one is never freed, and stays counted.
    store_ptr_release(&table.slots, slots)
    mem_retire(table.epochs, table.account, old)
    return OK


cdef Entry *entry_new(KeyTable *table, const Key *key, uint64_t hash, uint32_t id) noexcept nogil:
    cdef size_t size = sizeof(Entry) + key.length + table.prefix_size
    cdef Entry *entry = <Entry *>mem_alloc(table.account, size)
    if entry == NULL:
        return NULL
    if <uint64_t><uintptr_t>entry & TAG:
        # A kernel that hands out wider addresses; better no entry than a wrong one.
        mem_free(table.account, entry)
        return NULL
    entry.id = id
    entry.length = key.length
    entry.refs = 1
    entry.hash = <uint32_t>hash
    if key.length:
        memcpy(bytes_of(entry), key.bytes, key.length)
    memcpy(bytes_of(entry) + key.length, key.prefix, table.prefix_size)
    return entry


cdef void publish(KeyTable *table, Entry *entry, uint64_t hash) noexcept nogil:
    """REQUIRES: slots_reserve returned OK."""
    cdef uint64_t word = <uint64_t><uintptr_t>entry | (hash & TAG)
    if write_word(<Slots *>load_ptr_relaxed(&table.slots), word, entry.hash):
        table.used += 1
    store32_relaxed(&table.count, table.count + 1)


cdef void withdraw(KeyTable *table, Entry *entry) noexcept nogil:
    cdef Slots *slots = <Slots *>load_ptr_relaxed(&table.slots)
    cdef uint64_t at = entry.hash & slots.mask
    while words_of(slots)[at] == REMOVED or entry_of(words_of(slots)[at]) != entry:
        at = (at + 1) & slots.mask
    # No reader needs what was written before this; it is a release as every store to a word is.
    store_release(words_of(slots) + at, REMOVED)
    store32_relaxed(&table.count, table.count - 1)


# ---- ids, under KeyTable.lock --------------------------------------------------------------------

cdef uint32_t id_new(KeyTable *table) noexcept nogil:
    """A free id whose page is there; 0: no memory, or no id left."""
    cdef uint32_t id
    cdef void **pages
    if table.free_count:
        table.free_count -= 1
        return table.free_ids[table.free_count]
    id = table.next_id
    if id >= ID_LIMIT:
        return 0
    if table.pages == NULL:
        pages = pages_new(table.account)
        if pages == NULL:
            return 0
        store_ptr_release(<void **>&table.pages, pages)
    if page_make(table.account, table.pages, id) != OK:
        return 0
    table.next_id += 1
    return id


cdef void id_free(KeyTable *table, uint32_t id) noexcept nogil:
    # Without memory to remember it the id is lost: one of sixteen million.
    if mem_grow(table.account, <void **>&table.free_ids, &table.free_capacity,
                table.free_count + 1, sizeof(uint32_t)) == OK:
        table.free_ids[table.free_count] = id
        table.free_count += 1


# ---- changes -------------------------------------------------------------------------------------

cdef uint32_t table_intern(KeyTable *table, const Key *key) noexcept nogil:
    cdef uint64_t hash = hash_of(table, key)
    cdef Entry *entry
    cdef uint32_t id
    pthread_mutex_lock(&table.lock)
    entry = find_hashed(table, key, hash)
    if entry != NULL:
        entry.refs += 1
        id = entry.id
    else:
        id = add_entry(table, key, hash)
    pthread_mutex_unlock(&table.lock)
    return id


cdef uint32_t add_entry(KeyTable *table, const Key *key, uint64_t hash) noexcept nogil:
    """Gives a key that is not known an id. Under the lock. 0: no memory, or no id left."""
    cdef Entry *entry
    cdef uint32_t id = id_new(table)
    if id == 0:
        return 0
    entry = entry_new(table, key, hash, id) if slots_reserve(table) == OK else NULL
    if entry == NULL:
        id_free(table, id)
        return 0
    # On its page before it is in a slot: a thread that finds the id can ask table_get for it.
    page_put(table.pages, id, entry)
    publish(table, entry, hash)
    return id


cdef void table_retain(KeyTable *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    table_get(table, id).refs += 1
    pthread_mutex_unlock(&table.lock)


cdef void free_entry(void *context, void *item) noexcept nogil:
    """Out of limbo: nothing holds the entry or its id."""
    cdef KeyTable *table = <KeyTable *>context
    cdef Entry *entry = <Entry *>item
    pthread_mutex_lock(&table.lock)
    page_put(table.pages, entry.id, NULL)
    id_free(table, entry.id)
    pthread_mutex_unlock(&table.lock)
    mem_free(table.account, entry)


cdef void table_release(KeyTable *table, uint32_t id) noexcept nogil:
    release_one(table, id, False)


cdef void table_release_behind_drain(KeyTable *table, uint32_t id) noexcept nogil:
    release_one(table, id, True)


cdef void release_one(KeyTable *table, uint32_t id, bint behind_drain) noexcept nogil:
    cdef Entry *entry
    cdef bint last
    pthread_mutex_lock(&table.lock)
    entry = table_get(table, id)
    entry.refs -= 1
    last = entry.refs == 0
    if last:
        withdraw(table, entry)
    pthread_mutex_unlock(&table.lock)
    if last:
        # Without memory to remember it, entry and id stay as they are, and nothing reaches them.
        epoch_retire(table.epochs, free_entry, table, entry, behind_drain)


cdef Entry *table_put(KeyTable *table, const Key *key, uint32_t id) noexcept nogil:
    cdef uint64_t hash = hash_of(table, key)
    cdef Entry *entry = NULL
    pthread_mutex_lock(&table.lock)
    if slots_reserve(table) == OK:
        entry = entry_new(table, key, hash, id)
        if entry != NULL:
            publish(table, entry, hash)
    pthread_mutex_unlock(&table.lock)
    return entry


cdef void table_remove(KeyTable *table, Entry *entry) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    withdraw(table, entry)
    pthread_mutex_unlock(&table.lock)
    mem_retire(table.epochs, table.account, entry)


# ---- life ----------------------------------------------------------------------------------------

cdef int table_init(
    KeyTable *table, Account *account, Epochs *epochs, const uint64_t *secret, bint prefixed
) noexcept nogil:
    memset(table, 0, sizeof(KeyTable))
    table.account = account
    table.epochs = epochs
    memcpy(table.secret, secret, sizeof(table.secret))
    table.hash_mask = ~<uint64_t>0
    table.prefix_size = 4 * sizeof(uint32_t) if prefixed else 0
    table.next_id = 1
    table.slots = slots_new(account, FIRST_SLOTS)
    if table.slots == NULL:
        return NO_MEMORY
    if pthread_mutex_init(&table.lock, NULL) != 0:
        mem_free(account, table.slots)
        table.slots = NULL
        return NO_MEMORY
    return OK


cdef void table_destroy(KeyTable *table) noexcept nogil:
    cdef Slots *slots = <Slots *>table.slots
    cdef uint64_t i
    cdef uint32_t id
    if slots == NULL:
        return
    if table.pages == NULL:
        for i in range(slots.mask + 1):
            if words_of(slots)[i] > REMOVED:
                mem_free(table.account, entry_of(words_of(slots)[i]))
    else:
        # By id, not by slot: that finds entries too that could not be retired.
        for id in range(table.next_id):
            mem_free(table.account, table_get(table, id))
        pages_free(table.account, table.pages)
    mem_free(table.account, slots)
    mem_free(table.account, table.free_ids)
    pthread_mutex_destroy(&table.lock)
    table.slots = NULL
