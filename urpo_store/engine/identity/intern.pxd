# Interning: byte strings to small ids, and keys to ids.
#
# A Table maps keys to u32 ids. A key is a byte string and, in some tables, a prefix of four u32: those
# for series put the ids of resource, scope and metric there. There are two uses:
#   ids      table_intern gives every distinct key an id of its own, counts references, and
#            table_get finds the key of an id (strings, resources, scopes, metrics, series)
#   aliases  table_put binds a key to an id of another table (the raw bytes of an attribute set,
#            as producers send them, to a series)
#
# Invariants
# (1) Bytes are compared on every hit; a hash alone never decides.
# (2) An entry's key is immutable after it is published in a slot; `refs` is written under the lock.
# (3) Looking up takes no lock and allocates nothing. The caller is inside an epoch (memory/epoch.pxd);
#     an id it finds stays valid until it leaves. To keep it longer it takes a reference.
# (4) A slot array is replaced when it is half full (counting removed ones); the old one is retired.
# (5) An id is reused only after its entry has left limbo.
# (6) Ids run from 1 to INTERN_IDS - 1; 0 is no id. A table without memory or ids left is as before.
#
# A known key costs its hash, one word of the slot array and the entry: the 16 bits of hash in the word
# keep a probe from touching entries that only share its place.
#
# The hash is keyed with a per-process secret mixed into both operands of each multiplication, so
# that nobody can choose colliding keys.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport pthread_mutex_t
from urpo_store.engine.memory.epoch cimport Epochs

cdef enum:
    INTERN_IDS = 1 << 24
    FIND_TOGETHER = 32
    SECRETS = 6                 # two for the prefix, and for each of the chains of a key's bytes

cdef struct Key:
    uint32_t prefix[4]          # all 0 for a table whose keys have none
    const uint8_t *bytes
    uint32_t length

cdef struct Entry:
    uint32_t id
    uint32_t length
    uint32_t refs               # written under Table.lock
    uint32_t hash               # low half of the hash: it places the entry in a slot array
    # `length` bytes follow, and behind them the prefix, if keys have one

cdef struct Slots:
    uint64_t mask               # number of slots - 1
    # mask + 1 atomic words follow: 0 empty, 1 removed, or an Entry pointer with the hash's highest 16
    # bits above it; written under Table.lock

cdef struct Table:
    Account *account
    Epochs *epochs
    uint64_t[SECRETS] secret    # constant after init
    uint64_t hash_mask          # all ones; a test makes it small to force collisions
    size_t prefix_size          # bytes of a prefix in an entry, or 0: constant after init
    void *slots                 # atomic Slots*; replaced under the lock
    pthread_mutex_t lock        # taken to add, remove, take and drop references
    uint32_t count              # atomic read; entries, written under the lock
    uint32_t used               # slots that are not empty, under the lock
    void **pages                # atomic, and each page's entries: id -> Entry*, pages of 4096, written under the
                                # lock; NULL in an alias table
    uint32_t next_id            # this and what follows: under the lock
    uint32_t *free_ids
    size_t free_count
    size_t free_capacity

cdef Key key_of(const uint8_t *bytes, size_t length) noexcept nogil          # prefix 0
cdef const uint8_t *entry_bytes(const Entry *entry) noexcept nogil
# `prefixed`: keys have a prefix.
cdef int table_init(Table *table, Account *account, Epochs *epochs, const uint64_t *secret, bint prefixed) noexcept nogil
cdef void table_destroy(Table *table) noexcept nogil
cdef uint64_t table_hash(const Table *table, const Key *key) noexcept nogil
# The id, or 0 if the key is not known. No lock, no allocation.
cdef uint32_t table_find(Table *table, const Key *key) noexcept nogil
# The ids of at most FIND_TOGETHER keys, 0 for those not known: they wait for memory together.
cdef void table_find_many(Table *table, const Key *keys, uint32_t count, uint32_t *ids) noexcept nogil
# Finds or adds, and takes one reference. 0: no memory.
cdef uint32_t table_intern(Table *table, const Key *key) noexcept nogil
# One more reference to an id that the caller, or something it protects, holds already.
cdef void table_retain(Table *table, uint32_t id) noexcept nogil
# Drops one reference; the last one removes the key and retires its entry and id.
cdef void table_release(Table *table, uint32_t id) noexcept nogil
# As table_release, but the id may still stand in the ring: see epoch_retire.
cdef void table_release_behind_drain(Table *table, uint32_t id) noexcept nogil
# The entry of an id that the caller holds a reference to (or found inside its epoch).
cdef Entry *table_get(Table *table, uint32_t id) noexcept nogil
# Alias tables: binds a key to `id`. The entry, or NULL: no memory. The key must not be there yet.
cdef Entry *table_put(Table *table, const Key *key, uint32_t id) noexcept nogil
cdef void table_remove(Table *table, Entry *entry) noexcept nogil
