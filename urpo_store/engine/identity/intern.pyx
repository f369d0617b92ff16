"""Interning; the contract and its invariants are in identity/intern.pxd.

Open addressing with linear probing over words of 8 bytes. Writers hold Table.lock; readers need
nothing but their epoch, because a word is written only once its entry is complete, an entry is never
changed, and slot arrays and entries are retired instead of freed.

The hash is a chain of folded 64 x 64 -> 128 bit multiplications (the final step of wyhash), with
secrets in *both* operands: a block of bytes that makes one operand zero would swallow all that came
before it, and whoever does not know the secrets cannot choose it.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_grow
from urpo_store.engine.memory.atomics cimport (
    load_acquire, load_ptr_acquire, load_ptr_relaxed, load_relaxed, multiply_fold,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
    store32_relaxed, store_ptr_release, store_release,
)
from urpo_store.engine.memory.epoch cimport Epochs, epoch_retire, mem_retire

cdef enum:
    PAGE = 4096
    PAGES = 4096                # INTERN_IDS over PAGE
    FIRST_SLOTS = 64
    EMPTY = 0
    REMOVED = 1

cdef extern from *:
    """
    /* User space ends below bit 47 on x86-64 Linux, so that the high bits of a pointer are free. */
    #define URPO_TAG 0xFFFF000000000000u

    typedef uint64_t urpo_pair __attribute__((vector_size(16), aligned(1), may_alias));
    static inline urpo_pair urpo_differ(const void *a, const void *b) {
        return *(const urpo_pair *)a ^ *(const urpo_pair *)b;
    }
    /* n >= 16; the last 16 bytes may overlap those before. */
    static inline int urpo_same_long(const uint8_t *a, const uint8_t *b, size_t n) {
        urpo_pair differ = {0, 0};
        for (size_t i = 0; i + 16 <= n; i += 16)
            differ |= urpo_differ(a + i, b + i);
        differ |= urpo_differ(a + n - 16, b + n - 16);
        return (differ[0] | differ[1]) == 0;
    }
    """
    const uint64_t TAG "URPO_TAG"
    bint same_long "urpo_same_long"(const uint8_t *a, const uint8_t *b, size_t n) noexcept nogil
    void __builtin_prefetch(const void *address) noexcept nogil


cdef Key key_of(const uint8_t *bytes, size_t length) noexcept nogil:
    cdef Key key
    memset(key.prefix, 0, sizeof(key.prefix))
    key.bytes = bytes
    key.length = <uint32_t>length
    return key


cdef inline uint8_t *bytes_of(const Entry *entry) noexcept nogil:
    return <uint8_t *>(entry + 1)


cdef const uint8_t *entry_bytes(const Entry *entry) noexcept nogil:
    return bytes_of(entry)


# ---- hash -----------------------------------------------------------------------------------------

cdef inline uint64_t read64(const uint8_t *p) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, p, 8)
    return word


cdef inline uint64_t read_short(const uint8_t *p, size_t n) noexcept nogil:
    """The n (< 8) bytes at p in one word; ends that overlap are read twice rather than byte by byte."""
    cdef uint32_t low, high
    if n >= 4:
        memcpy(&low, p, 4)
        memcpy(&high, p + n - 4, 4)
        return <uint64_t>low | (<uint64_t>high << 32)
    if n:
        return <uint64_t>p[0] | (<uint64_t>p[n >> 1] << 8) | (<uint64_t>p[n - 1] << 16)
    return 0


cdef inline uint64_t hash_of(const Table *table, const uint32_t *prefix, const uint8_t *p, size_t length) noexcept nogil:
    cdef const uint64_t *secret = &table.secret[0]
    cdef size_t n = length
    cdef uint64_t low, high, left, right
    cdef uint64_t state = multiply_fold(
        (<uint64_t>prefix[0] | (<uint64_t>prefix[1] << 32)) ^ secret[0],
        (<uint64_t>prefix[2] | (<uint64_t>prefix[3] << 32)) ^ secret[1])
    if n >= 32:
        # Two chains side by side, neither waiting for the prefix: a multiplication's latency is longer
        # than its turn. Each of the three has secrets of its own, else blocks that are alike would make two
        # of them alike, and those would cancel each other out.
        left = multiply_fold(read64(p) ^ secret[2], read64(p + 8) ^ secret[3])
        right = multiply_fold(read64(p + 16) ^ secret[4], read64(p + 24) ^ secret[5])
        p += 32
        n -= 32
        while n >= 32:
            left = multiply_fold(read64(p) ^ secret[2] ^ left, read64(p + 8) ^ secret[3])
            right = multiply_fold(read64(p + 16) ^ secret[4] ^ right, read64(p + 24) ^ secret[5])
            p += 32
            n -= 32
        state ^= left ^ right
    if n >= 16:
        state = multiply_fold(read64(p) ^ secret[2] ^ state, read64(p + 8) ^ secret[3])
        p += 16
        n -= 16
    if length >= 16:
        # The last 16 bytes, some of them again.
        low = read64(p + n - 16)
        high = read64(p + n - 8)
    elif n >= 8:
        low = read64(p)
        high = read64(p + n - 8)
    else:
        low = read_short(p, n)
        high = 0
    state = multiply_fold(low ^ secret[0] ^ state, high ^ secret[1])
    # The length tells apart what overlapping reads and zeros at the end make alike.
    return multiply_fold(state ^ secret[2], length ^ secret[3]) & table.hash_mask


cdef uint64_t table_hash(const Table *table, const Key *key) noexcept nogil:
    return hash_of(table, key.prefix, key.bytes, key.length)


# ---- look-up --------------------------------------------------------------------------------------

cdef inline uint64_t *words_of(Slots *slots) noexcept nogil:
    return <uint64_t *>(slots + 1)


cdef inline Entry *entry_of(uint64_t word) noexcept nogil:
    return <Entry *><uintptr_t>(word & ~TAG)


cdef inline bint same_bytes(const uint8_t *a, const uint8_t *b, size_t n) noexcept nogil:
    # Calling memcmp takes longer than comparing what names and attributes have; and the fewer instructions a
    # look-up has, the further the processor looks ahead while an entry comes from beyond the caches.
    if n >= 16:
        return same_long(a, b, n)
    if n >= 8:
        return read64(a) == read64(b) and read64(a + n - 8) == read64(b + n - 8)
    return read_short(a, n) == read_short(b, n)


cdef inline bint same_key(const Table *table, const Entry *entry, const Key *key, uint32_t hash) noexcept nogil:
    return (entry.hash == hash and entry.length == key.length
            and same_bytes(bytes_of(entry), key.bytes, key.length)
            and (table.prefix_size == 0
                 or same_long(bytes_of(entry) + key.length, <const uint8_t *>key.prefix, table.prefix_size)))


cdef inline Entry *find_hashed(Table *table, const Key *key, uint64_t hash) noexcept nogil:
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


cdef uint32_t table_find(Table *table, const Key *key) noexcept nogil:
    cdef Entry *entry = find_hashed(table, key, hash_of(table, key.prefix, key.bytes, key.length))
    return entry.id if entry != NULL else 0


cdef void table_find_many(Table *table, const Key *keys, uint32_t count, uint32_t *ids) noexcept nogil:
    # In a table that is larger than the caches each step of a look-up misses them. Done for all keys
    # before the next step, the misses overlap. Fetching reads nothing, so an entry may be gone by then.
    cdef Slots *slots = <Slots *>load_ptr_acquire(&table.slots)
    cdef uint64_t[FIND_TOGETHER] hashes
    cdef uint64_t word
    cdef const char *entry
    cdef Entry *found
    cdef uint32_t i
    for i in range(count):
        hashes[i] = hash_of(table, keys[i].prefix, keys[i].bytes, keys[i].length)
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


cdef inline void **page_slot(Table *table, uint32_t id) noexcept nogil:
    return <void **>table.pages[id // PAGE] + id % PAGE


cdef Entry *table_get(Table *table, uint32_t id) noexcept nogil:
    cdef void **page
    # Acquire, three times: who sees the pages, a page, or an entry, sees it filled.
    cdef void **pages = <void **>load_ptr_acquire(<void **>&table.pages)
    if id >= INTERN_IDS or pages == NULL:
        return NULL
    page = <void **>load_ptr_acquire(&pages[id // PAGE])
    return <Entry *>load_ptr_acquire(&page[id % PAGE]) if page != NULL else NULL


# ---- change, under Table.lock -----------------------------------------------------------------------

cdef Slots *slots_new(Account *account, uint64_t count) noexcept nogil:
    cdef Slots *slots = <Slots *>mem_calloc(account, sizeof(Slots) + count * sizeof(uint64_t))
    if slots != NULL:
        slots.mask = count - 1
    return slots


# Puts a word in the first free place of its key. Returns whether that place was empty.
cdef bint place(Slots *slots, uint64_t word, uint32_t hash) noexcept nogil:
    cdef uint64_t at = hash & slots.mask
    cdef bint empty
    while words_of(slots)[at] > REMOVED:
        at = (at + 1) & slots.mask
    empty = words_of(slots)[at] == EMPTY
    # Release: who finds the entry finds it complete.
    store_release(words_of(slots) + at, word)
    return empty


# Replaces the slot array if one more entry would fill it beyond a half. 0, or -1: no memory.
cdef int make_room(Table *table) noexcept nogil:
    cdef Slots *old = <Slots *>load_ptr_relaxed(&table.slots)     # only this lock's holders write it
    cdef Slots *slots
    cdef uint64_t count = old.mask + 1
    cdef uint64_t i, word
    if (<uint64_t>table.used + 1) * 2 <= count:
        return 0
    # If most of the used words are removed ones, the same size will do.
    slots = slots_new(table.account, count * 2 if <uint64_t>table.count * 2 >= count else count)
    if slots == NULL:
        return -1
    for i in range(count):
        word = words_of(old)[i]
        if word > REMOVED:
            place(slots, word, entry_of(word).hash)
    table.used = table.count
    # Release: readers see the array filled. Only then is the old one retired: who enters after that must not
    # find it any more. Without memory to remember it, it is lost to us, and still counted.
    store_ptr_release(&table.slots, slots)
    mem_retire(table.epochs, table.account, old)
    return 0


cdef Entry *entry_new(Table *table, const Key *key, uint64_t hash, uint32_t id) noexcept nogil:
    cdef Entry *entry = <Entry *>mem_alloc(table.account, sizeof(Entry) + key.length + table.prefix_size)
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


cdef void publish(Table *table, Entry *entry, uint64_t hash) noexcept nogil:
    cdef uint64_t word = <uint64_t><uintptr_t>entry | (hash & TAG)
    if place(<Slots *>load_ptr_relaxed(&table.slots), word, entry.hash):
        table.used += 1
    store32_relaxed(&table.count, table.count + 1)


cdef void withdraw(Table *table, Entry *entry) noexcept nogil:
    cdef Slots *slots = <Slots *>load_ptr_relaxed(&table.slots)
    cdef uint64_t at = entry.hash & slots.mask
    while words_of(slots)[at] == REMOVED or entry_of(words_of(slots)[at]) != entry:
        at = (at + 1) & slots.mask
    # No reader needs what was written before this; release keeps the word's writers alike.
    store_release(words_of(slots) + at, REMOVED)
    store32_relaxed(&table.count, table.count - 1)


# A free id whose page is there; 0: no memory, or no id left.
cdef uint32_t take_id(Table *table) noexcept nogil:
    cdef uint32_t id
    cdef void *page
    if table.free_count:
        table.free_count -= 1
        return table.free_ids[table.free_count]
    id = table.next_id
    if id >= INTERN_IDS:
        return 0
    if table.pages == NULL:
        page = mem_calloc(table.account, PAGES * sizeof(void *))
        if page == NULL:
            return 0
        store_ptr_release(<void **>&table.pages, page)
    if table.pages[id // PAGE] == NULL:
        page = mem_calloc(table.account, PAGE * sizeof(void *))
        if page == NULL:
            return 0
        store_ptr_release(&table.pages[id // PAGE], page)
    table.next_id += 1
    return id


cdef void give_id_back(Table *table, uint32_t id) noexcept nogil:
    # Without memory to remember it the id is lost: one of sixteen million.
    if mem_grow(table.account, <void **>&table.free_ids, &table.free_capacity, table.free_count + 1,
                sizeof(uint32_t)) == 0:
        table.free_ids[table.free_count] = id
        table.free_count += 1


cdef uint32_t table_intern(Table *table, const Key *key) noexcept nogil:
    cdef uint64_t hash = hash_of(table, key.prefix, key.bytes, key.length)
    cdef Entry *entry
    cdef uint32_t id
    pthread_mutex_lock(&table.lock)
    entry = find_hashed(table, key, hash)
    if entry != NULL:
        entry.refs += 1
        id = entry.id
    else:
        id = take_id(table)
        if id:
            entry = entry_new(table, key, hash, id) if make_room(table) == 0 else NULL
            if entry == NULL:
                give_id_back(table, id)
                id = 0
            else:
                # Release: table_get needs no slot to find the entry complete.
                store_ptr_release(page_slot(table, id), entry)
                publish(table, entry, hash)
    pthread_mutex_unlock(&table.lock)
    return id


cdef void table_retain(Table *table, uint32_t id) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    table_get(table, id).refs += 1
    pthread_mutex_unlock(&table.lock)


# Out of limbo: nobody holds the entry or its id.
cdef void forget_entry(void *context, void *item) noexcept nogil:
    cdef Table *table = <Table *>context
    cdef Entry *entry = <Entry *>item
    pthread_mutex_lock(&table.lock)
    store_ptr_release(page_slot(table, entry.id), NULL)
    give_id_back(table, entry.id)
    pthread_mutex_unlock(&table.lock)
    mem_free(table.account, entry)


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
        withdraw(table, entry)
    pthread_mutex_unlock(&table.lock)
    if last:
        # When there is no memory to remember it, entry and id stay as they are, unreachable.
        epoch_retire(table.epochs, forget_entry, table, entry, behind_drain)


cdef Entry *table_put(Table *table, const Key *key, uint32_t id) noexcept nogil:
    cdef uint64_t hash = hash_of(table, key.prefix, key.bytes, key.length)
    cdef Entry *entry = NULL
    pthread_mutex_lock(&table.lock)
    if make_room(table) == 0:
        entry = entry_new(table, key, hash, id)
        if entry != NULL:
            publish(table, entry, hash)
    pthread_mutex_unlock(&table.lock)
    return entry


cdef void table_remove(Table *table, Entry *entry) noexcept nogil:
    pthread_mutex_lock(&table.lock)
    withdraw(table, entry)
    pthread_mutex_unlock(&table.lock)
    mem_retire(table.epochs, table.account, entry)


# ---- life -----------------------------------------------------------------------------------------

cdef int table_init(Table *table, Account *account, Epochs *epochs, const uint64_t *secret, bint prefixed) noexcept nogil:
    memset(table, 0, sizeof(Table))
    table.account = account
    table.epochs = epochs
    memcpy(table.secret, secret, sizeof(table.secret))
    table.hash_mask = ~<uint64_t>0
    table.prefix_size = 4 * sizeof(uint32_t) if prefixed else 0
    table.next_id = 1
    table.slots = slots_new(account, FIRST_SLOTS)
    if table.slots == NULL:
        return -1
    if pthread_mutex_init(&table.lock, NULL) != 0:
        mem_free(account, table.slots)
        table.slots = NULL
        return -1
    return 0


cdef void table_destroy(Table *table) noexcept nogil:
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
        # By id, not by slot: so are entries found that could not be retired.
        for id in range(table.next_id):
            mem_free(table.account, table_get(table, id))
        for i in range(PAGES):
            mem_free(table.account, table.pages[i])
    mem_free(table.account, slots)
    mem_free(table.account, table.pages)
    mem_free(table.account, table.free_ids)
    pthread_mutex_destroy(&table.lock)
    table.slots = NULL
