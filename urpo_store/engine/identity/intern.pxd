# Interning: byte strings to small ids, and keys to ids.
#
# A KeyTable maps keys to u32 ids. A key is a byte string and, in some tables, a prefix of four u32:
# the tables for series put the ids of resource, scope and metric there. A table is used in one of
# two ways:
#
#   ids      table_intern gives every distinct key an id of its own and counts references; table_get
#            finds the entry of an id (strings, resources, scopes, metrics, series)
#   aliases  table_put binds a key to an id of another table (the raw bytes of an attribute set, as
#            producers send them, to a series)
#
# Invariants
# (1) Bytes are compared on every hit; a hash alone never decides.
# (2) An entry is immutable once a slot shows it, but for `refs`, which is written under the lock.
# (3) Looking up takes no lock and allocates nothing. The id that it finds stays valid until the
#     caller leaves its epoch; to keep it longer the caller takes a reference.
# (4) One word in two of a slot array is empty. An array that would be fuller (removed words count
#     as full) is replaced, and the old one retired.
# (5) An id is used again only after its entry has left limbo.
# (6) Ids are those of identity/pages.pxd. A table without memory or ids left is as before.
#
# REQUIRES of every look-up: the caller is inside an epoch (memory/epoch.pxd), or holds a reference
# or the lock that keeps the entry.
#
# A known key costs its hash, one word of the slot array, and the entry: 16 bits of the hash stand
# in the word, so that a probe does not touch entries that only share its place.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_mutex_t
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.identity.hashing cimport SECRETS

cdef enum:
    FIND_TOGETHER = 32

cdef struct Key:
    uint32_t prefix[4]          # all 0 in a table whose keys have none
    const uint8_t *bytes
    uint32_t length

cdef struct Entry:
    uint32_t id
    uint32_t length
    uint32_t refs               # written under KeyTable.lock
    uint32_t hash               # low half of the hash, which says where the entry stands
    # `length` bytes follow, and behind them the prefix, if keys have one

cdef struct Slots:
    uint64_t mask               # number of words - 1
    # mask + 1 atomic words follow: 0 is empty, 1 removed, else an Entry pointer with the hash's
    # highest 16 bits above it; written under KeyTable.lock

cdef struct KeyTable:
    Account *account            # constant
    Epochs *epochs              # constant
    uint64_t[SECRETS] secret    # constant
    uint64_t hash_mask          # constant; all ones, but tests make it small to force collisions
    size_t prefix_size          # constant; bytes of a prefix in an entry, or 0
    void *slots                 # atomic Slots *; replaced under the lock
    pthread_mutex_t lock        # taken to add and remove, and to take and drop references
    uint32_t count              # atomic read; entries; written under the lock
    uint32_t used               # under the lock: words that are not empty
    void **pages                # atomic read; id -> Entry *, see pages.pxd; NULL before the first
                                # id, and in a table of aliases
    uint32_t next_id            # this and what follows: under the lock; no id was higher
    uint32_t *free_ids
    size_t free_count
    size_t free_capacity

# `secret`: SECRETS random words. `prefixed`: keys have a prefix. OK, or NO_MEMORY.
cdef int table_init(
    KeyTable *table, Account *account, Epochs *epochs, const uint64_t *secret, bint prefixed
) noexcept nogil
# REQUIRES: nothing of the table waits in limbo, and no other thread uses it.
cdef void table_destroy(KeyTable *table) noexcept nogil

# A key without prefix. The bytes stay the caller's.
cdef Key key_of(const uint8_t *bytes, size_t length) noexcept nogil
cdef uint64_t table_hash(const KeyTable *table, const Key *key) noexcept nogil

# ---- look-ups: no lock, no allocation ----

# The id of a key; 0: not known.
cdef uint32_t table_find(KeyTable *table, const Key *key) noexcept nogil
# The ids of `count` keys, 0 for those not known. Their cache misses overlap.
# REQUIRES: count <= FIND_TOGETHER.
cdef void table_find_many(
    KeyTable *table, const Key *keys, uint32_t count, uint32_t *ids
) noexcept nogil
# The entry of an id; NULL: no entry has it.
cdef Entry *table_get(KeyTable *table, uint32_t id) noexcept nogil
cdef const uint8_t *entry_bytes(const Entry *entry) noexcept nogil

# ---- changes: each takes the lock ----

# Finds or adds a key, and takes one reference. 0: no memory, or no id left.
cdef uint32_t table_intern(KeyTable *table, const Key *key) noexcept nogil
# Takes one reference more.
# REQUIRES: the caller, or something it protects, holds one.
cdef void table_retain(KeyTable *table, uint32_t id) noexcept nogil
# Drops one reference; the last one removes the key, and retires its entry and id.
cdef void table_release(KeyTable *table, uint32_t id) noexcept nogil
# The same for an id that may still stand in the ring: epoch_retire's `behind_drain`.
cdef void table_release_behind_drain(KeyTable *table, uint32_t id) noexcept nogil

# Aliases: binds a key to `id`. The entry; NULL: no memory.
# REQUIRES: the key is not there yet.
cdef Entry *table_put(KeyTable *table, const Key *key, uint32_t id) noexcept nogil
# Aliases: removes what table_put returned, and retires it.
cdef void table_remove(KeyTable *table, Entry *entry) noexcept nogil
