"""A table of strings that stands alone: tests and benchmarks drive identity/intern through it."""
import os

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport load_relaxed
from urpo_store.engine.memory.epoch cimport (
    Epochs, epoch_enter, epoch_leave, epoch_reclaim, epochs_destroy, epochs_init,
)
from urpo_store.engine.memory.status cimport OK
from urpo_store.engine.identity.hashing cimport SECRETS
from urpo_store.engine.identity.intern cimport (
    FIND_TOGETHER, Entry, Key, KeyTable, Slots, entry_bytes, key_of, table_destroy, table_find,
    table_find_many, table_get, table_hash, table_init, table_intern, table_release,
)
from urpo_store.engine.identity.pages cimport PAGE, PAGES


cdef size_t count_known(
    KeyTable *table, const Key *keys, size_t count, bint together
) noexcept nogil:
    """How many of the keys are known, looked up one by one or FIND_TOGETHER at a time."""
    cdef uint32_t[FIND_TOGETHER] ids
    cdef uint32_t step, i
    cdef size_t known = 0
    while count:
        step = <uint32_t>min(count, <size_t>FIND_TOGETHER) if together else 1
        if together:
            table_find_many(table, keys, step, ids)
        else:
            ids[0] = table_find(table, keys)
        for i in range(step):
            known += ids[i] != 0
        keys += step
        count -= step
    return known


cdef uint64_t table_bytes(KeyTable *table) noexcept nogil:
    cdef uint64_t slots = (<Slots *>table.slots).mask + 1
    cdef uint64_t bytes = sizeof(Slots) + slots * sizeof(uint64_t)
    cdef Entry *entry
    cdef uint32_t id
    bytes += table.free_capacity * sizeof(uint32_t)
    for id in range(1, table.next_id):
        entry = table_get(table, id)
        if entry != NULL and entry.refs:
            bytes += sizeof(Entry) + entry.length
    if table.pages != NULL:
        bytes += (PAGES + ((table.next_id - 1) // PAGE + 1) * PAGE) * sizeof(void *)
    return bytes


@cython.final
cdef class Interner:
    """One table of strings: ids for byte strings, counted references.

    `hash_mask` keeps only those bits of every hash, so that keys can be made to collide. Any thread
    may call any method. An id may be used until its last reference is released.
    """

    cdef Account account
    cdef Epochs epochs
    cdef KeyTable table
    cdef bint ready

    def __cinit__(self, uint64_t hash_mask=0xFFFFFFFFFFFFFFFF):
        cdef uint64_t[SECRETS] secret
        random = os.urandom(sizeof(secret))
        memcpy(secret, <const uint8_t *>PyBytes_AS_STRING(random), sizeof(secret))
        account_init(&self.account, NULL)
        if epochs_init(&self.epochs, &self.account) != OK:
            raise MemoryError("there is no memory for the epochs of a table")
        if table_init(&self.table, &self.account, &self.epochs, secret, False) != OK:
            epochs_destroy(&self.epochs)
            raise MemoryError("there is no memory for an empty table")
        self.table.hash_mask = hash_mask
        self.ready = True

    def __dealloc__(self):
        if self.ready:
            epochs_destroy(&self.epochs)
            table_destroy(&self.table)

    def __len__(self):
        return self.table.count

    def intern(self, bytes key not None):
        """The id of `key`, with one reference more. On MemoryError the table is as before."""
        cdef Key prepared = key_of(<const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        cdef uint32_t id
        cdef int slot
        with nogil:
            slot = epoch_enter(&self.epochs)
            id = table_intern(&self.table, &prepared)
            epoch_leave(&self.epochs, slot)
        if id == 0:
            raise MemoryError(f"no memory to intern {prepared.length} bytes")
        return id

    def find(self, bytes key not None):
        """The id of `key`, 0 if it is not known."""
        cdef Key prepared = key_of(<const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        cdef uint32_t id
        cdef int slot
        with nogil:
            slot = epoch_enter(&self.epochs)
            id = table_find(&self.table, &prepared)
            epoch_leave(&self.epochs, slot)
        return id

    def find_all(self, list keys not None, size_t repeat=1, *, bint together=False):
        """Looks every key up `repeat` times without the GIL; how many look-ups found their key.

        `together` looks up 32 keys at a time, as the series of a request are.
        """
        cdef size_t count = len(keys), i, _turn, found = 0
        cdef Key *prepared = <Key *>mem_alloc(&self.account, count * sizeof(Key))
        cdef bytes key
        cdef int slot
        if prepared == NULL:
            raise MemoryError(f"no memory to look up {count} keys")
        try:
            for i in range(count):
                key = keys[i]
                prepared[i] = key_of(<const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
            with nogil:
                slot = epoch_enter(&self.epochs)
                for _turn in range(repeat):
                    found += count_known(&self.table, prepared, count, together)
                epoch_leave(&self.epochs, slot)
        finally:
            mem_free(&self.account, prepared)
        return found

    def hash(self, bytes key not None, bytes prefix not None=bytes(16)):
        """The key's hash in this table; `prefix` as in tables of raw series keys."""
        cdef Key prepared = key_of(<const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        if len(prefix) != sizeof(prepared.prefix):
            raise ValueError(f"prefix has {len(prefix)} bytes; it needs {sizeof(prepared.prefix)}")
        memcpy(prepared.prefix, PyBytes_AS_STRING(prefix), sizeof(prepared.prefix))
        return table_hash(&self.table, &prepared)

    def get(self, uint32_t id):
        """The bytes of an id, None if it is not in use."""
        cdef int slot = epoch_enter(&self.epochs)
        cdef Entry *entry = table_get(&self.table, id)
        try:
            return None if entry == NULL else (<const char *>entry_bytes(entry))[:entry.length]
        finally:
            epoch_leave(&self.epochs, slot)

    def release(self, uint32_t id):
        """Drops one reference. Raises KeyError if the id has none."""
        cdef Entry *entry = table_get(&self.table, id)
        if entry == NULL or entry.refs == 0:
            raise KeyError(f"id {id} is not in use; release what intern returned, once a call")
        table_release(&self.table, id)

    def enter(self):
        """Enters an epoch: what is released meanwhile stays valid until `leave`. Returns a slot."""
        return epoch_enter(&self.epochs)

    def leave(self, int slot):
        """Leaves the epoch of `slot`."""
        epoch_leave(&self.epochs, slot)

    def reclaim(self):
        """Gives back what nobody can hold any more; returns how many things."""
        cdef size_t freed
        with nogil:
            freed = epoch_reclaim(&self.epochs)
        return freed

    def fail_allocation(self, uint64_t n):
        """Makes the n-th allocation from now on fail (0: none). """
        self.account.fail_at = self.account.calls + n if n else 0

    @property
    def memory(self):
        """Bytes owned, as the account counts them."""
        return load_relaxed(&self.account.bytes)

    @property
    def table_memory(self):
        """Bytes asked for, added up from the table's parts."""
        return table_bytes(&self.table)
