"""Interning; the contract and its invariants are in intern.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_grow
from urpo_store.engine.atomics cimport (
    load_acquire, load_ptr_acquire, load_ptr_relaxed, multiply_fold, pthread_mutex_destroy,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, store_ptr_release, store_release,
)
from urpo_store.engine.epoch cimport Epochs, epoch_retire

cdef enum:
    PAGE = 4096
    PAGES = 16384               # ids below 2^26; pages are made when first needed
    FIRST_SLOTS = 64
    EMPTY = 0
    REMOVED = 1


cdef Key key_of(const uint8_t *bytes, size_t length) noexcept nogil:
    cdef Key key
    memset(&key, 0, sizeof(Key))
    key.bytes = bytes
    key.length = <uint32_t>length
    return key


cdef inline uint8_t *bytes_of(Entry *entry) noexcept nogil:
    return <uint8_t *>(entry + 1)


cdef const uint8_t *entry_bytes(const Entry *entry) noexcept nogil:
    return <const uint8_t *>(entry + 1)


# ---- hash -----------------------------------------------------------------------------------------

cdef inline uint64_t read64(const uint8_t *p) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, p, 8)
    return word


cdef inline uint64_t read_short(const uint8_t *p, size_t n) noexcept nogil:
    """The n (< 8) bytes at p in one word, read twice where they overlap rather than one by one."""
    cdef uint32_t low, high
    if n >= 4:
        memcpy(&low, p, 4)
        memcpy(&high, p + n - 4, 4)
        return <uint64_t>low | (<uint64_t>high << 32)
    if n:
        return <uint64_t>p[0] | (<uint64_t>p[n >> 1] << 8) | (<uint64_t>p[n - 1] << 16)
    return 0


cdef uint64_t table_hash(const Table *table, const Key *key) noexcept nogil:
    """16 bytes a round: two words, each xored with a secret, multiplied to 128 bits and folded.

    A secret in both operands: no block of bytes can be chosen that makes one of them zero for all
    secrets, which would swallow what came before.
    """
    cdef const uint64_t *secret = table.secret
    cdef const uint8_t *p = key.bytes
    cdef size_t n = key.length
    cdef uint64_t low, high
    cdef uint64_t state = multiply_fold(
        (<uint64_t>key.prefix[0] | (<uint64_t>key.prefix[1] << 32)) ^ secret[0],
        (<uint64_t>key.prefix[2] | (<uint64_t>key.prefix[3] << 32)) ^ secret[1]) ^ n
    while n >= 16:
        state = multiply_fold(read64(p) ^ secret[2] ^ state, read64(p + 8) ^ secret[3])
        p += 16
        n -= 16
    if n >= 8:
        low = read64(p)
        high = read64(p + n - 8)
    else:
        low = read_short(p, n)
        high = 0
    state = multiply_fold(low ^ secret[2] ^ state, high ^ secret[1])
    return multiply_fold(state ^ secret[0], key.length ^ secret[3]) & table.hash_mask


# ---- look-up --------------------------------------------------------------------------------------

cdef inline uint64_t *words_of(Slots *slots) noexcept nogil:
    return <uint64_t *>(slots + 1)


cdef inline bint same_key(Entry *entry, const Key *key, uint32_t hash) noexcept nogil:
    return (entry.hash == hash and entry.length == key.length
            and memcmp(entry.prefix, key.prefix, sizeof(key.prefix)) == 0
            and memcmp(bytes_of(entry), key.bytes, key.length) == 0)


cdef Entry *find_hashed(Table *table, const Key *key, uint64_t hash) noexcept nogil:
    # Acquire: the slot array, and each entry, were filled before they were published.
    cdef Slots *slots = <Slots *>load_ptr_acquire(&table.slots)
    cdef uint64_t at = hash & slots.mask
    cdef uint64_t word
    cdef Entry *entry
    while True:
        word = load_acquire(words_of(slots) + at)
        if word == EMPTY:
            return NULL
        if word != REMOVED:
            entry = <Entry *><uintptr_t>word
            if same_key(entry, key, <uint32_t>(hash >> 32)):
                return entry
        at = (at + 1) & slots.mask


cdef Entry *table_find_entry(Table *table, const Key *key) noexcept nogil:
    return find_hashed(table, key, table_hash(table, key))


cdef uint32_t table_find(Table *table, const Key *key) noexcept nogil:
    cdef Entry *entry = find_hashed(table, key, table_hash(table, key))
    return entry.id if entry != NULL else 0


cdef Entry *table_get(Table *table, uint32_t id) noexcept nogil:
    cdef void **page = <void **>load_ptr_acquire(&table.pages[id // PAGE])
    return <Entry *>load_ptr_acquire(&page[id % PAGE]) if page != NULL else NULL


# ---- change, under Table.lock -----------------------------------------------------------------------

cdef void free_block(void *context, void *block) noexcept nogil:
    mem_free(<Account *>context, block)


cdef Slots *new_slots(Table *table, uint64_t count) noexcept nogil:
    cdef Slots *slots = <Slots *>mem_calloc(table.account, sizeof(Slots) + count * sizeof(uint64_t))
    if slots != NULL:
        slots.mask = count - 1
    return slots


cdef void place(Slots *slots, Entry *entry, uint64_t hash) noexcept nogil:
    cdef uint64_t at = hash & slots.mask
    while words_of(slots)[at] != EMPTY:
        at = (at + 1) & slots.mask
    # Release: who finds the entry finds it filled.
    store_release(words_of(slots) + at, <uintptr_t>entry)


cdef uint64_t hash_of_entry(Table *table, Entry *entry) noexcept nogil:
    cdef Key key
    memcpy(key.prefix, entry.prefix, sizeof(key.prefix))
    key.bytes = bytes_of(entry)
    key.length = entry.length
    return table_hash(table, &key)


cdef int make_room(Table *table) noexcept nogil:
    """Replaces the slot array when one more entry would fill it beyond 3/4. 0, or -1: no memory."""
    cdef Slots *old = <Slots *>load_ptr_relaxed(&table.slots)
    cdef Slots *slots
    cdef uint64_t count = old.mask + 1
    cdef uint64_t i, word
    if (table.used + 1) * 4 <= count * 3:
        return 0
    # Many of the used slots may be removed ones; then the same size does.
    slots = new_slots(table, count * 2 if table.count * 2 >= count else count)
    if slots == NULL:
        return -1
    for i in range(count):
        word = words_of(old)[i]
        if word > REMOVED:
            place(slots, <Entry *><uintptr_t>word, hash_of_entry(table, <Entry *><uintptr_t>word))
    if epoch_retire(table.epochs, free_block, table.account, old, 0) != 0:
        mem_free(table.account, slots)
        return -1
    table.used = table.count
    store_ptr_release(&table.slots, slots)
    return 0


cdef Entry *add(Table *table, const Key *key, uint64_t hash, uint32_t id) noexcept nogil:
    cdef Entry *entry
    if make_room(table) != 0:
        return NULL
    entry = <Entry *>mem_alloc(table.account, sizeof(Entry) + key.length)
    if entry == NULL:
        return NULL
    memcpy(entry.prefix, key.prefix, sizeof(key.prefix))
    entry.id = id
    entry.length = key.length
    entry.refs = 1
    entry.hash = <uint32_t>(hash >> 32)
    if key.length:
        memcpy(bytes_of(entry), key.bytes, key.length)
    return entry


cdef void publish(Table *table, Entry *entry, uint64_t hash) noexcept nogil:
    place(<Slots *>load_ptr_relaxed(&table.slots), entry, hash)
    table.count += 1
    table.used += 1
    table.key_bytes += entry.length


cdef uint32_t take_id(Table *table) noexcept nogil:
    """A free id with its page in place; 0: no memory, or no id left."""
    cdef uint32_t id
    cdef void **page
    if table.free_count:
        table.free_count -= 1
        return table.free_ids[table.free_count]
    id = table.next_id
    if id // PAGE >= PAGES:
        return 0
    if table.pages[id // PAGE] == NULL:
        page = <void **>mem_calloc(table.account, PAGE * sizeof(void *))
        if page == NULL:
            return 0
        store_ptr_release(&table.pages[id // PAGE], page)
    table.next_id += 1
    return id


cdef uint32_t table_intern(Table *table, const Key *key) noexcept nogil:
    cdef uint64_t hash = table_hash(table, key)
    cdef Entry *entry
    cdef uint32_t id = 0
    pthread_mutex_lock(&table.lock)
    entry = find_hashed(table, key, hash)
    if entry != NULL:
        entry.refs += 1
        id = entry.id
    else:
        id = take_id(table)
        if id:
            entry = add(table, key, hash, id)
            if entry == NULL:
                give_back_id(table, id)
                id = 0
            else:
                store_ptr_release(&(<void **>table.pages[id // PAGE])[id % PAGE], entry)
                publish(table, entry, hash)
    pthread_mutex_unlock(&table.lock)
    return id


cdef void give_back_id(Table *table, uint32_t id) noexcept nogil:
    # The free list has room for every id that was ever given: see release_id.
    if mem_grow(table.account, <void **>&table.free_ids, &table.free_capacity, table.free_count + 1,
                sizeof(uint32_t)) == 0:
        table.free_ids[table.free_count] = id
        table.free_count += 1
    # Without memory for the list the id is lost, which costs one of 2^26.


cdef void unlink(Table *table, Entry *entry) noexcept nogil:
    cdef Slots *slots = <Slots *>load_ptr_relaxed(&table.slots)
    cdef uint64_t at = hash_of_entry(table, entry) & slots.mask
    while words_of(slots)[at] != <uintptr_t>entry:
        at = (at + 1) & slots.mask
    store_release(words_of(slots) + at, REMOVED)
    table.count -= 1
    table.key_bytes -= entry.length


cdef void release_entry(void *context, void *item) noexcept nogil:
    """Out of limbo: the id may be used again, and nobody can hold the entry."""
    cdef Table *table = <Table *>context
    cdef Entry *entry = <Entry *>item
    pthread_mutex_lock(&table.lock)
    store_ptr_release(&(<void **>table.pages[entry.id // PAGE])[entry.id % PAGE], NULL)
    give_back_id(table, entry.id)
    pthread_mutex_unlock(&table.lock)
    mem_free(table.account, entry)


cdef void table_retain(Table *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    table_get(table, id).refs += 1
    pthread_mutex_unlock(&table.lock)


cdef void table_release(Table *table, uint32_t id) noexcept nogil:
    release_one(table, id, False)


cdef void table_release_behind_drain(Table *table, uint32_t id) noexcept nogil:
    release_one(table, id, True)


cdef void release_one(Table *table, uint32_t id, bint behind_drain) noexcept nogil:
    cdef Entry *entry
    cdef bint last
    pthread_mutex_lock(&table.lock)
    entry = table_get(table, id)
    entry.refs -= 1
    last = entry.refs == 0
    if last:
        unlink(table, entry)
    pthread_mutex_unlock(&table.lock)
    if last:
        epoch_retire(table.epochs, release_entry, table, entry, behind_drain)


cdef Entry *table_put(Table *table, const Key *key, uint32_t id) noexcept nogil:
    cdef uint64_t hash = table_hash(table, key)
    cdef Entry *entry
    pthread_mutex_lock(&table.lock)
    entry = add(table, key, hash, id)
    if entry != NULL:
        publish(table, entry, hash)
    pthread_mutex_unlock(&table.lock)
    return entry


cdef void table_remove(Table *table, Entry *entry) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    unlink(table, entry)
    pthread_mutex_unlock(&table.lock)
    epoch_retire(table.epochs, free_block, table.account, entry, 0)


# ---- life -----------------------------------------------------------------------------------------

cdef int table_init(Table *table, Account *account, Epochs *epochs, const uint64_t *secret) noexcept nogil:
    memset(table, 0, sizeof(Table))
    table.account = account
    table.epochs = epochs
    memcpy(table.secret, secret, sizeof(table.secret))
    table.hash_mask = ~<uint64_t>0
    table.next_id = 1
    table.slots = new_slots(table, FIRST_SLOTS)
    table.pages = <void **>mem_calloc(account, PAGES * sizeof(void *))
    if table.slots == NULL or table.pages == NULL:
        mem_free(account, table.slots)
        mem_free(account, table.pages)
        return -1
    pthread_mutex_init(&table.lock, NULL)
    return 0


cdef void table_destroy(Table *table) noexcept nogil:
    cdef Slots *slots = <Slots *>table.slots
    cdef uint64_t i
    for i in range(slots.mask + 1):
        if words_of(slots)[i] > REMOVED:
            mem_free(table.account, <void *><uintptr_t>words_of(slots)[i])
    for i in range(PAGES):
        mem_free(table.account, table.pages[i])
    mem_free(table.account, slots)
    mem_free(table.account, table.pages)
    mem_free(table.account, table.free_ids)
    pthread_mutex_destroy(&table.lock)


cdef uint64_t table_bytes(Table *table) noexcept nogil:
    """What the entries and slots take; read without the lock, so it may be a little old."""
    cdef Slots *slots = <Slots *>load_ptr_acquire(&table.slots)
    return table.key_bytes + <uint64_t>table.count * sizeof(Entry) + (slots.mask + 1) * sizeof(uint64_t)
